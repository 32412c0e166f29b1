import { actClaim } from '../support/task-issuer.ts';
import { ids, places } from '../support/thief-estate.ts';
import { altered, ISSUERS } from '../support/thief-tokens.ts';
import { leaseCells, otherInvoice, PROOF, type TokenKind, txn, txnReasons, use } from './reuse-lease.ts';
import { type Row, refused } from './reuse-matrix.ts';
import { heldToken, taskCells } from './reuse-tasks.ts';
import {
  atCrm,
  lease,
  ledger,
  nobody,
  postWithoutProof,
  thief,
  thiefsWpt,
  tools,
  worksBelowConfidential,
  write,
} from './reuse-uses.ts';

const chainToken: TokenKind = {
  mint: ({ tokens }, change = {}) => {
    const act = actClaim([ids.orchestrator, ids.agent]);
    return tokens.txn(ids.agent, { ...change, claims: { act, ...change.claims } });
  },
  headers: txn,
  holder: ({ svids }) => svids.agent,
  place: places.invoice,
  reasons: txnReasons,
};

const chainRow: Row = {
  name: 'delegated, of a chain',
  what: 'A Transaction Token with nested `act`: the orchestrator handed the task to billing-agent.',
  control: { how: 'billing-agent, for the orchestrator, reads a confidential resource', play: use(chainToken) },
  cells: {
    ...leaseCells(chainToken),
    ...taskCells([ISSUERS.tts], heldToken(chainToken)),
    'another workload': refused('by the thief', use(chainToken, {}, { as: thief }), 'task_of_another'),
    'other purpose': refused(
      'for a purpose that its issuer may not state',
      use(chainToken, { purpose: 'answer-tickets' }),
      'task_purpose',
    ),
    'other method': write(chainToken),
    'other resource': otherInvoice(chainToken),
    'other host': refused('at the other host', atCrm(use(chainToken)), 'policy_no_permit'),
    'replayed as it was': lease(chainToken),
    'one hop further': refused(
      'exchanged for the ledger, which may do by itself what billing-agent may not',
      ({ tokens, svids }) => ({
        as: svids.ledger,
        path: places.claims,
        headers: txn(tokens.txn(ids.ledger, { claims: { act: actClaim([ids.orchestrator, ids.agent, ids.ledger]) } })),
      }),
      'policy_no_permit',
    ),
    'invented chain': refused(
      'the ledger written in as originator',
      (estate) => ({
        as: estate.svids.agent,
        path: places.invoice,
        headers: txn(altered(chainToken.mint(estate), { act: actClaim([ids.ledger, ids.agent]) })),
      }),
      'task_txn_signature',
    ),
    'shortened chain': refused(
      'by the orchestrator itself, which may cause the access and not make it, with a token of its own',
      ({ tokens, svids }) => ({
        as: svids.orchestrator,
        path: places.invoice,
        headers: txn(tokens.txn(ids.orchestrator)),
      }),
      'policy_no_permit',
    ),
    'thief’s own proof': refused('the thief’s WIT and WPT over it', thiefsWpt(chainToken), 'task_wit_of_another'),
    'proof left out': refused('without the certificate', use(chainToken, {}, { as: nobody }), 'identity_missing'),
  },
};

const forwardedToken: TokenKind = {
  mint: ({ tokens }, change) => tokens.forwarded(ids.agent, change),
  headers: txn,
  holder: ({ svids }) => svids.tools,
  place: places.exports,
  reasons: txnReasons,
};

const forwardedRow: Row = {
  name: 'forwarded',
  what: 'A Transaction Token of billing-agent that travels on unchanged: its issuer says `propagation: forwarded`. The tool server uses it.',
  control: { how: 'the tool server, for billing-agent, reads an internal resource', play: use(forwardedToken) },
  cells: {
    ...leaseCells(forwardedToken),
    ...taskCells([ISSUERS.forwarding], heldToken(forwardedToken)),
    'another workload': worksBelowConfidential(forwardedToken, 'by the thief, who then stands in the chain', thief),
    'other method': postWithoutProof(forwardedToken),
    'other host': refused('at the other host', atCrm(use(forwardedToken)), 'policy_no_permit'),
    'replayed as it was': worksBelowConfidential(forwardedToken, 'by the tool server again', tools),
    'one hop further': worksBelowConfidential(forwardedToken, 'by the ledger, to which it travelled on', ledger),
    'shortened chain': refused(
      'the tool server written in as its first holder',
      (estate) => ({
        ...use(forwardedToken)(estate),
        headers: txn(altered(forwardedToken.mint(estate), { req_wl: ids.tools })),
      }),
      'task_txn_signature',
    ),
    'thief’s own proof': refused(
      'a good WIT and WPT of whoever forwards it, at a confidential resource',
      (estate) => ({
        as: estate.svids.tools,
        path: places.invoice,
        headers: estate.tokens.withWpt(ids.tools, { txnToken: forwardedToken.mint(estate) }, places.invoice),
      }),
      'policy_forbidden',
      PROOF,
    ),
    'proof left out': refused('without the certificate', use(forwardedToken, {}, { as: nobody }), 'identity_missing'),
  },
};

export const chainRows = { chainRow, forwardedRow };

import { actClaim } from '../support/task-issuer.ts';
import { CRM, ids, places } from '../support/thief-estate.ts';
import { altered } from '../support/thief-tokens.ts';
import {
  accessReasons,
  bearer,
  keptFrom,
  leaseCells,
  PROOF,
  svidReasons,
  type TokenKind,
  txn,
  txnReasons,
  use,
  WRITES,
} from './reuse-lease.ts';
import { type Cell, type Play, type Row, refused, works } from './reuse-matrix.ts';

const thief: NonNullable<Parameters<typeof use>[2]>['as'] = ({ svids }) => svids.thief;
const tools: typeof thief = ({ svids }) => svids.tools;
const ledger: typeof thief = ({ svids }) => svids.ledger;
const nobody: typeof thief = () => null;

const bearerToken: TokenKind = {
  mint: ({ tokens }, change) => tokens.bearer(change),
  headers: bearer,
  holder: ({ svids }) => svids.agent,
  place: places.exports,
  reasons: accessReasons,
};

/** A token that opens what is internal to anybody: each use goes on to where it matters, and is denied there. */
const worksBelowConfidential = (kind: TokenKind, how: string, as: typeof thief): Cell =>
  works(
    how,
    use(kind, {}, { as }),
    keptFrom('the same at a confidential resource', use(kind, {}, { as, path: places.invoice }), PROOF),
  );

/** A bound token is a lease: its holder may use it again, and still not where each use is to be proven. */
const lease = (kind: TokenKind): Cell =>
  works(
    'by its holder, whose lease it is until it ends',
    use(kind),
    keptFrom('the same at a restricted resource', use(kind, {}, { path: places.payout }), PROOF),
  );

const posted =
  (play: Play): Play =>
  (estate) => ({ ...play(estate), method: 'POST' });
const atCrm =
  (play: Play): Play =>
  (estate) => ({ ...play(estate), host: CRM, path: places.ticket });
const write = refused('POST, where the policies let it read', posted(use(bearerToken)), 'policy_no_permit');

/** The holder's connection, and a DPoP proof of the thief's key over the token. */
const thiefsDpop =
  (kind: TokenKind): Play =>
  (estate) => ({
    as: kind.holder(estate),
    path: kind.place,
    headers: estate.tokens.withDpop(kind.mint(estate), kind.place, { key: estate.tokens.thief }),
  });

/** The holder's connection, and the thief's WIT with a WPT over the token. */
const thiefsWpt =
  (kind: TokenKind): Play =>
  (estate) => ({
    as: kind.holder(estate),
    path: kind.place,
    headers: estate.tokens.withWpt(ids.thief, { txnToken: kind.mint(estate) }, kind.place, {
      key: estate.tokens.thief,
    }),
  });

const postWithoutProof = (kind: TokenKind): Cell =>
  refused('POST', posted(use(kind, { purpose: 'issue-refunds' }, { path: places.claims })), 'policy_forbidden', WRITES);

const bearerRow: Row = {
  name: 'unbound, unsafeBearer',
  what: 'An access token that names no workload, of an issuer that is marked `unsafeBearer`.',
  control: { how: 'billing-agent reads an internal resource', play: use(bearerToken) },
  cells: {
    ...leaseCells(bearerToken),
    'another workload': worksBelowConfidential(bearerToken, 'by the thief', thief),
    'other method': postWithoutProof(bearerToken),
    'other host': refused('at the other host', atCrm(use(bearerToken)), 'task_token_audience'),
    'replayed as it was': worksBelowConfidential(bearerToken, 'by its holder again', bearerToken.holder),
    'one hop further': worksBelowConfidential(bearerToken, 'by the tool server', tools),
    'thief’s own proof': refused('a DPoP proof of the thief’s key over it', thiefsDpop(bearerToken), 'task_proof_key'),
  },
};

const unboundToken: TokenKind = {
  ...bearerToken,
  mint: ({ tokens }, change) => tokens.access('console', change),
};
const namedToken: TokenKind = { ...unboundToken, mint: ({ tokens }, change) => tokens.access(ids.agent, change) };

const unboundRow: Row = {
  name: 'unbound',
  what: 'The same of an issuer that is not marked: one that names its holder is permitted, one that names nobody is not.',
  control: { how: 'billing-agent with a token that names it', play: use(namedToken) },
  cells: {
    'another workload': refused('by the thief', use(unboundToken, {}, { as: thief }), 'task_unbound'),
    'after expiry': refused('the token ended', use(unboundToken, { ended: true }), 'task_token_expired'),
    'other purpose': refused(
      'where issue-refunds is asked for',
      use(unboundToken, {}, { path: places.claims }),
      'task_unbound',
    ),
    'other method': refused('POST', posted(use(unboundToken, {}, { path: places.claims })), 'task_unbound'),
    'other resource': refused(
      'at a confidential resource',
      use(unboundToken, {}, { path: places.invoice }),
      'task_unbound',
    ),
    'other host': refused('at the other host', atCrm(use(unboundToken)), 'task_token_audience'),
    'other audience': leaseCells(unboundToken)['other audience']!,
    'replayed as it was': refused('by whom it was issued to', use(unboundToken), 'task_unbound'),
    'respelled signature': leaseCells(unboundToken)['respelled signature']!,
    'one hop further': refused('by the tool server', use(unboundToken, {}, { as: tools }), 'task_unbound'),
    'invented chain': leaseCells(unboundToken)['invented chain']!,
    'forged header beside': refused(
      'in the header of Transaction Tokens',
      (estate) => ({ as: estate.svids.agent, path: places.exports, headers: txn(unboundToken.mint(estate)) }),
      'task_txn_type',
    ),
    'thief’s own proof': refused('a DPoP proof of the thief’s key over it', thiefsDpop(unboundToken), 'task_proof_key'),
  },
};

const certificateToken: TokenKind = {
  ...bearerToken,
  mint: ({ tokens, svids }, change = {}) => {
    const cnf = { 'x5t#S256': svids.agent.thumbprint };
    return tokens.access('console', { ...change, claims: { cnf, ...change.claims } });
  },
  place: places.invoice,
};

const certificateRow: Row = {
  name: 'certificate-bound',
  what: 'An access token with `cnf.x5t#S256`, the hash of billing-agent’s certificate, that names no workload.',
  control: { how: 'billing-agent reads a confidential resource', play: use(certificateToken) },
  cells: {
    ...leaseCells(certificateToken),
    'another workload': refused('by the thief', use(certificateToken, {}, { as: thief }), 'task_token_binding'),
    'other method': { ...write, play: posted(use(certificateToken)) },
    'other host': refused('at the other host', atCrm(use(certificateToken)), 'task_token_audience'),
    'replayed as it was': lease(certificateToken),
    'one hop further': refused('by the tool server', use(certificateToken, {}, { as: tools }), 'task_token_binding'),
    'thief’s own proof': refused(
      'a DPoP proof of the thief’s key over it',
      thiefsDpop(certificateToken),
      'task_proof_key',
    ),
    'proof left out': refused('without the certificate', use(certificateToken, {}, { as: nobody }), 'identity_missing'),
  },
};

const nameToken: TokenKind = {
  mint: ({ tokens }, change) => tokens.txn(ids.agent, change),
  headers: txn,
  holder: ({ svids }) => svids.agent,
  place: places.invoice,
  reasons: txnReasons,
};

const nameRow: Row = {
  name: 'SPIFFE-bound',
  what: 'A Transaction Token that names billing-agent in `req_wl`.',
  control: { how: 'billing-agent reads a confidential resource', play: use(nameToken) },
  cells: {
    ...leaseCells(nameToken),
    'another workload': refused('by the thief', use(nameToken, {}, { as: thief }), 'task_of_another'),
    'other method': { ...write, play: posted(use(nameToken)) },
    'other host': refused('at the other host', atCrm(use(nameToken)), 'policy_no_permit'),
    'replayed as it was': lease(nameToken),
    'one hop further': refused('by the tool server', use(nameToken, {}, { as: tools }), 'task_of_another'),
    'forged header beside': refused(
      'a second Txn-Token',
      (estate) => ({
        ...use(nameToken)(estate),
        headers: { 'txn-token': [nameToken.mint(estate), estate.tokens.txn(ids.thief)] },
      }),
      'request_header_repeated',
    ),
    'thief’s own proof': refused('the thief’s WIT and WPT over it', thiefsWpt(nameToken), 'task_wit_of_another'),
    'proof left out': refused('without the certificate', use(nameToken, {}, { as: nobody }), 'identity_missing'),
  },
};

const chainToken: TokenKind = {
  ...nameToken,
  mint: ({ tokens }, change = {}) => {
    const act = actClaim([ids.orchestrator, ids.agent]);
    return tokens.txn(ids.agent, { ...change, claims: { act, ...change.claims } });
  },
};

const chainRow: Row = {
  name: 'delegated, of a chain',
  what: 'A Transaction Token with nested `act`: the orchestrator handed the task to billing-agent.',
  control: { how: 'billing-agent, for the orchestrator, reads a confidential resource', play: use(chainToken) },
  cells: {
    ...leaseCells(chainToken),
    'another workload': refused('by the thief', use(chainToken, {}, { as: thief }), 'task_of_another'),
    'other purpose': refused(
      'for a purpose that its issuer may not state',
      use(chainToken, { purpose: 'answer-tickets' }),
      'task_purpose',
    ),
    'other method': { ...write, play: posted(use(chainToken)) },
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

const taskSvid: TokenKind = {
  mint: ({ tokens }, change) => tokens.taskSvid(ids.agent, change),
  headers: bearer,
  holder: ({ svids }) => svids.agent,
  place: places.invoice,
  reasons: svidReasons,
};

const taskSvidRow: Row = {
  name: 'JWT-SVID with a task',
  what: 'A JWT-SVID of billing-agent with task claims, which counts beside its X.509-SVID.',
  control: { how: 'billing-agent, with its certificate, reads a confidential resource', play: use(taskSvid) },
  cells: {
    ...leaseCells(taskSvid),
    'another workload': refused('by the thief', use(taskSvid, {}, { as: thief }), 'identity_conflict'),
    'other method': { ...write, play: posted(use(taskSvid)) },
    'other host': refused('at the other host', atCrm(use(taskSvid)), 'identity_token_audience'),
    'replayed as it was': lease(taskSvid),
    'one hop further': refused('by the tool server', use(taskSvid, {}, { as: tools }), 'identity_conflict'),
    'thief’s own proof': refused('under the scheme DPoP, with a proof', thiefsDpop(taskSvid), 'identity_token_type'),
    'proof left out': refused('without the certificate', use(taskSvid, {}, { as: nobody }), 'task_unbound'),
  },
};

export const tokenRows = { bearerRow, unboundRow, certificateRow, nameRow, chainRow, forwardedRow, taskSvidRow };

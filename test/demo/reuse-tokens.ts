import { ids, places } from '../support/thief-estate.ts';
import { ISSUERS } from '../support/thief-tokens.ts';
import {
  accessReasons,
  bearer,
  leaseCells,
  otherInvoice,
  svidReasons,
  type TokenKind,
  txn,
  txnReasons,
  use,
} from './reuse-lease.ts';
import { type Row, refused } from './reuse-matrix.ts';
import { heldToken, taskCells } from './reuse-tasks.ts';
import {
  atCrm,
  lease,
  nobody,
  posted,
  postWithoutProof,
  thief,
  thiefsDpop,
  thiefsWpt,
  tools,
  worksBelowConfidential,
  write,
} from './reuse-uses.ts';

const bearerToken: TokenKind = {
  mint: ({ tokens }, change) => tokens.bearer(change),
  headers: bearer,
  holder: ({ svids }) => svids.agent,
  place: places.exports,
  reasons: accessReasons,
};

const bearerRow: Row = {
  name: 'unbound, unsafeBearer',
  what: 'An access token that names no workload, of an issuer that is marked `unsafeBearer`.',
  control: { how: 'billing-agent reads an internal resource', play: use(bearerToken) },
  cells: {
    ...leaseCells(bearerToken),
    ...taskCells([ISSUERS.loose], heldToken(bearerToken)),
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
    ...taskCells([ISSUERS.as], heldToken(namedToken)),
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
    ...taskCells([ISSUERS.as], heldToken(certificateToken)),
    'another workload': refused('by the thief', use(certificateToken, {}, { as: thief }), 'task_token_binding'),
    'other method': write(certificateToken),
    'other resource': otherInvoice(certificateToken),
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
    ...taskCells([ISSUERS.tts], heldToken(nameToken)),
    'another workload': refused('by the thief', use(nameToken, {}, { as: thief }), 'task_of_another'),
    'other method': write(nameToken),
    'other resource': otherInvoice(nameToken),
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
    ...taskCells([ISSUERS.domain], heldToken(taskSvid)),
    'another workload': refused('by the thief', use(taskSvid, {}, { as: thief }), 'identity_conflict'),
    'other method': write(taskSvid),
    'other resource': otherInvoice(taskSvid),
    'other host': refused('at the other host', atCrm(use(taskSvid)), 'identity_token_audience'),
    'replayed as it was': lease(taskSvid),
    'one hop further': refused('by the tool server', use(taskSvid, {}, { as: tools }), 'identity_conflict'),
    'thief’s own proof': refused('under the scheme DPoP, with a proof', thiefsDpop(taskSvid), 'identity_token_type'),
    'proof left out': refused('without the certificate', use(taskSvid, {}, { as: nobody }), 'task_unbound'),
  },
};

export const tokenRows = { bearerRow, unboundRow, certificateRow, nameRow, taskSvidRow };

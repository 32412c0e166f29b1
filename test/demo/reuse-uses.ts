import { CRM, ids, places } from '../support/thief-estate.ts';
import { keptFrom, PROOF, type Shown, type TokenKind, use, WRITES } from './reuse-lease.ts';
import { type Cell, type Play, refused, works } from './reuse-matrix.ts';

/** Who uses a task token, and in which ways they do it. */

export const thief: Shown = ({ svids }) => svids.thief;
export const tools: Shown = ({ svids }) => svids.tools;
export const ledger: Shown = ({ svids }) => svids.ledger;
export const nobody: Shown = () => null;

/** A token that opens what is internal to anybody: each use goes on to where it matters, and is denied there. */
export const worksBelowConfidential = (kind: TokenKind, how: string, as: Shown): Cell =>
  works(
    how,
    use(kind, {}, { as }),
    keptFrom('the same at a confidential resource', use(kind, {}, { as, path: places.invoice }), PROOF),
  );

/** A bound token is a lease: its holder may use it again, and still not where each use is to be proven. */
export const lease = (kind: TokenKind): Cell =>
  works(
    'by its holder, whose lease it is until it ends',
    use(kind),
    keptFrom('the same at a restricted resource', use(kind, {}, { path: places.payout }), PROOF),
  );

export const posted =
  (play: Play): Play =>
  (estate) => ({ ...play(estate), method: 'POST' });
export const atCrm =
  (play: Play): Play =>
  (estate) => ({ ...play(estate), host: CRM, path: places.ticket });
export const write = (kind: TokenKind): Cell =>
  refused('POST, where the policies let it read', posted(use(kind)), 'policy_no_permit');

/** The holder's connection, and a DPoP proof of the thief's key over the token. */
export const thiefsDpop =
  (kind: TokenKind): Play =>
  (estate) => ({
    as: kind.holder(estate),
    path: kind.place,
    headers: estate.tokens.withDpop(kind.mint(estate), kind.place, { key: estate.tokens.thief }),
  });

/** The holder's connection, and the thief's WIT with a WPT over the token. */
export const thiefsWpt =
  (kind: TokenKind): Play =>
  (estate) => ({
    as: kind.holder(estate),
    path: kind.place,
    headers: estate.tokens.withWpt(ids.thief, { txnToken: kind.mint(estate) }, kind.place, {
      key: estate.tokens.thief,
    }),
  });

export const postWithoutProof = (kind: TokenKind): Cell =>
  refused('POST', posted(use(kind, { purpose: 'issue-refunds' }, { path: places.claims })), 'policy_forbidden', WRITES);

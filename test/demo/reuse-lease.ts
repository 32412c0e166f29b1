import type { Reason } from '../../src/base/outcome.ts';
import type { Issued } from '../support/ca.ts';
import { ids, places, type ThiefEstate } from '../support/thief-estate.ts';
import { AUDIENCES, abouts, altered, type Change, type Headers, respelled } from '../support/thief-tokens.ts';
import { type Cell, type Column, type Play, permitted, refused, type Works } from './reuse-matrix.ts';

export const PROOF = 'proof-rises-with-sensitivity';
export const SCOPES = 'scoped-tokens-stay-in-their-scopes';
export const RESOURCES = 'tasks-stay-with-their-resources';
export const WRITES = 'agents-write-only-in-a-task';
export const BEARERS = 'bearers-stay-below-confidential';

/** Whose certificate is shown; null: nobody's. */
export type Shown = (estate: ThiefEstate) => Issued | null;

/** A kind of task token, and who may use it where. */
export interface TokenKind {
  readonly mint: (estate: ThiefEstate, change?: Change) => string;
  readonly headers: (token: string) => Headers;
  readonly holder: (estate: ThiefEstate) => Issued;
  /** Where its holder is permitted. */
  readonly place: string;
  readonly reasons: { readonly [fault in 'expired' | 'audience' | 'spelling' | 'signature']: Reason };
}

export const txn = (token: string): Headers => ({ 'txn-token': token });
export const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
export const said = (id = 't-42', purpose = 'reconcile-invoices'): Headers => ({
  'x-task-id': id,
  'x-task-purpose': purpose,
});

export const txnReasons = {
  expired: 'task_txn_expired',
  audience: 'task_txn_audience',
  spelling: 'task_txn_malformed',
  signature: 'task_txn_signature',
} as const satisfies TokenKind['reasons'];

/** In `Authorization` the reading of identities comes first, and it refuses what cannot be read. */
export const accessReasons = {
  expired: 'task_token_expired',
  audience: 'task_token_audience',
  spelling: 'identity_token_malformed',
  signature: 'task_token_signature',
} as const satisfies TokenKind['reasons'];

export const svidReasons = {
  expired: 'identity_token_expired',
  audience: 'identity_token_audience',
  spelling: 'identity_token_malformed',
  signature: 'identity_token_signature',
} as const satisfies TokenKind['reasons'];

/** The rightful use of a token, with what differs. */
export const use =
  (kind: TokenKind, change: Change = {}, more: { as?: Shown; path?: string } = {}): Play =>
  (estate) => ({
    as: (more.as ?? kind.holder)(estate),
    path: more.path ?? kind.place,
    headers: kind.headers(kind.mint(estate, change)),
  });

/** A kept-away use of a token by whoever plays the cell. */
export const keptFrom = (what: string, play: Play, by: string): Works['kept'] => ({
  how: what,
  play,
  reason: 'policy_forbidden',
  by,
});

/** A task for one thing, at another one of its kind, by a holder who opened the first. */
export const aboutAnother = (how: string, first: Play, then: Play): Cell => ({
  how,
  play: {
    past: async (estate, use) => {
      permitted(await use(first(estate)));
      return () => then(estate);
    },
  },
  expected: { reason: 'policy_forbidden', by: RESOURCES },
});

/** The same with a bound token, which needs no proof. */
export const otherInvoice = (kind: TokenKind): Cell => {
  const about = { about: abouts.invoice };
  return aboutAnother(
    'of a task about invoice 42, used at invoice 43 after invoice 42',
    use(kind, about, { path: places.invoice }),
    use(kind, about, { path: places.otherInvoice }),
  );
};

/** What is tried alike with every token of a task. Its holder plays, so that each check is the one that refuses. */
export function leaseCells(kind: TokenKind): Readonly<Partial<Record<Column, Cell>>> {
  const { reasons } = kind;
  const changed =
    (change: (token: string) => string): Play =>
    (estate) => ({
      as: kind.holder(estate),
      path: kind.place,
      headers: kind.headers(change(kind.mint(estate))),
    });
  return {
    'after expiry': refused('the token ended', use(kind, { ended: true }), reasons.expired),
    'other purpose': refused(
      'for reconcile-invoices, used where issue-refunds is asked for',
      use(kind, {}, { path: places.claims }),
      'policy_no_permit',
    ),
    'other resource': refused(
      'with the scope invoices, used where credits is asked for',
      use(kind, {}, { path: places.credits }),
      'policy_forbidden',
      SCOPES,
    ),
    'other audience': refused(
      'issued for another audience',
      use(kind, { claims: { aud: AUDIENCES.crm } }),
      reasons.audience,
    ),
    'respelled signature': refused('left-over bits in the last character', changed(respelled), reasons.spelling),
    'invented chain': refused(
      'an actor written into it',
      changed((token) => altered(token, { act: { sub: ids.agent, act: { sub: ids.orchestrator } } })),
      reasons.signature,
    ),
    'forged header beside': refused(
      'plain headers declare another task',
      (estate) => {
        const attempt = use(kind)(estate);
        return { ...attempt, headers: { ...attempt.headers, ...said('t-43') } };
      },
      'task_conflict',
    ),
  };
}

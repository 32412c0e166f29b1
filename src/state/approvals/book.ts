import type { ApprovalOrder } from './order.ts';

/** One person's yes. */
export interface Consent {
  /** Who: issuer and subject of a person, with a space between them. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly reason: string;
  /** What this person said yes to: so many uses, so long after the grant. */
  readonly uses: number;
  readonly useForMs: number;
}

/**
 * What lets the requests of one digest pass: `uses` of them, until `untilMs`. Its id is that of the approval request. Times are
 * milliseconds since the epoch.
 */
export interface ApprovalGrant {
  readonly id: string;
  readonly digest: string;
  readonly approvals: readonly string[];
  readonly uses: number;
  readonly untilMs: number;
  readonly grantedAtMs: number;
  readonly by: readonly string[];
}

/** Only what is `pending` can be granted, and only what is `granted` lets anything pass. */
export type ApprovalState = 'pending' | 'granted' | 'refused' | 'withdrawn' | 'expired';

/** How a request for an approval ended without one, or the approval before its time. */
export interface Closing {
  readonly kind: 'refused' | 'withdrawn';
  readonly atMs: number;
  readonly by: string;
  readonly reason: string;
}

/** What a denied call asked for, and what became of it. Times are milliseconds since the epoch. */
export interface ApprovalRequest {
  /** 128 random bits, which permit nothing by themselves. */
  readonly id: string;
  readonly order: ApprovalOrder;
  readonly askedAtMs: number;
  /** Nobody can grant it from then on. */
  readonly askUntilMs: number;
  /** Those who said yes: fewer than it takes where there is no grant. */
  readonly consents: readonly Consent[];
  readonly grant: ApprovalGrant | null;
  readonly closing: Closing | null;
}

export type AskResult =
  | { readonly result: 'pending'; readonly id: string; readonly expiresAtMs: number }
  /** `refused`: a person said no, and the same is not asked again for a while. `full`: the caller, or all, wait for enough. */
  | { readonly result: 'refused' | 'full' | 'unavailable'; readonly detail: string };

/** A person's yes to a request, and what it is good for. `digest` and `approvals`: those that were shown and judged. */
export interface GrantOrder {
  readonly id: string;
  readonly digest: string;
  readonly approvals: readonly string[];
  readonly by: string;
  readonly reason: string;
  /** How many different persons it takes. */
  readonly quorum: 1 | 2;
  readonly uses: number;
  readonly useForMs: number;
}

/** A person's no, also to what was granted before. */
export interface CloseOrder {
  readonly id: string;
  readonly kind: Closing['kind'];
  readonly by: string;
  readonly reason: string;
}

/** What became of an order. `unavailable`: nobody knows whether it was taken; the same order may be given again. */
export type DecideResult =
  | {
      readonly result: 'stored' | 'unchanged';
      readonly request: ApprovalRequest;
      readonly atMs: number;
      readonly replicas: number | null;
      readonly covers: 'this process' | 'store';
    }
  | { readonly result: 'unknown' }
  /** It is not in a state for that, or changed meanwhile. */
  | { readonly result: 'conflict'; readonly detail: string }
  /** In a store, what opens must be signed, and there is no key here. */
  | { readonly result: 'unsigned'; readonly detail: string }
  | { readonly result: 'full' | 'unavailable'; readonly detail: string };

/** What a check is looked up in. */
export interface GrantLookup {
  /** Those of a digest that let it pass at `nowMs`, as far as is known here. */
  grantsOf(digest: string, nowMs: number): readonly ApprovalGrant[];
}

/**
 * The approvals that were asked for. Who may decide is for others to judge; a book sees to it that one person counts once, that
 * nothing is granted late, and that what was closed stays closed. Never throws and never rejects. `nowMs`: milliseconds since
 * the epoch.
 */
export interface ApprovalBook extends GrantLookup {
  /**
   * Asks for an approval, once for each digest. `spent`: the id of a grant of this digest that was used as often as it may be,
   * so that another one is asked for.
   */
  ask(order: ApprovalOrder, nowMs: number, spent?: string | null): Promise<AskResult>;
  /** All that are remembered: iterate, do not hold. */
  all(): Iterable<ApprovalRequest>;
  find(id: string): ApprovalRequest | null;
  grant(order: GrantOrder, nowMs: number): Promise<DecideResult>;
  close(order: CloseOrder, nowMs: number): Promise<DecideResult>;
}

/** How many requests wait for a person at one time: of each caller, and in all. */
export const MAX_PENDING_OF_CALLER = 5;
export const MAX_PENDING = 50;
/** Requests that are remembered, decided and expired ones among them, and what they may take in a store. */
export const MAX_APPROVALS = 1000;
export const MAX_APPROVAL_BYTES = 16 * 2 ** 20;
/** So long a person can answer. */
export const ASK_MS = 30 * 60_000;
/** So long a grant can be good for. */
export const MAX_USE_MS = 8 * 60 * 60_000;
export const MAX_USES = 20;
/** So long what was refused or withdrawn is not asked again. */
export const REST_MS = 10 * 60_000;
/** So long it is shown what became of a request. */
export const SHOWN_MS = 60 * 60_000;

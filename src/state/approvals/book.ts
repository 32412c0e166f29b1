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
  /** One person let it pass by break-glass: it takes no second one. */
  readonly alone?: true;
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
  /** Null: it was not let pass by one person alone. */
  readonly glass: GlassUse | null;
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

/** How one person let a request pass alone. Times are milliseconds since the epoch. */
export interface GlassUse {
  readonly by: string;
  readonly atMs: number;
  readonly reason: string;
  readonly untilMs: number;
  /** Of a trusted key, over all this and the very request; empty in the memory of one process. */
  readonly signature: string;
}

/** Another person's look at it. */
export interface Review {
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly reason: string;
}

/** A request that was let pass by break-glass, and who looked at it afterwards. */
export interface BrokenGlass {
  /** As it was when nobody had answered it. */
  readonly asked: ApprovalRequest;
  readonly use: GlassUse;
  readonly review: Review | null;
}

/** An order that lets one request pass alone and at once. `digest`: of the request that was shown. */
export interface GlassOrder {
  readonly id: string;
  readonly digest: string;
  readonly by: string;
  readonly reason: string;
}

/** A second person's look at a break-glass, by the id of its request, or at the beginning of the record of them. */
export interface ReviewOrder {
  readonly id: string;
  readonly by: string;
  readonly reason: string;
}

/** `resting`: the person has to wait until others have looked at what it did. */
export type GlassResult = DecideResult | { readonly result: 'resting'; readonly detail: string };

export type ReviewResult =
  | Exclude<DecideResult, { readonly result: 'stored' | 'unchanged' }>
  | {
      readonly result: 'stored';
      /** Null: the beginning. */
      readonly broken: BrokenGlass | null;
      readonly atMs: number;
      readonly replicas: number | null;
      readonly covers: 'this process' | 'store';
    };

/** Requests that are like one: of the same caller, for the same approvals, action and host. */
export interface Alike {
  /** In the last day, to the hour; the one itself is among them. */
  readonly asked: number;
  /** Those that people granted in the last day. */
  readonly granted: number;
  /** Milliseconds since the epoch: from then on all are counted, and of the time before those that were still remembered. */
  readonly sinceMs: number;
}

/** What is known of break-glass. */
export interface GlassLookup {
  all(): Iterable<BrokenGlass>;
  find(id: string): BrokenGlass | null;
  /** Who said that nothing waits which is not known here. */
  readonly beginnings: readonly Review[];
  /** Why a person may not break glass at `nowMs`, with the ids that others have to review first; null: nothing keeps it. */
  rests(by: string, nowMs: number): string | null;
}

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
  /** How many requests like this one there were lately, as far as this process was told. */
  alikeTo(order: ApprovalOrder, nowMs: number): Alike;
  grant(order: GrantOrder, nowMs: number): Promise<DecideResult>;
  close(order: CloseOrder, nowMs: number): Promise<DecideResult>;
  /** What was let pass by one person alone, also where the request is forgotten, until somebody else has looked at it. */
  readonly glass: GlassLookup;
  breakGlass(order: GlassOrder, nowMs: number): Promise<GlassResult>;
  review(order: ReviewOrder, nowMs: number): Promise<ReviewResult>;
}

/** How many requests wait for a person at one time: of each caller, and in all. */
export const MAX_PENDING_OF_CALLER = 5;
export const MAX_PENDING = 50;

/**
 * How many of one caller may wait where `waiting` wait in all: one in five of the places that are left, so that
 * a few callers do not take all of them from the others. The scripts of a store count the same.
 */
export const pendingShare = (waiting: number): number =>
  Math.min(MAX_PENDING_OF_CALLER, Math.ceil((MAX_PENDING - waiting) / MAX_PENDING_OF_CALLER));
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

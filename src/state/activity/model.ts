import type { Fault } from '../../base/fault.ts';

/** One decision as lists show it: far less than its audit line. Every text is cut to a length of its own; tokens are digests. */
export interface DecisionSummary {
  /** The id of the decision in the audit. */
  readonly decision: string;
  /** When the check began, in milliseconds since the epoch, by the clock of its sidecar. */
  readonly timeMs: number;
  readonly result: 'allow' | 'deny';
  readonly reason: string;
  /** The SPIFFE ID that was proven; null where none was. */
  readonly caller: string | null;
  /** The team of the caller; null where the inventory does not know it. */
  readonly owner: string | null;
  readonly task: { readonly issuer: string; readonly id: string; readonly purpose: string } | null;
  readonly action: string | null;
  readonly resource: { readonly id: string; readonly api: string | null } | null;
  /** As the request named it; nothing is proven. */
  readonly host: string | null;
  readonly credential: string | null;
  /** The sidecar that decided. */
  readonly sidecar: string;
  /** Denials that came since the one before it in the same share, and are not listed because the share was used up. */
  readonly omitted: number;
}

/** A task that somebody showed, and that has not ended. */
export interface LiveTask {
  readonly issuer: string;
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
}

/** When a workload was last proven as the caller of a request, and by what. */
export interface LastUse {
  readonly workload: string;
  readonly owner: string | null;
  /** Milliseconds since the epoch; with a store it may lie up to a minute behind. */
  readonly lastMs: number;
  /** The kinds of credentials that were seen. */
  readonly credentials: readonly string[];
  /** Those of permitted requests, at most `MAX_TASKS`. */
  readonly tasks: readonly LiveTask[];
}

/** How many live tasks are listed for one workload: those that end last. */
export const MAX_TASKS = 16;

/** How many workloads one call of `lastUses` may name. */
export const MAX_WORKLOADS = 1000;

/** The most that one page holds, however much is asked for. */
export const MAX_PAGE = 500;

/** One page of a list. `next`: where it goes on, opaque; null at the end. A page may be empty and go on. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** A page of uses, with the workloads that it went through, those that are forgotten meanwhile too. */
export interface UsesPage extends Page<LastUse> {
  readonly names: readonly string[];
}

/** What a list is narrowed to; what is left out, or null, narrows nothing. */
export interface DecisionFilter {
  /** A whole SPIFFE ID. */
  readonly workload?: string | null;
  readonly reason?: string | null;
  readonly result?: 'allow' | 'deny' | null;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number | null;
}

/** Where an entry is in its list: a later one has the larger number, or the same and the larger second one. */
export type ListPlace = readonly [number, number];

/** The newest entry of each list; null: it was empty. */
export type DecisionPlaces = { readonly [K in DecisionSummary['result']]: ListPlace | null };

/** What was kept since some places. */
export interface KeptSince {
  /** The oldest first. */
  readonly items: readonly DecisionSummary[];
  /** Where it goes on. */
  readonly places: DecisionPlaces;
  /** False: there was more, which is not kept any longer or is too much for one call. */
  readonly isWhole: boolean;
}

/** The cursor is none that this list gave. */
export const BAD_CURSOR: unique symbol = Symbol('bad cursor');
export type BadCursor = typeof BAD_CURSOR;

/** What can be listed. Never throws and never rejects: a Fault where the store does not answer. */
export interface Activity {
  /** Whose decisions and uses are listed. */
  readonly covers: 'this process' | 'all sidecars of the store';
  /**
   * Decisions in the order in which they were kept, the newest first. The work of one call is bounded: where a filter matches
   * little, the page has few items, or none, and goes on.
   */
  decisions(
    filter: DecisionFilter,
    limit: number,
    cursor: string | null,
  ): Promise<Page<DecisionSummary> | BadCursor | Fault>;
  /** The decisions that were kept since these places; null: none yet, but where to go on from. The work of one call is bounded. */
  since(places: DecisionPlaces | null): Promise<KeptSince | Fault>;
  /** The last uses of these workloads, by SPIFFE ID; those that were not seen are absent. At most `MAX_WORKLOADS`. */
  lastUses(workloads: readonly string[]): Promise<ReadonlyMap<string, LastUse> | Fault>;
  /** All last uses, in the order of their SPIFFE IDs; `skip`: without so many behind the cursor. */
  allLastUses(limit: number, cursor: string | null, skip?: number): Promise<UsesPage | BadCursor | Fault>;
}

/** What is kept, and how much of it. */
export interface ActivityLimits {
  /** Denials. */
  readonly denials: number;
  /** Allows, apart from denials, so that neither pushes out the other. */
  readonly allows: number;
  /** Of so many allows of one workload one is kept: the first. */
  readonly oneAllowIn: number;
  /** Workloads with their last use. */
  readonly workloads: number;
}

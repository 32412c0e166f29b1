import type { History } from '../model.ts';
import type { ServerFacts } from './inspect.ts';

/** What happened to the store. */
export type StoreEvent =
  | { readonly kind: 'connected'; readonly server: string; readonly version: string; readonly sinceMs: number }
  | { readonly kind: 'lost'; readonly server: string; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string }
  | { readonly kind: 'history'; readonly sinceMs: number; readonly detail: string }
  | { readonly kind: 'warning'; readonly detail: string };

/** What is shown of the store: no secrets. */
export interface StoreStatus {
  readonly server: string | null;
  readonly facts: ServerFacts | null;
  readonly history: History | null;
  /** When the server last answered, in milliseconds since the epoch; null: never. */
  readonly answeredAtMs: number | null;
  /** Milliseconds by which its clock runs ahead of this one, as far as one answer tells. */
  readonly skewMs: number | null;
  /** Used proofs that are kept. */
  readonly entries: number | null;
  /** Counts that are kept, and their members. */
  readonly counts: number | null;
  /** Accounts on which something was opened. */
  readonly accounts: number | null;
  /** Calls that wait for an answer. */
  readonly waiting: number;
  /** How often a history began since the first one. */
  readonly changes: number;
  readonly connects: number;
  /** Why it cannot be used; null while it can. */
  readonly fault: string | null;
  readonly warnings: readonly string[];
}

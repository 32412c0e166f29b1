import type { OrderedRevocation } from './ordered-revocation.ts';
import type { Revocation } from './revocation.ts';
import type { RevocationLookup } from './revocations.ts';

/** Where a revocation that applies here came from. */
export type RevocationOrigin = 'file' | 'store' | 'memory';

/** A revocation, and when it was ordered (milliseconds since the epoch); null: a file does not say. */
export interface KnownRevocation {
  readonly revocation: Revocation;
  readonly origin: RevocationOrigin;
  readonly orderedAtMs: number | null;
}

/** An order as a book lists it. */
export const knownOrder = (revocation: OrderedRevocation, origin: RevocationOrigin): KnownRevocation => ({
  revocation,
  origin,
  orderedAtMs: revocation.atMs,
});

/** An order that ends one revocation before its end. */
export interface LiftOrder {
  readonly id: string;
  readonly reason: string;
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * What became of an order. `covers`: whom it reaches; `replicas`: how many had it when it was answered, null where nobody
 * counts. `unavailable`: nobody knows whether it was taken; the same order may be given again.
 */
export type OrderResult =
  | {
      readonly result: 'stored' | 'unchanged';
      readonly atMs: number;
      readonly replicas: number | null;
      readonly covers: 'this process' | 'store';
    }
  /** The id belongs to a revocation with other content, or to one that cannot be lifted here. */
  | { readonly result: 'conflict'; readonly detail: string }
  /** There is no such revocation to lift. */
  | { readonly result: 'unknown' }
  | { readonly result: 'full'; readonly detail: string }
  /** A lift in a store must be signed, and there is no key here. */
  | { readonly result: 'unsigned'; readonly detail: string }
  | { readonly result: 'unavailable'; readonly detail: string };

/** The revocations that are ordered while the sidecar runs. Never throws and never rejects. */
export interface RevocationBook {
  /** What applies to requests. */
  readonly lookup: RevocationLookup;
  /** All that apply or will apply here: iterate, do not hold. */
  all(): Iterable<KnownRevocation>;
  get(id: string): KnownRevocation | null;
  /** How many have not ended. */
  inForce(nowMs: number): number;
  /** Takes an order: the same id with the same content is the same order. `nowMs`: milliseconds since the epoch. */
  revoke(order: Revocation, nowMs: number): Promise<OrderResult>;
  lift(order: LiftOrder): Promise<OrderResult>;
}

/** How many revocations may be ordered, over all that share a store, and the bytes that they may take. */
export const MAX_ORDERED = 100_000;
export const MAX_ORDERED_BYTES = 64 * 2 ** 20;

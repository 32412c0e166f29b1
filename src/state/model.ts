import { hash } from 'node:crypto';
import type { Soon } from '../base/soon.ts';

/**
 * A time over which a store forgot nothing: from `sinceMs` (milliseconds since the epoch) on it knows every use. A store that
 * was emptied, restarted or replaced by its replica begins another one, with another `id`.
 */
export interface History {
  readonly id: string;
  readonly sinceMs: number;
}

/** Something that may be used once. `key` is a digest of canonical content, never the text of a token. */
export interface Claim {
  readonly key: string;
  /** By which it was judged that it was not used before this history began: it can be claimed in this one alone. */
  readonly history: History;
  /** Milliseconds since the epoch: until then, leeway included, somebody could present it again. */
  readonly until: number;
}

/** The Check for which something is claimed: what tells Envoy's own retry of one Check from a second use. */
export interface Use {
  /** `request.http.id`, which Envoy mints; never a header that a client can set. */
  readonly requestId: string;
  /** The SPIFFE ID of the caller that was proven: each caller has a share of what is remembered. */
  readonly caller: string;
  /** Who called the check port; null where it is not known. */
  readonly checkPeer: string | null;
  /** SHA-256 (hex) of the whole attributes. */
  readonly digest: string;
  /** When Envoy stops waiting for this Check, in milliseconds since the epoch; Infinity where it set no deadline. */
  readonly deadline: number;
  /** What was judged by: the revisions of the snapshot and of the revocations. */
  readonly judgedBy: string;
}

/**
 * What became of a claim of several keys at once. `fresh`: all are claimed now. `same`: this very Check claimed all of
 * them before, and may have the same answer again. `replayed`: `key` was used before, and nothing was claimed.
 * `unavailable`: the state cannot answer, and nothing was claimed.
 */
export type ClaimResult =
  | { readonly result: 'fresh' | 'same' }
  | { readonly result: 'replayed'; readonly key: string }
  | { readonly result: 'unavailable'; readonly detail: string };

/** How many keys are remembered and how many may be, and the bytes that they count as. */
export interface StateLoad {
  readonly entries: number;
  readonly limit: number;
  readonly bytes: number;
  readonly byteLimit: number;
}

/** What one key may take, with its share in the tables: measured, and rounded up. */
const ENTRY_BYTES = 512;

/** The load of so many keys, of which so many may be there. */
export const stateLoad = (entries: number, limit: number): StateLoad => ({
  entries,
  limit,
  bytes: entries * ENTRY_BYTES,
  byteLimit: limit * ENTRY_BYTES,
});

/** The most that a caller may take beside so many keys of others: half of what they leave. Nobody fills the state alone. */
export const shareOf = (limit: number, others: number): number => Math.ceil((limit - others) / 2);

/** What outlives a request and is used up. Never throws and never rejects. */
export interface State {
  /** What is known now. What was judged by an earlier one is not claimed any more. */
  history(): History;
  /** How full it is; null where that is not known. */
  readonly load: StateLoad | null;
  /** Claims all keys or none, atomically over everybody who shares the state. `now` is in milliseconds since the epoch. */
  claim(claims: readonly Claim[], use: Use, now: number): Soon<ClaimResult>;
  /**
   * Gives back what a `fresh` claim took, when its allow was never answered; for whoever made that claim, and once. What a
   * retry of the Check was told meanwhile (`same`) stays used: its allow may have been answered.
   */
  giveBack(claims: readonly Claim[], use: Use): void;
}

/**
 * Whatever makes two Checks the same one, as a digest, so that what is remembered is short whatever the request held. Null
 * where Envoy cannot ask again: without an id of the request, or a deadline.
 */
export function checkOf({ requestId, caller, checkPeer, digest, judgedBy, deadline }: Use): string | null {
  if (requestId === '' || !Number.isFinite(deadline)) return null;
  return hash('sha256', JSON.stringify([requestId, caller, checkPeer, digest, judgedBy]), 'base64url');
}

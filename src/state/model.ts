import { hash } from 'node:crypto';
import type { Fault } from '../base/fault.ts';
import type { Soon } from '../base/soon.ts';
import type { StateLoad } from './bounded/load.ts';
import type { Touch, TouchedRecord } from './bounded/touched.ts';

/**
 * A time over which a store forgot nothing: from `sinceMs` (milliseconds since the epoch) on it knows every use. A store that
 * was emptied, restarted or replaced by its replica begins another one, with another `id`.
 */
export interface History {
  readonly id: string;
  readonly sinceMs: number;
}

/** Something that may be used once, or so many times. `key` is a digest of canonical content, never the text of a token. */
export interface Claim {
  readonly key: string;
  /** By which it was judged that it was not used before this history began: it can be claimed in this one alone. */
  readonly history: History;
  /** Milliseconds since the epoch: until then, leeway included, somebody could present it again. */
  readonly until: number;
  /** How many uses there are of it; absent: one. */
  readonly count?: Count;
}

/** What of a key is counted, up to `limit`: its uses, or with `member` the distinct ones among those that are named. */
export interface Count {
  readonly limit: number;
  /** A short text, of which a caller cannot choose many; null where every use counts. */
  readonly member: string | null;
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
 * them before, and may have the same answer again: nothing is counted twice. `replayed`: `key` was used before; `spent`: it
 * was used as often as it may be; nothing was claimed. `grown`: more was opened than the request was judged by; nothing was
 * claimed. `unavailable`: the state cannot answer, and nothing was claimed.
 */
export type ClaimResult =
  /** `touchedUntil`: until when what each touch records is remembered, in milliseconds since the epoch; 0: it records nothing. */
  | { readonly result: 'fresh'; readonly touchedUntil?: readonly number[] }
  | { readonly result: 'same' | 'grown' }
  | { readonly result: 'replayed' | 'spent'; readonly key: string }
  | { readonly result: 'unavailable'; readonly detail: string };

/** The most counts, and members of counts, that a state keeps at once. */
export const MAX_COUNTS = 131_072;

/** What outlives a request and is used up. Never throws and never rejects. */
export interface State {
  /** What is known now. What was judged by an earlier one is not claimed any more. */
  history(): History;
  /** How full it is of what is used once; null where that is not known. */
  readonly load: StateLoad | null;
  /** The same of counts and their members. */
  readonly countLoad: StateLoad | null;
  /** The same of accounts on which something was opened. */
  readonly touchedLoad: StateLoad | null;
  /** What was opened on each of these accounts, in the history of now. `now` is in milliseconds since the epoch. */
  touched(keys: readonly string[], now: number): Soon<readonly TouchedRecord[] | Fault>;
  /**
   * Claims all keys and records all that is touched, or nothing of it, atomically over everybody who shares the state. `now` is
   * in milliseconds since the epoch.
   */
  claim(claims: readonly Claim[], use: Use, now: number, touches?: readonly Touch[]): Soon<ClaimResult>;
  /**
   * Gives back what a `fresh` claim took, but nothing that it touched, when its allow was never answered; for whoever made that claim, and once. What a
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

/**
 * What a Check with counts claims beside them until its deadline: itself, with what it counts, so that its retry counts nothing
 * again. Null: it counts nothing, or has no retries.
 */
export function markOf(claims: readonly Claim[], use: Use): string | null {
  const counts = claims.flatMap(({ key, count }) => (count === undefined ? [] : [[key, count.member]]));
  const check = counts.length === 0 ? null : checkOf(use);
  return check === null ? null : hash('sha256', JSON.stringify([check, counts]), 'base64url');
}

/** Why these keys cannot be claimed together, whatever was used before; null where they can. */
export function misfit(claims: readonly Claim[]): string | null {
  if (new Set(claims.map(({ key }) => key)).size < claims.length) return 'one key is claimed twice at once';
  if (!claims.every(({ until }) => Number.isFinite(until))) return 'the window of a key has no end';
  const whole = claims.every(({ count }) => count === undefined || Number.isSafeInteger(count.limit));
  return whole ? null : 'the limit of a count is no whole number';
}

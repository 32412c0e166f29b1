import { hash } from 'node:crypto';
import type { StateLoad } from './load.ts';

/** What was opened on an account. The names of apis, or of what stands for them; `all`: nobody knows of any that it was not. */
export interface Touched {
  /** The highest of all that was opened: 0 public to 3 restricted. */
  readonly sensitivity: number;
  readonly apis: ReadonlySet<string> | 'all';
}

export const UNTOUCHED: Touched = Object.freeze({ sensitivity: 0, apis: new Set<string>() });
/** What is assumed where it is not known. */
export const EVERYTHING: Touched = Object.freeze({ sensitivity: 3, apis: 'all' });

/** What a store knows of an account at one moment. `version` changes with each api that is added; empty before the first. */
export interface TouchedRecord extends Touched {
  readonly version: string;
}

/** What a request opens on an account, and by what of it the request was judged. Times are milliseconds since the epoch. */
export interface Touch {
  /** The account, as a digest. */
  readonly key: string;
  /** In which what was read holds, and what is recorded. */
  readonly history: { readonly id: string };
  /** What is remembered until then at least is not written again; what is written is remembered until `untilMs`. */
  readonly neededUntilMs: number;
  readonly untilMs: number;
  /** 0: nothing is recorded. */
  readonly sensitivity: number;
  /** Digests, by `apiDigest`. */
  readonly apis: readonly string[];
  /** Null: by nothing. Without a version, by the sensitivity alone. */
  readonly judgedBy: { readonly sensitivity: number; readonly version: string | null } | null;
}

/** Apis of one account that are told apart; beyond, it counts as having opened all. */
export const MAX_TOUCHED_APIS = 64;
/** The most accounts that a state keeps at once, where nothing else is said. */
export const MAX_ACCOUNTS = 32_768;
/** What one account may take, in a store or in a process. */
const TOUCHED_BYTES = 4096;

/** The load of so many accounts, of which so many may be there. */
export const touchedLoad = (entries: number, limit: number): StateLoad => ({
  entries,
  limit,
  bytes: entries * TOUCHED_BYTES,
  byteLimit: limit * TOUCHED_BYTES,
});

/** What stands for the name of an api: short, whatever the inventory calls it. */
export const apiDigest = (name: string): string => hash('sha256', name, 'base64url').slice(0, 16);

/** Why these accounts cannot be written together; null where they can. */
export function misfitOf(touches: readonly Touch[]): string | null {
  if (new Set(touches.map(({ key }) => key)).size < touches.length) return 'one account is touched twice at once';
  const whole = touches.every(
    ({ neededUntilMs, untilMs }) => Number.isSafeInteger(neededUntilMs) && Number.isSafeInteger(untilMs),
  );
  return whole ? null : 'what is touched is remembered without an end';
}

/** All of them together: the highest sensitivity, every api. */
export function together(parts: Iterable<Touched>): Touched {
  let sensitivity = 0;
  let apis: ReadonlySet<string> | 'all' = UNTOUCHED.apis;
  for (const part of parts) {
    sensitivity = Math.max(sensitivity, part.sensitivity);
    if (apis === 'all' || part.apis === 'all') apis = 'all';
    else if (part.apis.size > 0) apis = apis.size === 0 ? part.apis : apis.union(part.apis);
  }
  return { sensitivity, apis };
}

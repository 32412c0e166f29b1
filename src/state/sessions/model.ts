import type { Fault } from '../../base/fault.ts';

/** Sessions of one person; beyond it the oldest one ends. */
export const MOST_OF_ONE_PERSON = 20;

/** How long one process may take to ask the provider. */
export const TURN_MS = 30_000;

/** What is kept of one session. */
export interface KeptSession {
  /** A digest of its id: whoever reads the store learns no id. */
  readonly key: string;
  /** What is known of it, as text. */
  readonly value: string;
  /** Digests by which it is found beside its key: the person's first, then that of its sign-in at the provider. */
  readonly names: readonly [string, ...string[]];
  /** When it ends in any case, in milliseconds since the epoch. */
  readonly untilMs: number;
}

/**
 * Where sessions are kept. A Fault: it is not known. Nothing here judges whether a session goes on: an entry may be there
 * for some time after its end.
 */
export interface SessionStore {
  /** Keeps one; of those of the first name that go on, the 20 that began last are kept. */
  add(session: KeptSession, nowMs: number): Promise<Fault | null>;
  /** The value; null where there is none. */
  get(key: string, nowMs: number): Promise<string | null | Fault>;
  /** Replaces the value of one that is still there; false where there is none: what ended does not begin again. */
  update(key: string, value: string, untilMs: number, nowMs: number): Promise<boolean | Fault>;
  /** Whether nobody else has the turn to ask the provider about one. It is over with `endTurn`, or after half a minute. */
  takeTurn(key: string): Promise<boolean | Fault>;
  endTurn(key: string): Promise<void>;
  /** Ends one; false where there was none. Of several calls for one key, one gets true. */
  end(key: string): Promise<boolean | Fault>;
  /** The keys under a name, of which some may have ended. */
  keysOf(name: string): Promise<readonly string[] | Fault>;
}

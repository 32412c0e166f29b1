import { Fault } from '../../base/fault.ts';
import { type KeptSession, MOST_OF_ONE_PERSON, type SessionStore } from './model.ts';

/** Sessions in all; far more than people who sign in at one process. */
const MOST = 2000;

/** Sessions in the memory of this process: with it they are gone. */
export class MemorySessions implements SessionStore {
  readonly #sessions = new Map<string, KeptSession>();
  readonly #byName = new Map<string, Set<string>>();

  async add(session: KeptSession, nowMs: number): Promise<Fault | null> {
    if (this.#sessions.size >= MOST)
      for (const { key, untilMs } of this.#sessions.values()) if (untilMs <= nowMs) this.#drop(key);
    if (this.#sessions.size >= MOST) return new Fault(`more than ${MOST} people are signed in`);
    this.#sessions.set(session.key, session);
    for (const name of session.names) this.#byName.set(name, (this.#byName.get(name) ?? new Set()).add(session.key));
    // In the order in which they began.
    const own = [...(this.#byName.get(session.names[0]) ?? [])];
    for (const key of own.slice(0, -MOST_OF_ONE_PERSON)) this.#drop(key);
    return null;
  }

  async get(key: string, nowMs: number): Promise<string | null> {
    const session = this.#sessions.get(key);
    if (session === undefined || session.untilMs > nowMs) return session?.value ?? null;
    this.#drop(key);
    return null;
  }

  async update(key: string, value: string, untilMs: number): Promise<boolean> {
    const session = this.#sessions.get(key);
    if (session !== undefined) this.#sessions.set(key, { ...session, value, untilMs });
    return session !== undefined;
  }

  /** One process asks about a session once at a time by itself. */
  async takeTurn(): Promise<true> {
    return true;
  }

  async endTurn(): Promise<void> {}

  async end(key: string): Promise<boolean> {
    return this.#drop(key);
  }

  async keysOf(name: string): Promise<readonly string[]> {
    return [...(this.#byName.get(name) ?? [])];
  }

  #drop(key: string): boolean {
    const session = this.#sessions.get(key);
    if (session === undefined) return false;
    this.#sessions.delete(key);
    for (const name of session.names) {
      const keys = this.#byName.get(name);
      keys?.delete(key);
      if (keys?.size === 0) this.#byName.delete(name);
    }
    return true;
  }
}

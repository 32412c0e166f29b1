import { Fault } from '../../base/fault.ts';
import type { Seal } from '../../base/seal.ts';
import type { Reply } from '../redis/link.ts';
import type { RedisState } from '../redis/store.ts';
import { type KeptSession, MOST_OF_ONE_PERSON, type SessionStore, TURN_MS } from './model.ts';

/** People wait for it; checks do not. */
const TIMEOUT_MS = 2000;
/** Longer than any session: then nothing is found under a name any more. */
const NAME_MS = 25 * 3_600_000;

const UNREACHED = new Fault('the store is not reached');
const OTHER = new Fault('the store answered with something else than it was asked for');

/**
 * Sessions in the store that processes share. Each is sealed, under a key that the store does not have: whoever reads there
 * learns neither who is signed in nor how, and whoever writes there can begin none. What ended can be put back by whoever
 * kept it, which serves the holder of its id alone, and until its own end.
 */
export class RedisSessions implements SessionStore {
  readonly #state: Pick<RedisState, 'link' | 'key'>;
  readonly #seal: Seal;

  constructor(state: Pick<RedisState, 'link' | 'key'>, seal: Seal) {
    this.#state = state;
    this.#seal = seal;
  }

  async add({ key, value, names, untilMs }: KeptSession, nowMs: number): Promise<Fault | null> {
    const set = await this.#call('SET', this.#keyOf(key), this.#seal.seal(value, key), 'PXAT', String(untilMs));
    if (set instanceof Fault) return set;
    for (const name of names) {
      const index = this.#indexOf(name);
      const added = await this.#call('ZADD', index, String(nowMs), key);
      const kept = added instanceof Fault ? added : await this.#call('PEXPIREAT', index, String(nowMs + NAME_MS));
      if (kept instanceof Fault) return kept;
    }
    return this.#trim(names[0]);
  }

  async get(key: string): Promise<string | null | Fault> {
    const sealed = await this.#call('GET', this.#keyOf(key));
    if (sealed === null || sealed instanceof Fault) return sealed;
    // What somebody else wrote is no session.
    return typeof sealed === 'string' ? this.#seal.open(sealed, key) : OTHER;
  }

  async update(key: string, value: string, untilMs: number): Promise<boolean | Fault> {
    const set = await this.#call('SET', this.#keyOf(key), this.#seal.seal(value, key), 'PXAT', String(untilMs), 'XX');
    return set instanceof Fault ? set : set !== null;
  }

  async takeTurn(key: string): Promise<boolean | Fault> {
    const set = await this.#call('SET', this.#turnOf(key), '1', 'PX', String(TURN_MS), 'NX');
    return set instanceof Fault ? set : set !== null;
  }

  async endTurn(key: string): Promise<void> {
    await this.#call('DEL', this.#turnOf(key));
  }

  async end(key: string): Promise<boolean | Fault> {
    const ended = await this.#call('DEL', this.#keyOf(key));
    return ended instanceof Fault ? ended : ended === 1;
  }

  async keysOf(name: string): Promise<readonly string[] | Fault> {
    const keys = await this.#call('ZRANGE', this.#indexOf(name), '0', '-1');
    return keys instanceof Fault ? keys : textsOf(keys);
  }

  /** Ends those of one person that began before the last twenty. Those that are over count for none, and are forgotten. */
  async #trim(name: string): Promise<Fault | null> {
    const keys = await this.keysOf(name);
    if (keys instanceof Fault || keys.length <= MOST_OF_ONE_PERSON) return keys instanceof Fault ? keys : null;
    const live: string[] = [];
    for (const key of keys) {
      const value = await this.get(key);
      if (value instanceof Fault) return value;
      if (value !== null) live.push(key);
    }
    const kept = new Set(live.slice(-MOST_OF_ONE_PERSON));
    for (const key of keys.filter((each) => !kept.has(each))) {
      const ended = await this.end(key);
      const removed = ended instanceof Fault ? ended : await this.#call('ZREM', this.#indexOf(name), key);
      if (removed instanceof Fault) return removed;
    }
    return null;
  }

  #keyOf(key: string): string {
    return this.#state.key(`session:${key}`);
  }

  #turnOf(key: string): string {
    return this.#state.key(`session-turn:${key}`);
  }

  #indexOf(name: string): string {
    return this.#state.key(`sessions:${name}`);
  }

  async #call(...args: readonly string[]): Promise<Reply | Fault> {
    const { link } = this.#state;
    return link === null ? UNREACHED : link.call(args, TIMEOUT_MS);
  }
}

const textsOf = (reply: Reply): readonly string[] | Fault =>
  Array.isArray(reply) && reply.every((each) => typeof each === 'string') ? (reply as readonly string[]) : OTHER;

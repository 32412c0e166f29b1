import { hash, randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Soon } from '../../base/soon.ts';
import type { LiftKeys } from '../lift-keys.ts';
import {
  type Claim,
  type ClaimResult,
  checkOf,
  type History,
  type State,
  type StateLoad,
  stateLoad,
  type Use,
} from '../model.ts';
import { type BookEvent, RedisBook, type RedisBookParts } from './book.ts';
import type { Link, Reply } from './link.ts';
import { MAX_SKEW_MS, type StoreOptions } from './options.ts';
import { ReplicaWait } from './replica-wait.ts';
import { CLAIM, GIVE_BACK } from './scripts.ts';
import { type Session, SessionKeeper } from './session.ts';
import type { StoreEvent, StoreStatus } from './status.ts';

/** How long the server may take for the first claim on a connection, in milliseconds. */
const PROBE_MS = 2000;
/** For whom the first claim on a connection is made. */
const PROBE: Use = { requestId: '', caller: '', checkPeer: null, digest: '', deadline: 0, judgedBy: '' };

/** Nothing is known yet: what is judged by it is claimed nowhere. */
const UNKNOWN: History = { id: '', sinceMs: Number.NEGATIVE_INFINITY };

export interface RedisStateParts {
  readonly options: StoreOptions;
  readonly clock: Clock;
  readonly onEvent: (event: StoreEvent) => void;
}

/**
 * The state that several sidecars share, in one Redis or Valkey. Single use holds over all of them: a claim counts only where
 * the server says that it was made in the very history by which it was judged. Whatever is no such answer in time is
 * `unavailable`; the claim may have been made then, which is the safe side.
 */
export class RedisState implements State {
  readonly #options: StoreOptions;
  readonly #clock: Clock;
  readonly #keeper: SessionKeeper;
  readonly #prefix: string;
  readonly #replicaWaits = new WeakMap<Link, ReplicaWait>();

  private constructor({ options, clock, onEvent }: RedisStateParts) {
    this.#options = options;
    this.#clock = clock;
    this.#prefix = `authz:{${options.namespace}}:`;
    this.#keeper = new SessionKeeper({
      options,
      clock,
      onEvent,
      keys: { history: this.key('history'), count: this.key('proofs') },
      probe: (session) => this.#probe(session),
    });
  }

  /** Looks for the server, and goes on doing so; resolves after the first attempt, good or bad. */
  static async start(parts: RedisStateParts): Promise<RedisState> {
    const state = new RedisState(parts);
    await state.#keeper.start();
    return state;
  }

  /** What follows other records of the same store. */
  get followed(): Pick<RedisBookParts, 'options' | 'clock' | 'primary' | 'onUnknownHistory'> {
    return {
      options: this.#options,
      clock: this.#clock,
      primary: () => this.#keeper.primary,
      onUnknownHistory: () => this.#keeper.lookSoon(),
    };
  }

  /** The revocations of the same store. */
  openBook(liftKeys: () => LiftKeys, onEvent: (event: BookEvent) => void): Promise<RedisBook> {
    return RedisBook.start({ ...this.followed, liftKeys, onEvent });
  }

  history(): History {
    return this.#keeper.session?.history ?? this.#keeper.lastHistory ?? UNKNOWN;
  }

  get load(): StateLoad | null {
    const entries = this.#keeper.status().entries;
    return entries === null ? null : stateLoad(entries, this.#options.maxEntries);
  }

  status(): StoreStatus {
    return this.#keeper.status();
  }

  /** The link in use, for what no check waits for; null while there is none. */
  get link(): Link | null {
    return this.#keeper.session?.link ?? null;
  }

  claim(claims: readonly Claim[], use: Use): Soon<ClaimResult> {
    const { session } = this.#keeper;
    if (session === null) return unavailable(`the store is not reached: ${this.#keeper.status().fault ?? 'not yet'}`);
    const keys = claims.map(({ key }) => this.#proof(key));
    if (new Set(keys).size < keys.length) return unavailable('one key is claimed twice at once');
    const ends = claims.map(endOf);
    if (!ends.every(Number.isSafeInteger)) return unavailable('the window of a key has no end');
    const judgedBy = claims[0]?.history.id;
    if (claims.some(({ history }) => history.id !== judgedBy) || judgedBy !== session.history.id)
      return unavailable('the store began a new history while this was decided');
    return this.#claim(session, claims, use, keys, ends);
  }

  giveBack(claims: readonly Claim[], use: Use): void {
    const { session } = this.#keeper;
    // What cannot be given back stays used up.
    if (session !== null) void this.#sendBack(session, claims, use, this.#options.timeoutMs);
  }

  /** Ends every connection. */
  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  async #claim(
    session: Session,
    claims: readonly Claim[],
    use: Use,
    keys: readonly string[],
    ends: readonly number[],
  ): Promise<ClaimResult> {
    const { timeoutMs, replicas } = this.#options;
    const reply = await this.#send(session, use, keys, ends, timeoutMs);
    if (reply instanceof Fault) return unavailable(reply.detail);
    const result = this.#read(reply, claims);
    if (replicas === 0 || (result.result !== 'fresh' && result.result !== 'same')) return result;
    const missing = await this.#replicaWait(session.link).confirm();
    return missing === null ? result : unavailable(missing);
  }

  #send({ link, history }: Session, use: Use, keys: readonly string[], ends: readonly number[], timeoutMs: number) {
    const all = [this.key('history'), this.key('proofs'), this.#caller(use), ...keys];
    const now = String(this.#clock.now());
    const bounds = [String(MAX_SKEW_MS), String(this.#options.maxEntries)];
    const args = [history.id, ...firstUse(use), now, ...bounds, ...ends.map(String)];
    return link.run(CLAIM, all, args, timeoutMs);
  }

  /** A claim of something that nobody else claims, given back at once: it finds what the user may not do, and a full server. */
  async #probe(session: Session): Promise<Fault | null> {
    const claim = { key: randomUUID(), history: session.history, until: this.#clock.now() };
    const claimed = await this.#send(session, PROBE, [this.#proof(claim.key)], [endOf(claim)], PROBE_MS);
    const fault = claimed instanceof Fault ? claimed : await this.#sendBack(session, [claim], PROBE, PROBE_MS);
    return fault instanceof Fault ? new Fault(`a claim cannot be made: ${fault.detail}`) : null;
  }

  #sendBack({ link }: Session, claims: readonly Claim[], use: Use, timeoutMs: number) {
    const keys = [this.key('proofs'), this.#caller(use), ...claims.map(({ key }) => this.#proof(key))];
    const args = [firstUse(use).join(' '), ...claims.map((claim) => String(endOf(claim)))];
    return link.run(GIVE_BACK, keys, args, timeoutMs);
  }

  /** One for each link: what waits for replicas counts what was written through it. */
  #replicaWait(link: Link): ReplicaWait {
    const { replicas, timeoutMs } = this.#options;
    const wait = this.#replicaWaits.get(link) ?? new ReplicaWait(link, replicas, timeoutMs);
    this.#replicaWaits.set(link, wait);
    return wait;
  }

  #read(reply: Reply, claims: readonly Claim[]): ClaimResult {
    const [word, number] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
    switch (word) {
      case 'fresh':
      case 'same':
        return { result: word };
      case 'replayed': {
        const claim = claims[Number(number) - 1];
        return claim === undefined
          ? unavailable('the store answered about another key')
          : { result: 'replayed', key: claim.key };
      }
      case 'history':
        this.#keeper.lookSoon();
        return unavailable('the store began a new history: it was emptied, restarted, or another server took over');
      case 'skew':
        this.#keeper.lookSoon();
        return unavailable(`the clock of the store differs by more than ${MAX_SKEW_MS} ms`);
      case 'ended':
        return unavailable('the window ended by the clock of the store');
      case 'full':
        return unavailable(
          `the caller would take more than ${number} of ${this.#options.maxEntries} used proofs, which is half of what the others leave`,
        );
      default:
        return unavailable('the store answered with something else');
    }
  }

  /** The whole name of a key of the namespace. */
  key(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** The hash tag is the namespace's: one proof has one place, whoever shows it. */
  #proof(key: string): string {
    return this.key(`proof:${key}`);
  }

  #caller({ caller }: Use): string {
    return this.key(`proofs:${hash('sha256', caller, 'base64url')}`);
  }
}

/** The server's clock ends a key, and may run ahead by so much. */
const endOf = ({ until }: Claim): number => Math.ceil(until + MAX_SKEW_MS);

/** The Check and its deadline, as a key has them: empty and 0 where Envoy cannot ask again. */
function firstUse(use: Use): readonly [check: string, deadline: string] {
  const check = checkOf(use);
  return check === null ? ['', '0'] : [check, String(Math.floor(use.deadline))];
}

const unavailable = (detail: string): ClaimResult => ({ result: 'unavailable', detail });

import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Soon } from '../../base/soon.ts';
import { type StateLoad, stateLoad } from '../bounded/load.ts';
import { type Touch, type TouchedRecord, touchedLoad } from '../bounded/touched.ts';
import type { LiftKeys } from '../lift-keys.ts';
import type { Claim, ClaimResult, History, State, Use } from '../model.ts';
import { type BookEvent, RedisBook } from './book.ts';
import {
  claimCall,
  giveBackCall,
  type NameKey,
  readClaim,
  readTouched,
  SHARES,
  touchedCall,
  unclaimable,
  unclaimed,
} from './claims.ts';
import type { Link } from './link.ts';
import type { StoreOptions } from './options.ts';
import { ReplicaWait } from './replica-wait.ts';
import { CLAIM, GIVE_BACK, TOUCHED } from './scripts.ts';
import { type Session, SessionKeeper } from './session.ts';
import type { FollowedStore } from './shared-records.ts';
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
  readonly #name: NameKey;
  readonly #replicaWaits = new WeakMap<Link, ReplicaWait>();

  private constructor({ options, clock, onEvent }: RedisStateParts) {
    this.#options = options;
    this.#clock = clock;
    const prefix = `authz:{${options.namespace}}:`;
    this.#name = (name) => prefix + name;
    this.#keeper = new SessionKeeper({
      options,
      clock,
      onEvent,
      keys: ['history', ...SHARES].map(this.#name),
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
  get followed(): FollowedStore & { readonly sinceMs: () => number } {
    return {
      options: this.#options,
      clock: this.#clock,
      sinceMs: () => this.history().sinceMs,
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
    return loadOf(this.#keeper.status().entries, this.#options.maxEntries);
  }

  get countLoad(): StateLoad | null {
    return loadOf(this.#keeper.status().counts, this.#options.maxCounts);
  }

  status(): StoreStatus {
    return this.#keeper.status();
  }

  /** The link in use, for what no check waits for; null while there is none. */
  get link(): Link | null {
    return this.#keeper.session?.link ?? null;
  }

  get touchedLoad(): StateLoad | null {
    const { accounts } = this.#keeper.status();
    return accounts === null ? null : touchedLoad(accounts, this.#options.maxAccounts);
  }

  async touched(keys: readonly string[]): Promise<readonly TouchedRecord[] | Fault> {
    const { session } = this.#keeper;
    if (session === null) return new Fault(this.#unreached());
    const call = touchedCall(keys, session.history, this.#clock.now(), this.#name);
    const reply = await session.link.run(TOUCHED, call.keys, call.args, this.#options.timeoutMs);
    if (reply instanceof Fault) return reply;
    const { records, moved } = readTouched(reply, keys.length);
    if (moved) this.#keeper.lookSoon();
    return records;
  }

  claim(claims: readonly Claim[], use: Use, _now?: number, touches: readonly Touch[] = []): Soon<ClaimResult> {
    const { session } = this.#keeper;
    if (session === null) return unclaimed(this.#unreached());
    const unfit = unclaimable(claims, touches);
    if (unfit !== null) return unclaimed(unfit);
    if ([...claims, ...touches].some(({ history }) => history.id !== session.history.id))
      return unclaimed('the store began a new history while this was decided');
    return this.#claim(session, claims, use, touches);
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

  #unreached(): string {
    return `the store is not reached: ${this.#keeper.status().fault ?? 'not yet'}`;
  }

  async #claim(session: Session, claims: readonly Claim[], use: Use, touches: readonly Touch[]): Promise<ClaimResult> {
    const { timeoutMs, replicas } = this.#options;
    const reply = await this.#send(session, claims, use, timeoutMs, touches);
    if (reply instanceof Fault) return unclaimed(reply.detail);
    const { result, moved } = readClaim(reply, claims);
    if (moved) this.#keeper.lookSoon();
    if (replicas === 0 || (result.result !== 'fresh' && result.result !== 'same')) return result;
    const missing = await this.#replicaWait(session.link).confirm();
    return missing === null ? result : unclaimed(missing);
  }

  #send(
    { link, history }: Session,
    claims: readonly Claim[],
    use: Use,
    timeoutMs: number,
    touches: readonly Touch[] = [],
  ) {
    const call = claimCall(claims, use, history, this.#clock.now(), this.#options, this.#name, touches);
    return link.run(CLAIM, call.keys, call.args, timeoutMs);
  }

  /** A claim of something that nobody else claims, given back at once: it finds what the user may not do, and a full server. */
  async #probe(session: Session): Promise<Fault | null> {
    const claim = { key: randomUUID(), history: session.history, until: this.#clock.now() };
    const claims = [claim, { ...claim, key: `${claim.key} count`, count: { limit: 1, member: 'probe' } }];
    const claimed = await this.#send(session, claims, PROBE, PROBE_MS);
    const fault = claimed instanceof Fault ? claimed : await this.#sendBack(session, claims, PROBE, PROBE_MS);
    return fault instanceof Fault ? new Fault(`a claim cannot be made: ${fault.detail}`) : null;
  }

  #sendBack({ link }: Session, claims: readonly Claim[], use: Use, timeoutMs: number) {
    const { keys, args } = giveBackCall(claims, use, this.#name);
    return link.run(GIVE_BACK, keys, args, timeoutMs);
  }

  /** One for each link: what waits for replicas counts what was written through it. */
  #replicaWait(link: Link): ReplicaWait {
    const { replicas, timeoutMs } = this.#options;
    const wait = this.#replicaWaits.get(link) ?? new ReplicaWait(link, replicas, timeoutMs);
    this.#replicaWaits.set(link, wait);
    return wait;
  }

  /** The whole name of a key of the namespace. */
  key(name: string): string {
    return this.#name(name);
  }
}

const loadOf = (entries: number | null, limit: number): StateLoad | null =>
  entries === null ? null : stateLoad(entries, limit);

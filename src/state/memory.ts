import {
  type Claim,
  type ClaimResult,
  checkOf,
  type History,
  type State,
  type StateLoad,
  shareOf,
  stateLoad,
  type Use,
} from './model.ts';

const SECOND = 1000;
/** The most that one claim forgets, which is far more than it adds. */
const MAX_DROPS = 1000;

/** The first use of a key, for as long as Envoy may ask again. */
interface FirstUse {
  /** Digest of all that makes two Checks the same one. */
  readonly check: string;
  readonly deadline: number;
}

/**
 * The state of one process. It remembers each key until the end of its window, and never drops one earlier: when it is
 * full, it refuses. One caller may take no more than half of what all others leave, so that none can fill it alone. What
 * is remembered ends with the process, so single use holds for one sidecar from start to stop.
 */
export class MemoryState implements State {
  readonly #maxEntries: number;
  readonly #history: History;
  /** What is used, in windows that have not ended, and by which caller. */
  readonly #used = new Map<string, string>();
  /** How many keys each caller used. */
  readonly #byCaller = new Map<string, number>();
  /** The Checks that used it, for as long as Envoy may ask again. */
  readonly #uses = new Map<string, FirstUse>();
  /** What a retry lives by too, so that it is not given back. */
  readonly #shared = new Set<string>();
  /** Keys by the second in which their window ends, in whole seconds. */
  readonly #endings = new Map<number, string[]>();
  /**
   * The latest end of a window that was forgotten, in whole seconds: of what ends no later, nobody knows any more whether it
   * was used. It never goes back, whatever the clock does; and a clock that was wrong for a while costs no more than the
   * proofs of that time.
   */
  #forgottenUntil = Number.NEGATIVE_INFINITY;

  /** `startedAtMs`: when the process started, in milliseconds since the epoch; nobody remembers what was used before. */
  constructor(options: { readonly maxEntries: number; readonly startedAtMs: number }) {
    this.#maxEntries = options.maxEntries;
    this.#history = { id: '', sinceMs: options.startedAtMs };
  }

  history(): History {
    return this.#history;
  }

  get load(): StateLoad {
    return stateLoad(this.#used.size, this.#maxEntries);
  }

  giveBack(claims: readonly Claim[]): void {
    for (const { key, until } of claims) {
      if (this.#shared.has(key)) continue;
      this.#drop(key);
      const second = Math.ceil(until / SECOND);
      const ending = this.#endings.get(second)?.filter((other) => other !== key) ?? [];
      if (ending.length === 0) this.#endings.delete(second);
      else this.#endings.set(second, ending);
    }
  }

  /** Nothing is awaited in here: that is what makes it atomic. */
  claim(claims: readonly Claim[], use: Use, now: number): ClaimResult {
    this.#forget(now);
    const keys = new Set(claims.map(({ key }) => key));
    if (keys.size < claims.length) return unavailable('one key is claimed twice at once');
    const used = claims.filter(({ key }) => this.#used.has(key));
    const [first] = used;
    if (first !== undefined) {
      const retried = used.length === claims.length && used.every(({ key }) => this.#isRetry(key, use, now));
      if (!retried) return { result: 'replayed', key: first.key };
      for (const { key } of used) this.#shared.add(key);
      return { result: 'same' };
    }
    if (!claims.every(({ until }) => this.#isRemembered(until)))
      return unavailable('the window ended before what is remembered begins; did the clock go back?');
    const full = this.#fault(use.caller, claims.length);
    if (full !== null) return unavailable(full);
    for (const { key, until } of claims) this.#remember(key, until, use);
    return { result: 'fresh' };
  }

  /** Why this caller may not use so many keys more, or null. */
  #fault(caller: string, more: number): string | null {
    if (this.#used.size + more > this.#maxEntries) return `more than ${this.#maxEntries} keys are remembered`;
    const own = this.#byCaller.get(caller) ?? 0;
    const share = shareOf(this.#maxEntries, this.#used.size - own);
    return own + more > share ? `the caller would take more than ${share} of ${this.#maxEntries} keys` : null;
  }

  /** Envoy's own retry of one Check is the same use, within the time in which Envoy still waits for the first answer. */
  #isRetry(key: string, use: Use, now: number): boolean {
    const first = this.#uses.get(key);
    return first !== undefined && now <= first.deadline && first.check === checkOf(use);
  }

  #isRemembered(until: number): boolean {
    return Number.isFinite(until) && Math.ceil(until / SECOND) > this.#forgottenUntil;
  }

  #remember(key: string, until: number, use: Use): void {
    this.#used.set(key, use.caller);
    this.#byCaller.set(use.caller, (this.#byCaller.get(use.caller) ?? 0) + 1);
    const check = checkOf(use);
    if (check !== null) this.#uses.set(key, { check, deadline: use.deadline });
    const second = Math.ceil(until / SECOND);
    const ending = this.#endings.get(second);
    if (ending === undefined) this.#endings.set(second, [key]);
    else ending.push(key);
  }

  /** Drops what has ended, some of it at a time: many windows may end in one second, and no claim shall wait for all. */
  #forget(now: number): void {
    const second = Math.floor(now / SECOND);
    let left = MAX_DROPS;
    for (const [end, keys] of this.#endings) {
      if (end >= second) continue;
      this.#forgottenUntil = Math.max(this.#forgottenUntil, end);
      const dropped = keys.splice(-left);
      for (const key of dropped) this.#drop(key);
      if (keys.length > 0) return;
      left -= dropped.length;
      this.#endings.delete(end);
      if (left === 0) return;
    }
    for (const [key, { deadline }] of this.#uses) {
      if (now <= deadline || --left < 0) return;
      this.#uses.delete(key);
    }
  }

  #drop(key: string): void {
    const caller = this.#used.get(key);
    this.#used.delete(key);
    this.#uses.delete(key);
    this.#shared.delete(key);
    if (caller === undefined) return;
    const left = (this.#byCaller.get(caller) ?? 0) - 1;
    if (left > 0) this.#byCaller.set(caller, left);
    else this.#byCaller.delete(caller);
  }
}

const unavailable = (detail: string): ClaimResult => ({ result: 'unavailable', detail });

import type { Claim, ClaimResult, State, Use } from './model.ts';

const SECOND = 1000;

/**
 * The state of one process. It remembers each key until the end of its window, and never drops one earlier: when it is
 * full, it refuses. What is remembered ends with the process, so single use holds for one sidecar from start to stop.
 */
export class MemoryState implements State {
  readonly #maxEntries: number;
  /** What is used, in windows that have not ended. */
  readonly #used = new Set<string>();
  /** The Checks that used it, for as long as Envoy may ask again. */
  readonly #uses = new Map<string, Use>();
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
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly maxEntries: number }) {
    this.#maxEntries = options.maxEntries;
  }

  /** How many keys are remembered, and how many may be. */
  get load(): { readonly entries: number; readonly limit: number } {
    return { entries: this.#used.size, limit: this.#maxEntries };
  }

  claim(claims: readonly Claim[], use: Use, now: number): Promise<ClaimResult> {
    return Promise.resolve(this.#claim(claims, use, now));
  }

  giveBack(claims: readonly Claim[]): Promise<void> {
    for (const { key, until } of claims) {
      if (this.#shared.has(key)) continue;
      this.#drop(key);
      const second = Math.ceil(until / SECOND);
      const ending = this.#endings.get(second)?.filter((other) => other !== key) ?? [];
      if (ending.length === 0) this.#endings.delete(second);
      else this.#endings.set(second, ending);
    }
    return Promise.resolve();
  }

  /** Nothing is awaited in here: that is what makes it atomic. */
  #claim(claims: readonly Claim[], use: Use, now: number): ClaimResult {
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
    if (this.#used.size + claims.length > this.#maxEntries)
      return unavailable(`more than ${this.#maxEntries} keys are remembered`);
    for (const { key, until } of claims) this.#remember(key, until, use);
    return { result: 'fresh' };
  }

  /** Envoy's own retry of one Check is the same use, within the time in which Envoy still waits for the first answer. */
  #isRetry(key: string, use: Use, now: number): boolean {
    const first = this.#uses.get(key);
    if (first === undefined || now > first.deadline) return false;
    return (
      first.requestId === use.requestId &&
      first.checkPeer === use.checkPeer &&
      first.digest === use.digest &&
      first.judgedBy === use.judgedBy
    );
  }

  #isRemembered(until: number): boolean {
    return Number.isFinite(until) && Math.ceil(until / SECOND) > this.#forgottenUntil;
  }

  #remember(key: string, until: number, use: Use): void {
    this.#used.add(key);
    if (use.requestId !== '' && Number.isFinite(use.deadline)) this.#uses.set(key, use);
    const second = Math.ceil(until / SECOND);
    const ending = this.#endings.get(second);
    if (ending === undefined) this.#endings.set(second, [key]);
    else ending.push(key);
  }

  /** Once a second at most; windows are short, so there are few seconds to look at. */
  #forget(now: number): void {
    const second = Math.floor(now / SECOND);
    if (second === this.#lookedAt) return;
    this.#lookedAt = second;
    for (const [end, keys] of this.#endings) {
      if (end >= second) continue;
      for (const key of keys) this.#drop(key);
      this.#endings.delete(end);
      this.#forgottenUntil = Math.max(this.#forgottenUntil, end);
    }
    for (const [key, { deadline }] of this.#uses) if (now > deadline) this.#uses.delete(key);
  }

  #drop(key: string): void {
    this.#used.delete(key);
    this.#uses.delete(key);
    this.#shared.delete(key);
  }
}

const unavailable = (detail: string): ClaimResult => ({ result: 'unavailable', detail });

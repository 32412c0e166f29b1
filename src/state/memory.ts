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
  /** Keys by the second in which their window ends, in whole seconds. */
  readonly #endings = new Map<number, string[]>();
  /** Windows that end before this second are forgotten. It never goes back, whatever the clock does. */
  #forgottenBefore = 0;

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

  /** Nothing is awaited in here: that is what makes it atomic. */
  #claim(claims: readonly Claim[], use: Use, now: number): ClaimResult {
    this.#forget(now);
    const keys = new Set(claims.map(({ key }) => key));
    if (keys.size < claims.length) return unavailable('one key is claimed twice at once');
    const used = claims.filter(({ key }) => this.#used.has(key));
    const [first] = used;
    if (first !== undefined) {
      const retried = used.length === claims.length && used.every(({ key }) => this.#isRetry(key, use, now));
      return retried ? { result: 'same' } : { result: 'replayed', key: first.key };
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
    return Number.isFinite(until) && Math.ceil(until / SECOND) >= this.#forgottenBefore;
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
    if (second <= this.#forgottenBefore) return;
    this.#forgottenBefore = second;
    for (const [end, keys] of this.#endings) {
      if (end >= second) continue;
      for (const key of keys) {
        this.#used.delete(key);
        this.#uses.delete(key);
      }
      this.#endings.delete(end);
    }
    for (const [key, { deadline }] of this.#uses) if (now > deadline) this.#uses.delete(key);
  }
}

const unavailable = (detail: string): ClaimResult => ({ result: 'unavailable', detail });

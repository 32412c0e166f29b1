/** Lines a second for calls of nobody that is known, and for refused calls of callers that are. */
const LIMITS = { stranger: 10, caller: 50 } as const;

/**
 * Bounds the lines that refused calls get in the audit, so that nobody can fill a disk without a right: of those beyond,
 * one line a second tells how many there were. Callers that are proven have a bound of their own, which no stranger uses up.
 */
export class RefusedLines {
  readonly #told: (calls: number) => void;
  readonly #now: () => number;
  readonly #counts = { stranger: 0, caller: 0 };
  #second = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | null = null;

  /** `told` writes how many got none. `now` is in milliseconds, and never goes back. */
  constructor(told: (calls: number) => void, now: () => number = () => performance.now()) {
    this.#told = told;
    this.#now = now;
  }

  /** Whether this refused call gets a line of its own. */
  take(by: keyof typeof LIMITS): boolean {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#counts.stranger = 0;
      this.#counts.caller = 0;
    }
    if (++this.#counts[by] <= LIMITS[by]) return true;
    this.#dropped++;
    this.#timer ??= setTimeout(() => this.flush(), 1000).unref();
    return false;
  }

  /** Tells now of what was not told yet. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#dropped > 0) this.#told(this.#dropped);
    this.#dropped = 0;
  }
}

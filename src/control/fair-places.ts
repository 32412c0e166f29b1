/** How many places there are, and how many of them one holder may have. */
export interface PlaceLimits {
  readonly all: number;
  readonly one: number;
}

/**
 * Places that are few, shared fairly: when all are taken, whoever would have the fewest gets one of whoever has the most, as
 * long as that leaves the other no worse off. So a few who take all that they may keep nobody out.
 */
export class FairPlaces<T> {
  readonly #limits: PlaceLimits;
  readonly #onLost: (held: T) => void;
  /** What each holds, the oldest first. */
  readonly #of = new Map<string, Set<T>>();
  #size = 0;

  /** `onLost` is told of what has lost its place to somebody else. */
  constructor(limits: PlaceLimits, onLost: (held: T) => void) {
    this.#limits = limits;
    this.#onLost = onLost;
  }

  /** How many are taken. */
  get size(): number {
    return this.#size;
  }

  isHolder(holder: string): boolean {
    return this.#of.has(holder);
  }

  *held(): Iterable<T> {
    for (const all of this.#of.values()) yield* all;
  }

  /** Takes a place; false: there is none for this holder. The work is bounded by the number of places. */
  take(holder: string, held: T): boolean {
    const own = this.#of.get(holder)?.size ?? 0;
    if (own >= this.#limits.one) return false;
    if (this.#size >= this.#limits.all && !this.#makeRoom(own + 1)) return false;
    this.#of.set(holder, (this.#of.get(holder) ?? new Set()).add(held));
    this.#size++;
    return true;
  }

  /** Gives a place back; what has lost it, or never had one, changes nothing. */
  leave(holder: string, held: T): void {
    const own = this.#of.get(holder);
    if (own?.delete(held) !== true) return;
    this.#size--;
    if (own.size === 0) this.#of.delete(holder);
  }

  /** Takes the oldest of whoever has the most, where that is more than `wanted`. */
  #makeRoom(wanted: number): boolean {
    let [most, richest] = [wanted, ''];
    for (const [holder, { size }] of this.#of) if (size > most) [most, richest] = [size, holder];
    if (most === wanted) return false;
    const [oldest] = this.#of.get(richest) as Iterable<T> as [T];
    this.leave(richest, oldest);
    this.#onLost(oldest);
    return true;
  }
}

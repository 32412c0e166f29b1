/** Something that is waited for, and what happens when it is late. */
interface Waiting {
  /** By `performance.now()`. */
  readonly due: number;
  readonly late: () => void;
}

/**
 * One timer for all that wait: it is set for the first that is due, and looked at again only then. Hardly any of them
 * is ever late, so hardly any gets a timer of its own.
 */
class Deadlines {
  /**
   * Each in a place of its own, which is used again. Not a Set: what is added and deleted all the time gives it a new table
   * again and again, each old one holds on to the next, and so what waited survives as garbage until the heap is swept.
   */
  readonly #places: (Waiting | null)[] = [];
  readonly #free: number[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** When the timer runs out. */
  #set = Number.POSITIVE_INFINITY;

  /** Gives its place. */
  add(one: Waiting): number {
    const place = this.#free.pop() ?? this.#places.length;
    this.#places[place] = one;
    if (one.due < this.#set) this.#arm(one.due);
    else if (this.#waiting === 1) this.#timer?.ref();
    return place;
  }

  /** Nothing when it was late already: its place may be another's. */
  delete(place: number, one: Waiting): void {
    if (this.#places[place] !== one) return;
    this.#places[place] = null;
    this.#free.push(place);
    // A timer without anything to wait for keeps no process alive.
    if (this.#waiting === 0) this.#timer?.unref();
  }

  get #waiting(): number {
    return this.#places.length - this.#free.length;
  }

  #arm(due: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#set = due;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, due - performance.now()));
  }

  #run(): void {
    this.#timer = null;
    this.#set = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    const late: Waiting[] = [];
    for (const [place, one] of this.#places.entries()) {
      if (one === null) continue;
      if (one.due > now) {
        next = Math.min(next, one.due);
        continue;
      }
      this.delete(place, one);
      late.push(one);
    }
    for (const one of late.toSorted((a, b) => a.due - b.due)) one.late();
    if (next < this.#set) this.#arm(next);
  }
}

const deadlines = new Deadlines();

/** What `promise` gives, or `late()` where that takes longer than `ms` milliseconds. */
export function within<T, L>(promise: Promise<T>, ms: number, late: () => L): Promise<T | L> {
  return new Promise<T | L>((resolve, reject) => {
    const waiting: Waiting = {
      due: performance.now() + (Math.max(0, ms) || 0),
      late: () => {
        try {
          resolve(late());
        } catch (error) {
          reject(error);
        }
      },
    };
    const place = deadlines.add(waiting);
    promise.then(
      (value) => {
        deadlines.delete(place, waiting);
        resolve(value);
      },
      (error: unknown) => {
        deadlines.delete(place, waiting);
        reject(error);
      },
    );
  });
}

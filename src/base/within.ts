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
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | null = null;
  /** When the timer runs out. */
  #set = Number.POSITIVE_INFINITY;

  add(one: Waiting): void {
    this.#waiting.add(one);
    if (one.due < this.#set) this.#arm(one.due);
    else if (this.#waiting.size === 1) this.#timer?.ref();
  }

  delete(one: Waiting): void {
    this.#waiting.delete(one);
    // A timer without anything to wait for keeps no process alive.
    if (this.#waiting.size === 0) this.#timer?.unref();
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
    for (const one of this.#waiting) {
      if (one.due > now) {
        next = Math.min(next, one.due);
        continue;
      }
      this.#waiting.delete(one);
      one.late();
    }
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
    deadlines.add(waiting);
    promise.then(
      (value) => {
        deadlines.delete(waiting);
        resolve(value);
      },
      (error: unknown) => {
        deadlines.delete(waiting);
        reject(error);
      },
    );
  });
}

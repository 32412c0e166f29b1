/** Calls that are answered at one time: in all, and of one caller. */
const MOST = 32;
const MOST_OF_ONE = 8;
/** Of all, those that are left for callers without another call, and for no token. */
const LEFT = 8;

/** Bounds the calls that are answered at one time, so that no caller keeps the others waiting. */
export class Inflight {
  readonly #of = new Map<string, number>();
  #all = 0;

  get size(): number {
    return this.#all;
  }

  /**
   * Lets one call in: what is called at its end. Null: it has to come again. `yields`: it leaves the last places to others,
   * as the calls of agents for tokens do to an order that revokes one of them.
   */
  enter(caller: string, yields: boolean): (() => void) | null {
    const own = this.#of.get(caller) ?? 0;
    const isFew = this.#all >= MOST - LEFT;
    if (this.#all >= MOST || own >= MOST_OF_ONE || (isFew && (yields || own > 0))) return null;
    this.#all++;
    this.#of.set(caller, own + 1);
    return () => {
      this.#all--;
      const left = (this.#of.get(caller) ?? 1) - 1;
      if (left === 0) this.#of.delete(caller);
      else this.#of.set(caller, left);
    };
  }
}

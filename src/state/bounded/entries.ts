import { type StateLoad, shareOf, stateLoad } from './load.ts';

interface Entry {
  readonly owner: string;
  readonly slot: number;
}

/**
 * What a process remembers until it ends, and on whose account: bounded in all, and for each owner by half of what the
 * others leave. Nothing is dropped before its end, and what was dropped is known to be unknown.
 */
export class Entries {
  readonly #limit: number;
  readonly #slotMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #byOwner = new Map<string, number>();
  /** By the slot in which they end. */
  readonly #endings = new Map<number, Set<string>>();
  /**
   * The latest slot that was forgotten: of what ends no later, nobody knows any more whether it was there. It never goes
   * back, whatever the clock does; and a clock that was wrong for a while costs no more than what ends in that time.
   */
  #forgottenUntil = Number.NEGATIVE_INFINITY;

  /** `slotMs`: an entry is dropped up to twice as long after its end. */
  constructor(limit: number, slotMs: number) {
    this.#limit = limit;
    this.#slotMs = slotMs;
  }

  get load(): StateLoad {
    return stateLoad(this.#entries.size, this.#limit);
  }

  has(entry: string): boolean {
    return this.#entries.has(entry);
  }

  /** Whether it is known of all that ends then if it is there. */
  remembers(until: number): boolean {
    return this.#slotOf(until) > this.#forgottenUntil;
  }

  /** Why this owner may not have so many more, or null. */
  fault(owner: string, more: number): string | null {
    if (more === 0) return null;
    const own = this.#byOwner.get(owner) ?? 0;
    const share = shareOf(this.#limit, this.#entries.size - own);
    return own + more > share ? `the caller would take more than ${share} of ${this.#limit} keys` : null;
  }

  add(entry: string, owner: string, until: number): void {
    this.remove(entry);
    const slot = this.#slotOf(until);
    this.#entries.set(entry, { owner, slot });
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? 0) + 1);
    const ending = this.#endings.get(slot);
    if (ending === undefined) this.#endings.set(slot, new Set([entry]));
    else ending.add(entry);
  }

  /** Drops one before its end. */
  remove(entry: string): void {
    const known = this.#entries.get(entry);
    if (known === undefined) return;
    const { owner, slot } = known;
    this.#entries.delete(entry);
    const left = (this.#byOwner.get(owner) ?? 0) - 1;
    if (left > 0) this.#byOwner.set(owner, left);
    else this.#byOwner.delete(owner);
    const ending = this.#endings.get(slot);
    ending?.delete(entry);
    if (ending?.size === 0) this.#endings.delete(slot);
  }

  /** Drops what has ended, at most so many: many may end in one slot, and nobody shall wait for all. */
  forget(now: number, most: number): readonly string[] {
    const slot = Math.floor(now / this.#slotMs);
    const dropped: string[] = [];
    for (const [end, entries] of this.#endings) {
      if (end >= slot) continue;
      this.#forgottenUntil = Math.max(this.#forgottenUntil, end);
      for (const entry of entries) {
        if (dropped.length === most) return dropped;
        this.remove(entry);
        dropped.push(entry);
      }
    }
    return dropped;
  }

  #slotOf(until: number): number {
    return Math.ceil(until / this.#slotMs);
  }
}

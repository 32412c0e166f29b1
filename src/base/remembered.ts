/** How full a memory is. */
export interface RememberedLoad {
  readonly entries: number;
  readonly bytes: number;
  readonly byteLimit: number;
}

interface Generation<V> {
  readonly values: Map<string, V>;
  bytes: number;
}

/** What an entry takes besides its key and its value: measured, and rounded up. */
const ENTRY_BYTES = 200;

/**
 * Values by long keys, bounded in bytes: two generations of half of it each, and what was not asked for over a whole one is
 * forgotten. Reading costs one look-up and moves nothing.
 */
export class Remembered<V> {
  readonly #limit: number;
  #young: Generation<V> = { values: new Map(), bytes: 0 };
  #old: Generation<V> = { values: new Map(), bytes: 0 };
  readonly #bytesOf: (value: V) => number;

  constructor(bytes: number, bytesOf: (value: V) => number) {
    this.#limit = bytes / 2;
    this.#bytesOf = bytesOf;
  }

  /** How many there are, and what keys and values count as together: never more bytes than the limit. */
  get load(): RememberedLoad {
    const [young, old] = [this.#young, this.#old];
    const entries = young.values.size + old.values.size;
    return { entries, bytes: young.bytes + old.bytes, byteLimit: this.#limit * 2 };
  }

  get(key: string): V | undefined {
    const young = this.#young.values.get(key);
    if (young !== undefined) return young;
    const old = this.#old.values.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    // A text takes two bytes a unit where it holds anything but Latin-1.
    const bytes = key.length * 2 + ENTRY_BYTES + this.#bytesOf(value);
    if (bytes > this.#limit) return;
    this.#young.bytes += bytes;
    if (this.#young.bytes > this.#limit) {
      this.#old = this.#young;
      this.#old.bytes -= bytes;
      this.#young = { values: new Map(), bytes };
    }
    this.#young.values.set(key, value);
  }
}

/** What a list of ids takes. */
export const bytesOfIds = (ids: readonly string[]): number => ids.reduce((sum, id) => sum + id.length + 16, 0);

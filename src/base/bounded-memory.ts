interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
  /** Since it was last passed over. */
  asked: boolean;
}

/**
 * What is remembered by a key, within a number of bytes and of entries: the oldest that nobody asked for since it was last
 * passed over is forgotten first. Reading moves nothing: an order that each look-up changes costs a new table again and again.
 */
export class BoundedMemory<V> {
  readonly byteLimit: number;
  /** The next to be looked at first. */
  readonly #entries = new Map<string, Entry<V>>();
  #bytes = 0;

  readonly #entryLimit: number;
  readonly #onForget: (key: string, value: V) => void;

  /** `onForget` is told of each entry that is no more. */
  constructor(byteLimit: number, entryLimit = Infinity, onForget: (key: string, value: V) => void = () => {}) {
    this.byteLimit = byteLimit;
    this.#entryLimit = entryLimit;
    this.#onForget = onForget;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What the entries count as together: never more than `byteLimit`. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.asked = true;
    return entry.value;
  }

  /**
   * Remembers a value that counts as so many bytes, in place of what the key had. One beyond the limit is not remembered:
   * then it gives false.
   */
  set(key: string, value: V, bytes: number): boolean {
    this.delete(key);
    if (!(bytes <= this.byteLimit)) return false;
    this.#entries.set(key, { value, bytes, asked: false });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.byteLimit && this.#entries.size <= this.#entryLimit) break;
      if (!entry.asked) {
        this.delete(oldest);
        continue;
      }
      entry.asked = false;
      this.#entries.delete(oldest);
      this.#entries.set(oldest, entry);
    }
    return true;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.#onForget(key, entry.value);
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.delete(key);
  }
}

interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
}

/** What is remembered by a key, within a number of bytes: what was not asked for the longest is forgotten first. */
export class BoundedMemory<V> {
  readonly byteLimit: number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry<V>>();
  #bytes = 0;

  constructor(byteLimit: number) {
    this.byteLimit = byteLimit;
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
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Remembers a value that counts as so many bytes, in place of what the key had. One beyond the limit is not remembered. */
  set(key: string, value: V, bytes: number): void {
    this.delete(key);
    if (!(bytes <= this.byteLimit)) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.byteLimit) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}

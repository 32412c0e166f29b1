import { randomInt } from 'node:crypto';

const NONE = -1;
const FIRST_BUCKETS = 1024;

/** Nobody can choose texts of the same hash beforehand. */
const seed = randomInt(2 ** 32);

/** 32 bits of a text, other ones in each process. */
export function bucketHash(text: string): number {
  let hash = seed;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/** Numbers of entries by a hash: small beside a Map of strings. */
export class HashChains {
  #heads = new Int32Array(FIRST_BUCKETS).fill(NONE);
  #next = new Int32Array(FIRST_BUCKETS);
  #hashes = new Uint32Array(FIRST_BUCKETS);

  add(hash: number, entry: number): void {
    if (entry >= this.#next.length) this.#grow();
    this.#hashes[entry] = hash;
    this.#link(hash, entry);
  }

  remove(entry: number): void {
    const bucket = this.#hashes[entry]! & (this.#heads.length - 1);
    let at = this.#heads[bucket]!;
    if (at === entry) this.#heads[bucket] = this.#next[entry]!;
    else {
      while (this.#next[at] !== entry) at = this.#next[at]!;
      this.#next[at] = this.#next[entry]!;
    }
  }

  /** The first entry of this hash after another one, or of all; -1: there is none. */
  after(hash: number, entry = NONE): number {
    let at = entry === NONE ? this.#heads[hash & (this.#heads.length - 1)]! : this.#next[entry]!;
    while (at !== NONE && this.#hashes[at] !== hash) at = this.#next[at]!;
    return at;
  }

  #link(hash: number, entry: number): void {
    const bucket = hash & (this.#heads.length - 1);
    this.#next[entry] = this.#heads[bucket]!;
    this.#heads[bucket] = entry;
  }

  /** Twice as many buckets and entries, linked anew. */
  #grow(): void {
    const [heads, next] = [this.#heads, this.#next];
    const size = 2 * next.length;
    this.#heads = new Int32Array(size).fill(NONE);
    this.#next = new Int32Array(size);
    const hashes = new Uint32Array(size);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    for (let at of heads)
      while (at !== NONE) {
        this.#link(hashes[at]!, at);
        at = next[at]!;
      }
  }
}

import { mixed } from './hash.ts';

/** A set of hashes in some words of `bits`: where they begin, how many they are (a power of two), and bits for each member. */
export interface BloomPlace {
  readonly at: number;
  readonly words: number;
  readonly hashes: number;
}

/**
 * Whether the hash may be in the set (Bloom 1970). Never false for a member; true for others with the probability
 * (1 − e^(−k·n/m))^k, for n members, m bits and k hashes.
 */
export function mayHold(bits: Uint32Array, base: number, { at, words, hashes }: BloomPlace, hash: number): boolean {
  const step = mixed(hash) | 1;
  for (let n = 0, bit = hash; n < hashes; n++, bit = (bit + step) | 0) {
    const place = bit & (words * 32 - 1);
    if (((bits[base + at + (place >>> 5)]! >>> (place & 31)) & 1) === 0) return false;
  }
  return true;
}

export function addToBloom(bits: Uint32Array, base: number, { at, words, hashes }: BloomPlace, hash: number): void {
  const step = mixed(hash) | 1;
  for (let n = 0, bit = hash; n < hashes; n++, bit = (bit + step) | 0) {
    const place = bit & (words * 32 - 1);
    const word = base + at + (place >>> 5);
    bits[word] = bits[word]! | (1 << (place & 31));
  }
}

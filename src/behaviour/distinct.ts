/** Words of one count of distinct things. */
export const DISTINCT_WORDS = 8;
const BITS = DISTINCT_WORDS * 32;

/**
 * How many distinct hashes came, by one bit for each of 256 values (linear counting, Whang et al. 1990): a standard error of
 * 5 % at 200. Notes one, in the words from `at` on, and returns the estimate with it.
 */
export function countDistinct(bits: Uint32Array, at: number, hash: number): number {
  const place = hash & (BITS - 1);
  const word = at + (place >>> 5);
  bits[word] = bits[word]! | (1 << (place & 31));
  return distinct(bits, at);
}

/** The estimate; at most 1420, where every bit is set. */
export function distinct(bits: Uint32Array, at: number): number {
  let set = 0;
  for (let word = at; word < at + DISTINCT_WORDS; word++) set += ones(bits[word]!);
  return set === 0 ? 0 : -BITS * Math.log(1 - Math.min(set, BITS - 1) / BITS);
}

function ones(word: number): number {
  let value = word - ((word >>> 1) & 0x55555555);
  value = (value & 0x33333333) + ((value >>> 2) & 0x33333333);
  return Math.imul((value + (value >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Relative error of every value. */
const ERROR = 0.1;
const GAMMA = (1 + ERROR) / (1 - ERROR);
const LOG_GAMMA = Math.log(GAMMA);

/** Buckets of one sketch: it tells apart values from 1 to 7.6 million. */
export const SKETCH_BUCKETS = 80;

/**
 * How great positive values were, within 10 %, in 320 bytes (DDSketch, Masson, Rim and Lee 2019): a
 * histogram whose buckets grow by a constant factor. Each function works on the buckets of `sketches` from `at` on.
 * Values below 1 are not counted, and those beyond the last bucket are counted in it.
 */
export function addToSketch(sketches: Float32Array, at: number, value: number): void {
  if (!(value >= 1)) return;
  const bucket = Math.min(SKETCH_BUCKETS - 1, Math.ceil(Math.log(value) / LOG_GAMMA));
  sketches[at + bucket] = sketches[at + bucket]! + 1;
}

/** The greatest value of which at least the share `left` of one is left after fading; 0 where there is none. */
export function greatest(sketches: Float32Array, at: number, left: number): number {
  for (let bucket = SKETCH_BUCKETS - 1; bucket >= 0; bucket--)
    if (sketches[at + bucket]! >= left) return middleOf(bucket);
  return 0;
}

/** Lets what was counted count by `factor`, so that what comes later counts more. */
export function fadeSketch(sketches: Float32Array, at: number, factor: number): void {
  for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++) {
    const left = sketches[at + bucket]! * factor;
    sketches[at + bucket] = left < FORGOTTEN ? 0 : left;
  }
}

/** Adds what another sketch counted, by `factor`. */
export function mergeSketch(to: Float32Array, at: number, from: Float32Array, fromAt: number, factor: number): void {
  for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++)
    to[at + bucket] = to[at + bucket]! + from[fromAt + bucket]! * factor;
}

/** What is left of one value after 50 days at a tenth a day less. */
const FORGOTTEN = 0.005;

const middleOf = (bucket: number): number => (2 * GAMMA ** bucket) / (1 + GAMMA);

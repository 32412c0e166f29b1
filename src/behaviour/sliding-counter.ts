/** Numbers of one counter: which bucket it is in, how much came in that one, and in the one before. */
export const COUNTER_NUMBERS = 3;

/**
 * How many came in the last `widthMs`, by two buckets: exact where they come evenly, and never off by more than came in the
 * bucket before. Each function works on the numbers of one counter, from `at` on. Goes on to the time `tMs`, and returns how
 * many came in the bucket that ended by it; 0 where none ended.
 */
export function advance(numbers: Float64Array, at: number, tMs: number, widthMs: number): number {
  const bucket = Math.floor(tMs / widthMs);
  const before = numbers[at]!;
  if (bucket === before) return 0;
  const ended = numbers[at + 1]!;
  numbers[at] = bucket;
  numbers[at + 1] = 0;
  numbers[at + 2] = bucket === before + 1 ? ended : 0;
  return ended;
}

/** Counts one, and returns the estimate with it. `advance` to the same time comes before. */
export function countOne(numbers: Float64Array, at: number, tMs: number, widthMs: number): number {
  const current = numbers[at + 1]! + 1;
  numbers[at + 1] = current;
  return current + numbers[at + 2]! * (1 - (tMs / widthMs - numbers[at]!));
}

/** The estimate at the time `tMs`, with nothing counted. */
export function estimate(numbers: Float64Array, at: number, tMs: number, widthMs: number): number {
  const behind = Math.floor(tMs / widthMs) - numbers[at]!;
  const left = 1 - (tMs / widthMs - Math.floor(tMs / widthMs));
  if (behind === 0) return numbers[at + 1]! + numbers[at + 2]! * left;
  return behind === 1 ? numbers[at + 1]! * left : 0;
}

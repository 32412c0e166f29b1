/** What a cumulative sum holds in `numbers` from its place on: the usual share of hits, the sum, and what came since it was 0. */
const [USUAL, SUM, HITS, RUN] = [0, 1, 2, 3];
export const CUSUM_NUMBERS = 4;

/** The sum from which it is an alarm: on average once in a million requests, where hits are no more frequent than thought. */
export const ALARM = Math.log(1e6);

/** How fast the usual share follows what comes: over some 4,000 requests. */
const FOLLOWS = 0.0005;

/**
 * Whether hits became more frequent than they used to be (CUSUM, Page 1954): the largest sum of log likelihood ratios over
 * the last requests, however many. `usual` bounds the share that is thought usual: twice what was learned, within these.
 * The share that is looked for is four times as much, and at least `wanted`.
 */
export interface CusumPlan {
  readonly at: number;
  readonly usual: readonly [least: number, most: number];
  readonly wanted: number;
  /** The sum grows no further than this many alarms, so that it ends in bounded time. */
  readonly cap: number;
}

/** Counts one request; a hit counts by `weight`. */
export function countHit(numbers: Float64Array, base: number, plan: CusumPlan, isHit: boolean, weight = 1): void {
  const at = base + plan.at;
  const [least, most] = plan.usual;
  const usual = Math.min(most, Math.max(least, 2 * numbers[at + USUAL]!));
  const wanted = Math.min(0.9, Math.max(plan.wanted, 4 * usual));
  const step = isHit ? weight * Math.log(wanted / usual) : Math.log((1 - wanted) / (1 - usual));
  const sum = Math.min(ALARM * plan.cap, numbers[at + SUM]! + step);
  if (sum <= 0) {
    numbers[at + SUM] = 0;
    numbers[at + HITS] = 0;
    numbers[at + RUN] = 0;
    return;
  }
  numbers[at + SUM] = sum;
  numbers[at + HITS] = numbers[at + HITS]! + Number(isHit);
  numbers[at + RUN] = numbers[at + RUN]! + 1;
}

/** Learns how frequent hits are. */
export function learnHit(numbers: Float64Array, base: number, { at }: CusumPlan, isHit: boolean): void {
  const usual = numbers[base + at + USUAL]!;
  numbers[base + at + USUAL] = usual + (Number(isHit) - usual) * FOLLOWS;
}

/** By how many alarms the sum is beyond the first one; 0 below it. */
export const beyondAlarm = (numbers: Float64Array, base: number, { at }: CusumPlan): number =>
  Math.max(0, numbers[base + at + SUM]! / ALARM - 1);

/** What a person can check: so many hits in so many requests, and the share that is usual. */
export const hitNumbers = (numbers: Float64Array, base: number, { at }: CusumPlan) => ({
  hits: numbers[base + at + HITS]!,
  requests: numbers[base + at + RUN]!,
  usual: numbers[base + at + USUAL]!,
});

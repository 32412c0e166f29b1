import type { Spent } from './load/drive.ts';

/** Minimum, median and maximum. */
export type Spread = readonly [min: number, median: number, max: number];

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
}

/** CPU microseconds of the server for each check. */
export function micros({ cpuMs, checks }: Spent): number {
  return (cpuMs * 1000) / checks;
}

/** How much more one costs than another: the median of the rounds, each of which measured both side by side. */
export function ratio(mine: readonly Spent[], theirs: readonly Spent[]): number {
  return spread(mine.map((one, round) => micros(one) / micros(theirs[round]!)))[1];
}

/** The value below which this share of the sorted values lies. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** A number rounded for the record. */
export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

import type { Spent } from './contenders.ts';

/** Minimum, median and maximum. */
export function spread(values: readonly number[]): readonly [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
}

/** CPU microseconds of the server for each check: minimum, median and maximum over the rounds. */
export function micros(rounds: readonly Spent[]): readonly [number, number, number] {
  return spread(rounds.map((one) => (one.cpuMs * 1000) / one.checks));
}

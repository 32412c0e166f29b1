/** When revocations end, and up to when they hit what was issued. */
export interface TimesOfRows {
  untilMs(row: number): number;
  /** Infinity where it hits all, whenever they were issued. */
  issuedUpToMs(row: number): number;
}

/**
 * Adds a row to those of its subject that can decide anything, in the order of their ends: the later one of them ends, the
 * less it hits. A row that ends no later than another one, and hits no more, decides nothing while that one stands.
 */
export function addToFront(front: number[], row: number, times: TimesOfRows): void {
  const [untilMs, upToMs] = [times.untilMs(row), times.issuedUpToMs(row)];
  const place = firstAfter(front, (other) => times.untilMs(other) >= untilMs);
  const next = front[place];
  if (next !== undefined && times.issuedUpToMs(next) >= upToMs) return;
  let from = place;
  while (from > 0 && times.issuedUpToMs(front[from - 1]!) <= upToMs) from--;
  const to = next !== undefined && times.untilMs(next) === untilMs ? place + 1 : place;
  front.splice(from, to - from, row);
}

/**
 * The row that hits whatever any row of the subject hits at `nowMs`, milliseconds since the epoch; -1 where all have ended. It
 * looks at as many rows as their number has binary digits.
 */
export function decisiveRow(front: readonly number[], nowMs: number, times: TimesOfRows): number {
  return front[firstAfter(front, (row) => times.untilMs(row) > nowMs)] ?? -1;
}

/** The first index from which on it holds. */
function firstAfter(front: readonly number[], holds: (row: number) => boolean): number {
  let [from, to] = [0, front.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (holds(front[middle]!)) to = middle;
    else from = middle + 1;
  }
  return from;
}

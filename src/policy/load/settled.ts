import { setTimeout as delay } from 'node:timers/promises';
import { formatProblem } from '../../source/problem.ts';
import { revisionOf } from '../text/sources.ts';
import type { Reading } from './read.ts';

/** Between two readings that must agree before they are believed: a writer may be in the middle of its files. */
export const SETTLE_MS = 100;
const SETTLE_READINGS = 20;

/**
 * Two readings in a row of files that nobody wrote between, or null while the files keep changing (the next event or look
 * tries again). Files that are as they were `seen` last, by their fingerprint, need no second reading.
 */
export async function settledReading(read: () => Promise<Reading>, seen: string): Promise<Reading | null> {
  let reading = await read();
  for (let i = 0; i < SETTLE_READINGS; i++) {
    const before = fingerprint(reading);
    if (before === seen) return reading;
    const { stamp } = reading;
    await delay(SETTLE_MS);
    reading = await read();
    if (reading.stamp === stamp && fingerprint(reading) === before) return reading;
  }
  return null;
}

/** What the files hold, as one text: equal for readings that load alike. */
export function fingerprint({ sources, unread, notes }: Reading): string {
  const content = Array.isArray(sources) ? sources.map(formatProblem).join('\n') : revisionOf(sources);
  return [content, ...[...unread.values()].flat().map(formatProblem), ...notes.map(formatProblem)].join('\n');
}

import { z } from 'zod';
import { Fault } from '../base/fault.ts';
import { duration } from '../config/values/scalars.ts';

const instant = z.iso.datetime({ offset: true });
const span = duration();

/**
 * The moment that an option names, in milliseconds since the epoch: a time with its zone, `now`, or a duration such as `2h`,
 * counted from now into the past or into the future.
 */
export function momentBy(text: string, nowMs: number, way: 'past' | 'future'): number | Fault {
  if (text === 'now') return nowMs;
  if (instant.safeParse(text).success) return Date.parse(text);
  const length = span.safeParse(text);
  if (length.success) return way === 'past' ? nowMs - length.data : nowMs + length.data;
  return new Fault(`${JSON.stringify(text)} is no time; write one as 2026-11-25T10:00:00Z, or a duration such as 2h`);
}

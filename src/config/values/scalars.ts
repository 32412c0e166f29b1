import * as z from 'zod';
import { Fault } from '../../base/fault.ts';
import { fetchUrlFault } from '../../token/fetch-url.ts';
import { leaf } from './leaf.ts';

/**
 * The leaf types of the configuration. Each takes the text that stands in the file, and gives the value that the parts
 * use: milliseconds, bytes, absolute paths. A message says what is wrong and what to write, and never quotes the value,
 * which may come from the environment and be a secret. This file has those without a room of their own, and is the one
 * that schemas import.
 */

export * from './addresses.ts';
export * from './names.ts';
export * from './sections.ts';

/** Any text of one line that is not empty. */
export const text = () => leaf('text', (value) => value);

const DAY_MS = 86_400_000;
const MILLISECONDS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', DAY_MS],
]);
const BYTES: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
]);

/** What a number and a unit, such as `10m` or `64KiB`, are in the smallest of the units; null when a text is neither. */
function amountOf(value: string, units: ReadonlyMap<string, number>): number | null {
  const [, digits, unit = ''] = /^(\d{1,9})([A-Za-z]+)$/.exec(value) ?? [];
  const factor = units.get(unit);
  return factor === undefined ? null : Number(digits) * factor;
}

/** An amount within bounds, both themselves amounts; `how` says how one is written. */
function amount(what: string, units: ReadonlyMap<string, number>, how: string, least: string, most: string) {
  const [from, to] = [amountOf(least, units)!, amountOf(most, units)!];
  const read = (value: string): number | Fault => {
    const found = amountOf(value, units);
    if (found === null) return new Fault(`is not a ${what}; write a number and ${how}`);
    return found < from || found > to ? new Fault(`must lie between ${least} and ${most}`) : found;
  };
  return leaf(`${what}, ${least} to ${most}`, read, `^\\d{1,9}(?:${[...units.keys()].join('|')})$`);
}

/** A duration such as `500ms`, `5s`, `10m`, `24h`, `7d` within bounds; the value is in milliseconds. */
export const duration = (least = '1ms', most = '366d') =>
  amount('duration', MILLISECONDS, 'ms, s, m, h or d, such as 10m', least, most);

/** An instant such as `2026-11-30T12:00:00Z`; the value is in milliseconds since the epoch. */
export const utcInstant = () =>
  leaf('instant in UTC', (value) => {
    const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) ? Date.parse(value) : Number.NaN;
    return Number.isNaN(ms) ? new Fault('is not an instant; write it in UTC, such as 2026-11-30T12:00:00Z') : ms;
  });

/** A size such as `512B`, `64KiB`, `1MiB` within bounds; the value is in bytes. */
export const size = (least: string, most: string) => amount('size', BYTES, 'B, KiB or MiB, such as 64KiB', least, most);

/** A whole number within bounds, also in quotes, as a placeholder gives it. */
export function count(least: number, most: number) {
  const error = `must be a whole number between ${least} and ${most}`;
  return z
    .union([z.number(), z.string()], { error })
    .transform((value, ctx): number => {
      const number = typeof value === 'number' || /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      if (Number.isInteger(number) && number >= least && number <= most) return number;
      ctx.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({ title: `${least} to ${most}`, minimum: least, maximum: most, multipleOf: 1, pattern: '^\\d{1,15}$' });
}

/** A part of all, 0 to 1, such as `0.05`; also in quotes, as a placeholder gives it. */
export function ratio() {
  const error = 'must be a number between 0 and 1, such as 0.05';
  return z
    .union([z.number(), z.string()], { error })
    .transform((value, ctx): number => {
      const number = typeof value === 'number' || /^[01](?:\.\d{1,9})?$/.test(value) ? Number(value) : Number.NaN;
      if (number >= 0 && number <= 1) return number;
      ctx.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({ title: '0 to 1' });
}

/** `true` or `false`, also in quotes, as a placeholder gives it; left out, it is `standard`. */
export const flag = (standard = false) =>
  z
    .union([z.boolean(), z.enum(['true', 'false'])], { error: 'must be true or false' })
    .transform((value) => value === true || value === 'true')
    .meta({ title: 'true or false' })
    .prefault(standard);

/** One of a few words. */
export function word<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` }).meta({ title: words.join(', ') });
}

/** An `https` URL, or `http` on the loopback address; no user, no fragment. */
export const fetchUrl = () =>
  leaf('URL', (value) => {
    const fault = fetchUrlFault(value);
    return fault === null ? value : new Fault(fault);
  });

/** A JSON pointer to a claim (RFC 6901), such as `/tctx/purpose`. The value is the list of its member names. */
export const claim = () =>
  leaf('JSON pointer', (value): readonly string[] | Fault => {
    if (!/^(?:\/(?:[^~/]|~[01])+)+$/.test(value))
      return new Fault('is not a JSON pointer; write /claim or /outer/inner');
    const steps = value.slice(1).split('/');
    return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  });

/** A day, such as `2027-03-31`. The value is its end in UTC, in milliseconds since the epoch. */
export const lastDay = () =>
  leaf('date', (value): number | Fault => {
    const start = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(`${value}T00:00:00Z`) : Number.NaN;
    // Date.parse rolls 30 February over into March, so the day must print as it was written.
    if (Number.isNaN(start) || !new Date(start).toISOString().startsWith(value)) {
      return new Fault('is not a day; write it as 2027-03-31');
    }
    return start + DAY_MS;
  });

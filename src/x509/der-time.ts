import { fail } from '../base/fault.ts';
import { type DerReader, printable, tags } from './der.ts';

const UTC = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED = /^(\d\d\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
/** Two-digit years from 50 on belong to the twentieth century (RFC 5280 section 4.1.2.5.1). */
const CENTURY_PIVOT = 50;
const FIRST_GENERALIZED_YEAR = 2050;

/**
 * A certificate's time in seconds since the epoch (RFC 5280 section 4.1.2.5): UTCTime for the years 1950 to 2049,
 * GeneralizedTime from 2050 on, both with seconds, in Zulu, without fractions, and a date that exists.
 */
export function readTime(from: DerReader, what: string): number {
  const general = from.next === tags.generalizedTime;
  const text = printable(from.content(general ? tags.generalizedTime : tags.utcTime, what), what);
  const match = (general ? GENERALIZED : UTC).exec(text);
  if (match === null) fail(`${what} is not a time of RFC 5280`);
  const [, year = '', month, day, hour, minute, second] = match;
  if (general && Number(year) < FIRST_GENERALIZED_YEAR) fail(`${what} is a GeneralizedTime before 2050`);
  const century = general ? '' : Number(year) < CENTURY_PIVOT ? '20' : '19';
  const iso = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = Date.parse(iso);
  // A date that does not exist is no number, or rolls over into another one (30 February, hour 24).
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) fail(`${what} is a time that does not exist`);
  return time / 1000;
}

import { type DerReader, fail, printable, tags } from './der.ts';

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
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  if (general && year < FIRST_GENERALIZED_YEAR) fail(`${what} is a GeneralizedTime before 2050`);
  const full = general ? year : year + (year < CENTURY_PIVOT ? 2000 : 1900);
  const date = new Date(Date.UTC(full, month - 1, day, hour, minute, second));
  // A date that does not exist (30 February, hour 24) rolls over into another one.
  const rolled =
    date.getUTCMonth() !== month - 1 ||
    date.getUTCDate() !== day ||
    date.getUTCHours() !== hour ||
    date.getUTCMinutes() !== minute ||
    date.getUTCSeconds() !== second;
  if (rolled) fail(`${what} is a time that does not exist`);
  return date.getTime() / 1000;
}

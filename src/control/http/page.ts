import * as z from 'zod';
import { jsonOf } from '../../base/json.ts';
import { ApiProblem } from './problem.ts';
import type { Slices } from './slices.ts';

const MAX_LIMIT = 200;
const STANDARD_LIMIT = 50;
/** Items that are judged for one page: each is a call of Cedar. */
const MAX_JUDGED = 2000;

/** The parameters of every list. */
export const listParameters = {
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|1\d\d|200)$/, `write a whole number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .default(STANDARD_LIMIT)
    .describe(
      `How many items at most: 1 to ${MAX_LIMIT}, ${STANDARD_LIMIT} by default. A page may hold fewer and go on.`,
    ),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,4096}$/, 'write `next` of the page before')
    .optional()
    .describe('Where the page before ended: its `next`.'),
};

/** What every list answers. */
export const pageSchema = (item: z.ZodType) =>
  z.object({
    items: z.array(item),
    next: z.string().nullable().describe('The cursor of the next page, which may be empty and go on; null at the end.'),
    covers: z.string().describe('What the list covers: this process alone, or all that share the store.'),
  });

/** A cursor: what it says is of use to this list alone, and proves nothing. */
export const cursorOf = (list: string, ...at: readonly (string | null)[]): string =>
  Buffer.from(JSON.stringify([list, ...at])).toString('base64url');

/** Where a cursor of this list says to go on; undefined: at the beginning. */
export function readCursor(
  list: string,
  parts: number,
  cursor: string | undefined,
): readonly (string | null)[] | undefined | ApiProblem {
  if (cursor === undefined) return undefined;
  const read = jsonOf(Buffer.from(cursor, 'base64url').toString());
  const good =
    Array.isArray(read) &&
    read.length === parts + 1 &&
    read[0] === list &&
    read.every((part) => part === null || typeof part === 'string');
  return good
    ? (read.slice(1) as (string | null)[])
    : ApiProblem.of('cursor_invalid', 'write `next` of the page before');
}

/** A page of what may be seen, and whether there is more behind it. */
export interface Seen<T> {
  readonly items: readonly T[];
  /** The last item that was looked at, where the page does not end the list. */
  readonly last: T | null;
}

/** Which items of a list are asked for, and which of these may be seen. */
export interface Selection<T> {
  readonly wanted: (item: T) => boolean;
  readonly maySee: (item: T) => boolean;
}

/**
 * Fills a page with those of `candidates`, in their order, that are wanted and may be seen. It ends with the list, with a
 * full page, or where so many were judged or the time is over; then it goes on behind the last that was looked at.
 */
export async function visible<T>(
  candidates: Iterable<T>,
  limit: number,
  { wanted, maySee }: Selection<T>,
  slices: Slices,
): Promise<Seen<T>> {
  const items: T[] = [];
  let judged = 0;
  let last: T | null = null;
  for (const candidate of candidates) {
    const isOver = slices.due && !(await slices.pause());
    if (last !== null && (isOver || items.length === limit || judged === MAX_JUDGED)) return { items, last };
    last = candidate;
    if (!wanted(candidate)) continue;
    judged++;
    if (maySee(candidate)) items.push(candidate);
  }
  return { items, last: null };
}

/**
 * The `count` first of `all` that are wanted and stand behind `after`, by their keys and in that order: one pass, and no
 * more memory than they take.
 */
export async function firstBehind<T>(
  all: Iterable<T>,
  keyOf: (item: T) => string,
  wanted: (item: T) => boolean,
  after: string | null,
  count: number,
  slices: Slices,
): Promise<readonly T[] | ApiProblem> {
  const found: { readonly key: string; readonly item: T }[] = [];
  for (const item of all) {
    if (slices.due && !(await slices.pause())) return ApiProblem.of('overloaded');
    const key = keyOf(item);
    if (after !== null && key <= after) continue;
    const largest = found.at(-1);
    if (found.length === count && largest !== undefined && key >= largest.key) continue;
    if (!wanted(item)) continue;
    const at = found.findLastIndex((other) => other.key <= key) + 1;
    found.splice(at, 0, { key, item });
    if (found.length > count) found.pop();
  }
  return found.map(({ item }) => item);
}

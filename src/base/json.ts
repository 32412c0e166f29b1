import { attempt } from './attempt.ts';

/** JSON with the members of every object in one order, so that the same data is the same text; large integers too. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'bigint') return { bigint: `${inner}` };
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The value of a JSON text, by the loose rules of `JSON.parse`; null where it is none. For texts whose shape is looked at afterwards, or that we wrote. */
export const jsonOf = (text: string): unknown => attempt(() => JSON.parse(text));

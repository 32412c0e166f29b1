import * as z from 'zod';

/** Sameness of texts, for `list`. */
export const self = (value: string): string => value;

/** An object with these keys and no others. */
export function section<S extends z.core.$ZodShape>(shape: S) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'is not a mapping; write keys and values below it';
      return known.length === 0 ? 'takes no keys' : `is not a key here; the keys are ${known.join(', ')}`;
    },
  });
}

/** A section that can be switched off: then the value is null. */
export const orOff = <T extends z.ZodType<unknown, Record<string, unknown>>>(schema: T) =>
  z
    .union([z.literal('off'), schema], { error: 'must be off, or a mapping' })
    .transform((value): z.output<T> | null => (value === 'off' ? null : value));

/** A key that may be left out: then the value is null. */
export const optional = <T extends z.ZodType>(schema: T) =>
  schema.optional().transform((value): z.output<T> | null => value ?? null);

/** A list without repetition, as `same` tells. */
export function list<T extends z.ZodType>(item: T, most: number, same: (value: z.output<T>) => string) {
  return z
    .array(item, { error: 'is not a list; write [a, b] or one item per line with a dash' })
    .max(most, { error: `holds more than ${most} items` })
    .check((ctx) => {
      const seen = new Set<string>();
      for (const [at, value] of ctx.value.entries()) {
        const key = same(value);
        if (seen.has(key))
          ctx.issues.push({ code: 'custom', message: 'stands twice in this list', path: [at], input: '' });
        seen.add(key);
      }
    });
}

/** A mapping whose keys are names of one kind. */
export const mapping = <T extends z.ZodType>(key: z.ZodType<string, string>, value: T) =>
  z.record(key as z.ZodType<string, string> & z.core.$ZodRecordKey, value, {
    error: (issue) =>
      issue.code === 'invalid_type' ? 'is not a mapping; write names and what holds for each' : undefined,
  });

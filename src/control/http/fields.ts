import type * as z from 'zod';
import { shapeFaults } from '../../source/explain.ts';
import { ApiProblem, type ProblemCode, type Wrong } from './problem.ts';

/** Enough to correct a request by. */
const MAX_WRONG = 16;
/** Of what a problem says: names of unknown fields are the caller's. */
const MAX_TEXT = 256;

/** What a schema makes of a value, or a problem that names every field that is wrong. */
export function parseFields<S extends z.ZodType>(
  schema: S,
  value: unknown,
  code: ProblemCode,
): z.output<S> | ApiProblem {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const wrong = shapeFaults(parsed.error, MAX_WRONG).map(
    ({ path, message }): Wrong => ({ at: cut(pointer(path)), message: cut(message) }),
  );
  return ApiProblem.of(code, null, { wrong });
}

/** A JSON pointer (RFC 6901). */
const pointer = (path: readonly PropertyKey[]): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

const cut = (text: string): string => (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`);

import { isIdentifier } from '../base/identifier.ts';
import { Refusal } from '../base/outcome.ts';
import type { Headers } from '../http/input.ts';
import type { Declared } from './model.ts';

/** The names of the headers in which a caller may say a task, in lower case. */
export interface DeclaredHeaderNames {
  readonly id: string;
  readonly purpose: string;
}

/**
 * The task that the caller merely says; null when it says none, or when the headers are switched off. It proves nothing.
 * Half a pair, a repeated header and a text that is no identifier refuse: left out, they could hide from a policy.
 * Refusals: `request_header_repeated`, `request_header_unclean`, `task_declared_malformed`.
 */
export function readDeclared(headers: Headers, names: DeclaredHeaderNames | null): Declared | null | Refusal {
  if (names === null) return null;
  const id = readOne(headers, names.id);
  if (id instanceof Refusal) return id;
  const purpose = readOne(headers, names.purpose);
  if (purpose instanceof Refusal) return purpose;
  if (id === null && purpose === null) return null;
  if (id === null || purpose === null)
    return new Refusal(
      'task_declared_malformed',
      `${id === null ? names.id : names.purpose} is missing beside the other`,
    );
  return { id, purpose };
}

function readOne(headers: Headers, name: string): string | null | Refusal {
  const value = single(headers, name);
  if (value === null || value instanceof Refusal) return value;
  return isIdentifier(value) ? value : new Refusal('task_declared_malformed', `${name} is no identifier`);
}

/** The one value of a header, null when it is absent. Refusals: `request_header_repeated`, `request_header_unclean`. */
export function single(headers: Headers, name: string): string | null | Refusal {
  const [value, ...more] = headers.all(name);
  if (value === undefined) return null;
  if (more.length > 0) return new Refusal('request_header_repeated', `${name} appears ${more.length + 1} times`);
  if (headers.unclean.has(name)) return new Refusal('request_header_unclean', `${name} is not clean text`);
  return value;
}

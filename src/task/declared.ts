import { isIdentifier } from '../base/identifier.ts';
import { Refusal } from '../base/outcome.ts';
import { guardedValue } from '../http/credentials.ts';
import type { Headers } from '../http/input.ts';
import type { Declared } from './model.ts';

/** The names of the headers in which a caller may say a task, in lower case. */
export interface DeclaredHeaderNames {
  readonly id: string;
  readonly purpose: string;
}

/**
 * The task that the caller merely says; null when it says none, or when the headers are switched off. It proves nothing.
 * Half a pair and a text that is no identifier refuse: left out, they could hide from a policy. A repeated or unclean
 * header was refused by the guard. Refusal: `task_declared_malformed`.
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
  const value = guardedValue(headers, name);
  if (value === null) return null;
  return isIdentifier(value) ? value : new Refusal('task_declared_malformed', `${name} is no identifier`);
}

import type { z } from 'zod';
import { MAX_PROBLEMS, type Problem } from './problem.ts';
import { renamedKey } from './renamed.ts';
import type { YamlFile } from './yaml.ts';

/** What a zod schema finds wrong in a YAML file, each at its place, with what to do. */
export function shapeProblems(error: z.ZodError, yaml: YamlFile): Problem[] {
  const found = error.issues.values().flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') {
      return [{ path: issue.path, message: sentence(issue), key: issue.code === 'invalid_key' }];
    }
    return issue.keys.values().map((key) => {
      const message = renamedKey(key) ?? 'no such key; remove it, or correct its spelling';
      return { path: [...issue.path, key], message, key: true };
    });
  });
  const first = found.take(MAX_PROBLEMS);
  return [...first.map(({ path, message, key }) => yaml.problem(path, withPath(path, message), key))];
}

function sentence(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined'))
    return `missing; state it (${issue.expected})`;
  if (issue.code === 'invalid_type') return EXPECTED.get(issue.expected) ?? issue.message;
  if (issue.code === 'invalid_value') return `write ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

const EXPECTED: ReadonlyMap<string, string> = new Map([
  ['string', 'not a text; put it in quotes'],
  ['boolean', 'write true or false, without quotes'],
  ['array', 'not a list; write [] where it is empty'],
  ['object', 'not a map of keys; write {} where it is empty'],
  ['record', 'not a map of keys; write {} where it is empty'],
]);

/** `workloads[3].owner: message`. */
export function withPath(path: readonly PropertyKey[], message: string): string {
  const text = path.reduce<string>((all, step) => {
    if (typeof step === 'number') return `${all}[${step}]`;
    return all === '' ? String(step) : `${all}.${String(step)}`;
  }, '');
  return text === '' ? message : `${text}: ${message}`;
}

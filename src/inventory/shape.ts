import type { z } from 'zod';
import type { Problem } from './problem.ts';
import type { YamlFile } from './yaml.ts';

/** What a zod schema finds wrong in a YAML file, each at its place, with what to do. */
export function shapeProblems(error: z.ZodError, yaml: YamlFile): Problem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const path = [...issue.path, key];
        return yaml.problem(path, withPath(path, 'no such key; remove it, or correct its spelling'), true);
      });
    }
    return [yaml.problem(issue.path, withPath(issue.path, sentence(issue)), issue.code === 'invalid_key')];
  });
}

function sentence(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined'))
    return `missing; state it (${issue.expected})`;
  if (issue.code === 'invalid_type' && issue.expected === 'string') return 'not a text; put it in quotes';
  if (issue.code === 'invalid_value') return `write ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

/** `workloads[3].owner: message`. */
export function withPath(path: readonly PropertyKey[], message: string): string {
  const text = path.reduce<string>((all, step) => {
    if (typeof step === 'number') return `${all}[${step}]`;
    return all === '' ? String(step) : `${all}.${String(step)}`;
  }, '');
  return text === '' ? message : `${text}: ${message}`;
}

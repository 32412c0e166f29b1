import { dirname, resolve } from 'node:path';
import type * as z from 'zod';
import { renamedKey } from '../source/renamed.ts';
import { contradictions, type Readable } from './between-sections.ts';
import { type Environment, readDocument } from './document.ts';
import type { ConfigProblem, KeyProblem } from './problem.ts';
import { type Config, configSchema } from './schema.ts';

/**
 * Reads the text of a configuration file. `file` names it in problems, and relative paths in it start at its folder;
 * `env` fills the `${NAME}` placeholders and may name the SPIFFE agent. Gives the whole configuration, or every problem of the first step that has
 * any: the YAML and its placeholders, then all keys and values, with the contradictions between those that could be
 * read. Opens no file and no address.
 */
export function loadConfig(text: string, file: string, env: Environment): Config | ConfigProblem[] {
  const document = readDocument(text, file, env);
  if (Array.isArray(document)) return document;
  const schema = configSchema(dirname(resolve(file)), env);
  const whole = schema.safeParse(document.value, { reportInput: true });
  const faults = whole.success
    ? contradictions(whole.data)
    : [...explain(whole.error.issues), ...contradictions(readable(schema, document.value))];
  if (whole.success && faults.length === 0) return whole.data;
  return inOrder(faults.map((fault) => document.locate(fault)));
}

/** What `loadConfig` gives: told apart from problems without `instanceof`. */
export const isConfig = (result: Config | ConfigProblem[]): result is Config => !Array.isArray(result);

/** The sections that are right by themselves, so that contradictions between them show in the same report. */
function readable(schema: ReturnType<typeof configSchema>, value: unknown): Readable {
  if (typeof value !== 'object' || value === null) return {};
  const sections: Record<string, unknown> = {};
  for (const [key, section] of Object.entries(schema.shape)) {
    const parsed = section.safeParse((value as Record<string, unknown>)[key]);
    if (parsed.success) sections[key] = parsed.data;
  }
  return sections as Readable;
}

type Issue = z.core.$ZodIssue;

/** Zod's issues as faults: one for each unknown key, the nearest alternative of a union, the text of a bad mapping key. */
function explain(issues: readonly Issue[], at: readonly PropertyKey[] = []): KeyProblem[] {
  return issues.flatMap((issue) => {
    const path = [...at, ...issue.path];
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: [...path, key], message: renamedKey(key) ?? issue.message }));
    if (issue.code === 'invalid_key') return explain(issue.issues, path);
    // YAML has no undefined: an undefined input is a key that is not there.
    if (issue.code.startsWith('invalid_') && issue.input === undefined)
      return [{ path, message: 'is missing, and has no default' }];
    if (issue.code === 'invalid_union' && reaches(issue.errors)) return explain(nearest(issue.errors), path);
    return [{ path, message: issue.message }];
  });
}

/** How far an alternative of a union got into the value before it failed. */
const depth = (issues: readonly Issue[]) =>
  Math.max(...issues.map((issue) => issue.path.length + (issue.code === 'custom' ? 1 : 0)));

/** Whether any alternative got beyond the type of the value: then its own words say more than those of the union. */
const reaches = (alternatives: readonly (readonly Issue[])[]) =>
  alternatives.some((issues) => depth(issues) > 0 || issues.some((issue) => issue.code === 'unrecognized_keys'));

/** The alternative that was most likely meant. */
const nearest = (alternatives: readonly (readonly Issue[])[]) =>
  alternatives.reduce((best, other) => (depth(other) >= depth(best) ? other : best));

function inOrder(problems: ConfigProblem[]): ConfigProblem[] {
  return problems.sort((a, b) => a.line - b.line || a.column - b.column);
}

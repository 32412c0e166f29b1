import { dirname, resolve } from 'node:path';
import { shapeProblems, withPath } from '../source/explain.ts';
import { type Problem, sortProblems } from '../source/problem.ts';
import type { YamlFile } from '../source/yaml.ts';
import { contradictions, type KeyProblem, type Readable } from './between-sections.ts';
import { type Environment, readDocument } from './document.ts';
import { type Config, completed, configSchema } from './schema.ts';

/**
 * Reads the text of a configuration file. `file` names it in problems, and relative paths in it start at its folder;
 * `env` fills the `${NAME}` placeholders and may name the SPIFFE agent. Gives the whole configuration, or every problem of the first step that has
 * any: the YAML and its placeholders, then all keys and values, with the contradictions between those that could be
 * read. Opens no file and no address.
 */
export function loadConfig(text: string, file: string, env: Environment): Config | Problem[] {
  const document = readDocument(text, file, env);
  if (Array.isArray(document)) return document;
  const schema = configSchema(dirname(resolve(file)), env);
  const whole = schema.safeParse(document.value, { reportInput: true });
  if (whole.success) {
    const problems = contradictions(whole.data);
    return problems.length === 0 ? completed(whole.data) : sortProblems(problems.map(located(document)));
  }
  const problems = contradictions(readable(schema, document.value)).map(located(document));
  return sortProblems([...shapeProblems(whole.error, document, true), ...problems]);
}

const located =
  (yaml: YamlFile) =>
  ({ path, message }: KeyProblem): Problem =>
    yaml.problem(path, withPath(path, message), true);

/** What `loadConfig` gives: told apart from problems without `instanceof`. */
export const isConfig = (result: Config | Problem[]): result is Config => !Array.isArray(result);

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

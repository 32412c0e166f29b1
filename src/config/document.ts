import { visit } from 'yaml';
import type { Problem } from '../source/problem.ts';
import { parseYaml, type YamlFile, yamlFile } from '../source/yaml.ts';

/** Variables that may fill `${NAME}`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const MAX_FILE = 1024 * 1024;
/** One wrong brace makes many errors of syntax; the first few say it all. */
const MAX_SYNTAX = 5;
/** `$${` stands for a plain `${`; a placeholder is `${NAME}`; any other `${` is a mistake. */
const PLACEHOLDER = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{/g;

/**
 * Reads YAML as the inventory is read, in one way only, and fills the placeholders from `env`. Placeholders are filled in
 * the values of the parsed document, never in its text, so that a variable cannot bring in keys; what they give is text,
 * which numbers and flags take too. Returns every problem of this step.
 */
export function readDocument(text: string, file: string, env: Environment): YamlFile | Problem[] {
  if (text.length > MAX_FILE) {
    const message = `is larger than ${MAX_FILE} characters; this is no configuration`;
    return [{ file, line: 1, column: 1, message }];
  }
  const yaml = parseYaml(text, file, 'state at least identity');
  if (Array.isArray(yaml)) return yaml.slice(0, MAX_SYNTAX).map((problem) => withCure(problem, text));
  const { document, place } = yaml;
  const problems: Problem[] = [];
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' || typeof node.value !== 'string') return;
      const filled = fill(node.value, env);
      if (typeof filled === 'string') node.value = filled;
      else problems.push({ ...place(node.range?.[0] ?? 0), message: filled.message });
    },
  });
  return problems.length > 0 ? problems : yamlFile(yaml);
}

/** A problem of the YAML, with what is most often wrong where a placeholder is near. */
function withCure({ message, ...at }: Problem, text: string): Problem {
  const line = text.split('\n', at.line)[at.line - 1] ?? '';
  const advised = message.includes(';') ? message : `${message}; correct the YAML`;
  const cure = line.includes('${') ? `${message}; put a placeholder inside { } or [ ] in quotes` : advised;
  return { ...at, message: cure };
}

/** The text with its placeholders filled, or what is wrong with them. */
function fill(text: string, env: Environment): string | { readonly message: string } {
  const wrong: string[] = [];
  const filled = text.replace(PLACEHOLDER, (found, name: string | undefined) => {
    if (found === '$${') return '${';
    if (name === undefined) {
      wrong.push('holds ${ that begins no placeholder; write $${ for these two characters');
      return '';
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) wrong.push(`needs the environment variable ${name}, which is not set`);
    return value ?? '';
  });
  return wrong.length === 0 ? filled : { message: wrong.join('; ') };
}

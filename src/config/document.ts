import { isMap, isPair, isScalar, type Node, type Pair, visit } from 'yaml';
import type { Problem } from '../source/problem.ts';
import { parseYaml } from '../source/yaml.ts';
import type { ConfigProblem, KeyProblem } from './problem.ts';
import { formatPath } from './problem.ts';

/** Variables that may fill `${NAME}`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A YAML file that was read: its plain value, and where each key stands. */
export interface ConfigDocument {
  readonly value: unknown;
  /** The fault with the line and column of its key, or of the nearest key around it that exists. */
  locate(fault: KeyProblem): ConfigProblem;
}

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
export function readDocument(text: string, file: string, env: Environment): ConfigDocument | ConfigProblem[] {
  if (text.length > MAX_FILE) {
    const message = `is larger than ${MAX_FILE} characters; this is no configuration`;
    return [{ file, line: 0, column: 0, path: '', message }];
  }
  const yaml = parseYaml(text, file, 'state at least identity');
  if (Array.isArray(yaml)) return yaml.slice(0, MAX_SYNTAX).map((problem) => withCure(problem, text));
  const { document, root, place } = yaml;
  const problems: ConfigProblem[] = [];
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' || typeof node.value !== 'string') return;
      const filled = fill(node.value, env);
      if (typeof filled === 'string') node.value = filled;
      else problems.push({ ...place(node.range?.[0] ?? 0), path: '', message: filled.message });
    },
  });
  if (problems.length > 0) return problems;
  return {
    value: document.toJS(),
    locate: ({ path, message }) => {
      const offset = path.length === 0 ? undefined : offsetOf(root, path);
      const at = offset === undefined ? { file, line: 0, column: 0 } : place(offset);
      return { ...at, path: formatPath(path), message };
    },
  };
}

/** A problem of the YAML, with what is most often wrong where a placeholder is near. */
function withCure({ message, ...at }: Problem, text: string): ConfigProblem {
  const line = text.split('\n', at.line)[at.line - 1] ?? '';
  const advised = message.includes(';') ? message : `${message}; correct the YAML`;
  const cure = line.includes('${') ? `${message}; put a placeholder inside { } or [ ] in quotes` : advised;
  return { ...at, path: '', message: cure };
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

/** Offset of the deepest node on the path that exists; of the key rather than of the value where there is one. */
function offsetOf(root: Node | null, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = root;
  let offset = root?.range?.[0];
  for (const step of path) {
    const next: unknown = isMap(node)
      ? node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(step))
      : typeof step === 'number' && hasItems(node)
        ? node.items[step]
        : undefined;
    if (next === undefined) break;
    offset = startOf(isPair(next) ? (next.key as Node) : (next as Node)) ?? offset;
    node = isPair(next) ? (next as Pair).value : next;
  }
  return offset;
}

const hasItems = (node: unknown): node is { items: unknown[] } =>
  typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items);

const startOf = (node: Node | null): number | undefined => node?.range?.[0];

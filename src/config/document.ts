import { isMap, isPair, isScalar, LineCounter, type Node, type Pair, parseDocument, visit } from 'yaml';
import type { ConfigProblem, Fault } from './problem.ts';
import { formatPath } from './problem.ts';

/** Variables that may fill `${NAME}`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A YAML file that was read: its plain value, and where each key stands. */
export interface ConfigDocument {
  readonly value: unknown;
  /** The fault with the line and column of its key, or of the nearest key around it that exists. */
  locate(fault: Fault): ConfigProblem;
}

const MAX_FILE = 1024 * 1024;
/** One wrong brace makes many errors of syntax; the first few say it all. */
const MAX_SYNTAX = 5;
/** `$${` stands for a plain `${`; a placeholder is `${NAME}`; any other `${` is a mistake. */
const PLACEHOLDER = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{/g;

/**
 * Reads YAML 1.2 (core schema) and fills the placeholders from `env`. Placeholders are filled in the values of the parsed
 * document, never in its text, so that a variable cannot bring in keys; what they give is text, which numbers and flags
 * take too. Returns every problem of this step.
 */
export function readDocument(text: string, file: string, env: Environment): ConfigDocument | ConfigProblem[] {
  try {
    return read(text, file, env);
  } catch (error) {
    // The parser recurses over nesting: a hostile file ends in a RangeError, which is a problem like any other.
    const why = error instanceof Error ? error.message : String(error);
    return [{ file, line: 0, column: 0, path: '', message: `cannot be read as YAML (${why}); write shallow YAML` }];
  }
}

function read(text: string, file: string, env: Environment): ConfigDocument | ConfigProblem[] {
  const lines = new LineCounter();
  const at = (offset: number | undefined, path: string, message: string): ConfigProblem => {
    if (offset === undefined) return { file, line: 0, column: 0, path, message };
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col, path, message };
  };
  if (text.length > MAX_FILE)
    return [at(undefined, '', `is larger than ${MAX_FILE} characters; this is no configuration`)];
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, version: '1.2' });
  const problems = [...doc.errors, ...doc.warnings].slice(0, MAX_SYNTAX).map(({ pos, message }) => {
    const line = text.slice(text.lastIndexOf('\n', pos[0] - 1) + 1, text.indexOf('\n', pos[0]) >>> 0);
    const cure = line.includes('${') ? 'put a placeholder inside { } or [ ] in quotes' : 'correct the YAML';
    return at(pos[0], '', `${message}; ${cure}`);
  });
  if (problems.length > 0) return problems;

  visit(doc, {
    Alias: (_, node) => void problems.push(at(node.range?.[0], '', 'is an alias; write the value out where it holds')),
    Pair: (_, { key }) => {
      // Objects of JavaScript cannot hold this key like any other one, so it would vanish without a word.
      if (isScalar(key) && key.value === '__proto__') problems.push(at(key.range?.[0], '', '__proto__ is not a key'));
    },
    Scalar: (key, node) => {
      if (key === 'key' || typeof node.value !== 'string') return;
      const filled = fill(node.value, env);
      if (typeof filled === 'object') problems.push(at(node.range?.[0], '', filled.message));
      else node.value = filled;
    },
  });
  if (problems.length > 0) return problems;

  return {
    value: doc.contents === null ? {} : doc.toJS(),
    locate: ({ path, message }) => at(offsetOf(doc.contents, path), formatPath(path), message),
  };
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

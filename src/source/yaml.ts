import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
  type YAMLMap,
} from 'yaml';
import { attempt } from '../base/attempt.ts';
import { messageOf } from '../base/fault.ts';
import { MAX_PROBLEMS, type Problem, sortProblems } from './problem.ts';

/** Bytes of text that are read at most: some hundred thousand workloads. */
const MAX_TEXT = 32 * 1024 * 1024;

/**
 * What ends a line for other readers of YAML and not for this one (a lone CR in 1.2, three more in 1.1), so that a comment
 * here is a key there; and control characters, which YAML holds escaped only (1.2.2 section 5.1).
 */
const READ_IN_TWO_WAYS = /\r(?!\n)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]|(?<!^)\ufeff/;

export type DataPath = readonly PropertyKey[];

/** A YAML file as plain data, with the place of every value in it. */
export interface YamlFile {
  readonly value: unknown;
  /** A problem at the value (or, with `key`, at the key) that `path` leads to; at the nearest parent where it is absent. */
  problem(path: DataPath, message: string, key?: boolean): Problem;
}

/** A YAML document that can be read in one way only, before its values are taken out. */
export interface StrictYaml {
  readonly document: Document;
  readonly root: Node;
  /** The file, line and column of an offset of the text. */
  place(offset: number): Omit<Problem, 'message'>;
}

/**
 * Reads one YAML 1.2 document (core schema) in one way only: a repeated key, an alias, an anchor, a tag, a merge key, a
 * key that is no text, a line end that is none elsewhere, or a second document is a problem, and so is the key
 * `__proto__`. `whenEmpty` says what to do about an empty file. Never throws.
 */
export function readYaml(text: string, file: string, whenEmpty: string): YamlFile | Problem[] {
  const yaml = parseYaml(text, file, whenEmpty);
  return Array.isArray(yaml) ? yaml : yamlFile(yaml);
}

/**
 * As `readYaml`, for files of other programs, which may have aliases: they are read, as long as what they stand for is
 * not many times as much as the file holds.
 */
export function readYamlWithAliases(text: string, file: string, whenEmpty: string): YamlFile | Problem[] {
  const yaml = parseYaml(text, file, whenEmpty, { aliases: true });
  if (Array.isArray(yaml)) return yaml;
  return (
    attempt(() => yamlFile(yaml)) ?? [
      { file, line: 1, column: 1, message: 'its aliases cannot be read; write the values out' },
    ]
  );
}

/** The values of a document as they are now. */
export function yamlFile({ document, root, place }: StrictYaml): YamlFile {
  return {
    value: document.toJS(),
    problem: (path, message, key = false) => ({ ...place(offsetOf(root, path, key)), message }),
  };
}

/** The document of `readYaml` with its nodes, for a reader that changes values before it takes them out. Never throws. */
export function parseYaml(
  text: string,
  file: string,
  whenEmpty: string,
  { aliases = false } = {},
): StrictYaml | Problem[] {
  if (text.length > MAX_TEXT)
    return [{ file, line: 1, column: 1, message: `longer than ${MAX_TEXT} characters; split the estate` }];
  try {
    return parse(text, file, whenEmpty, aliases);
  } catch (error) {
    // The parser recurses over nesting: a hostile file ends in a RangeError, which is a refusal like any other.
    const why = messageOf(error);
    return [{ file, line: 1, column: 1, message: `cannot be read as YAML (${why}); write plain, shallow YAML` }];
  }
}

function parse(text: string, file: string, whenEmpty: string, aliases: boolean): StrictYaml | Problem[] {
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    version: '1.2',
    schema: 'core',
    // Its own check looks at every earlier key of a map for each key.
    uniqueKeys: false,
  });
  const document = 'empty' in documents ? undefined : documents[0];
  if (document === undefined || document.contents === null) {
    return [{ file, line: 1, column: 1, message: `the file is empty; ${whenEmpty}` }];
  }
  const problems: Problem[] = [];
  const report = (offset: number, message: string) => problems.push({ ...place(offset), message });
  const second = documents[1];
  if (second !== undefined) report(second.range[0], 'a second document begins here; keep one document in one file');
  for (const fault of [...document.errors, ...document.warnings]) {
    // Every tag is a problem below, known or not.
    if (fault.code === 'TAG_RESOLVE_FAILED') continue;
    report(fault.pos[0], fault.message.split('\n')[0] ?? fault.message);
  }
  const odd = text.search(READ_IN_TWO_WAYS);
  if (odd !== -1) {
    const code = text.charCodeAt(odd).toString(16).toUpperCase().padStart(4, '0');
    report(odd, `the character U+${code}, which readers of YAML take differently; remove it`);
  }
  const { yaml } = document.directives ?? {};
  if (yaml?.explicit === true && yaml.version !== '1.2') {
    const message = `YAML ${yaml.version} reads some values differently; remove the directive, the file is read as YAML 1.2`;
    report(Math.max(0, text.indexOf('%YAML')), message);
  }
  visit(document, {
    Alias: (_, node) => {
      if (!aliases) report(start(node), 'an alias; write the value out, aliases are not read');
    },
    Node: (_, node) => {
      if (!aliases && 'anchor' in node && node.anchor !== undefined)
        report(start(node), `the anchor '&${node.anchor}'; remove it, aliases are not read`);
      if (node.tag !== undefined) report(start(node), `the tag '${node.tag}'; remove it, tags are not read`);
      if (isScalar(node) && typeof node.value === 'string' && !node.value.isWellFormed())
        report(start(node), 'half of a surrogate pair; write the whole character');
      if (isMap(node)) reportRepeatedKeys(node, report);
    },
    Pair: (_, { key }) => {
      const name = isScalar(key) ? key.value : undefined;
      const at = isNode(key) ? start(key) : 0;
      if (typeof name !== 'string') report(at, 'a key that is no text; quote it');
      else if (name === '__proto__' || name === '<<') report(at, `the key '${name}' is not read; remove it`);
    },
  });
  if (problems.length > 0) return sortProblems(problems).slice(0, MAX_PROBLEMS);
  return { document, root: document.contents, place };
}

function reportRepeatedKeys(map: YAMLMap, report: (offset: number, message: string) => void): void {
  const seen = new Set<unknown>();
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    if (seen.has(key.value))
      report(start(key), `Map keys must be unique: '${String(key.value)}' stands here twice; keep one`);
    seen.add(key.value);
  }
}

function offsetOf(root: Node, path: DataPath, wantKey: boolean): number {
  let node: unknown = root;
  let offset = start(root);
  for (const step of path) {
    const pair = isMap(node)
      ? node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === step)
      : undefined;
    if (pair !== undefined) {
      node = pair.value;
      if (wantKey && isNode(pair.key)) {
        offset = start(pair.key);
        continue;
      }
      if (!isNode(node) || start(node) === 0) return isNode(pair.key) ? start(pair.key) : offset;
    } else if (isNode(node) && 'get' in node && typeof step === 'number') {
      node = (node as { get(key: unknown, keepScalar: boolean): unknown }).get(step, true);
      if (!isNode(node)) return offset;
    } else return offset;
    offset = start(node as Node);
  }
  return offset;
}

function start(node: Node): number {
  return node.range?.[0] ?? 0;
}

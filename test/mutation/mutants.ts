import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A source with one check deleted or weakened. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  /** What was deleted, or became of it, on one line. */
  readonly what: string;
  readonly mutated: string;
}

/**
 * Statements that refuse: a returned refusal or fault, a call of `fail`, and a guard that returns null, false, a text or
 * the fault of something else. A refusal inside an expression is not a statement and is left alone.
 */
const REFUSALS = [
  /\breturn (?:refuse|malformed|new (?:Refusal|Fault))\(/g,
  /(?<=^\s*|\) )fail\(/gm,
  /(?<=\) )return (?:null|false|'[^']*'|`[^`]*`|[a-z]\w*)(?=;)/g,
];
/** A guard: an `if` of which the body only leaves the function. */
const GUARD = /(?<=^ *)if \(/gm;
const LEAVES = /^(?:\{\s*)?return\b/;
/** A complaint about a file, as a statement. */
const COMPLAINT = /(?<=^ *|\) )(?:problems\.push|report|at|over)\(/gm;

/** The source of `file` with one refusal after another deleted, in the order of the text. */
export function withoutRefusals(root: string, file: string): readonly Mutant[] {
  return statements(root, file, REFUSALS);
}

/** The source of `file` with one complaint after another deleted. */
export function withoutComplaints(root: string, file: string): readonly Mutant[] {
  return statements(root, file, [COMPLAINT]);
}

function statements(root: string, file: string, beginnings: readonly RegExp[]): readonly Mutant[] {
  const text = readFileSync(join(root, file), 'utf8');
  const starts = beginnings.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match.index));
  return [...new Set(starts)]
    .sort((a, b) => a - b)
    .map((start) => deleted(file, text, start, statementEnd(text, start)));
}

function withoutGuards(root: string, file: string): readonly Mutant[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(GUARD)].flatMap(({ index }) => {
    const statement = text.slice(skip(text, text.indexOf('(', index))).trimStart();
    if (!LEAVES.test(statement)) return [];
    const start = text.length - statement.length;
    return [deleted(file, text, index, statement.startsWith('{') ? skip(text, start) : statementEnd(text, start))];
  });
}

/** A check that is no statement of its own: the text of it, which stands once in the file, and what is left of it. */
export type Condition = readonly [file: string, text: string, weakened: string];

/** The source of `file` with one guard after another deleted, and one of its conditions after another weakened. */
export function weakenedGuards(root: string, file: string, conditions: readonly Condition[]): readonly Mutant[] {
  const own = conditions.filter(([name]) => file.endsWith(`/${name}`));
  return [...withoutGuards(root, file), ...own.map(([, part, left]) => weakened(root, file, part, left))];
}

function weakened(root: string, file: string, part: string, left: string): Mutant {
  const text = readFileSync(join(root, file), 'utf8');
  if (text.split(part).length !== 2) throw new Error(`${file} does not hold this once: ${part}`);
  const what = `${part.replace(/\s+/g, ' ')} -> ${left}`;
  return { file, line: lineAt(text, text.indexOf(part)), what, mutated: text.replace(part, () => left) };
}

function deleted(file: string, text: string, start: number, end: number): Mutant {
  const what = text.slice(start, end).replace(/\s+/g, ' ');
  return { file, line: lineAt(text, start), what, mutated: `${text.slice(0, start)}{}${text.slice(end)}` };
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Behind the bracket that closes the one at `open`. */
function skip(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at = behind(text, at)) {
    const char = text[at]!;
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char) && --depth === 0) return at + 1;
  }
  throw new Error(`a bracket without an end at ${open}`);
}

/** The end of the statement that begins at `start`: behind its semicolon, outside of quotes and brackets. */
function statementEnd(text: string, start: number): number {
  for (let at = start; at < text.length; ) {
    const char = text[at]!;
    if (char === ';') return at + 1;
    at = '([{'.includes(char) ? skip(text, at) : behind(text, at);
  }
  throw new Error(`a statement without an end at ${start}`);
}

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const QUOTED = /'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"/sy;
/** A slash begins a regular expression where no value stands before it. */
const PATTERN = /(?<=[(,=:[!&|?{};]\s*|return )\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\]|\\.)*\])+\//y;

/** Behind the comment, string, regular expression or character at `at`. */
function behind(text: string, at: number): number {
  for (const token of [COMMENT, QUOTED, PATTERN]) {
    token.lastIndex = at;
    if (token.test(text)) return token.lastIndex;
  }
  return at + 1;
}

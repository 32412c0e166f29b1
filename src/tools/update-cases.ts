import { isMap, isScalar, isSeq, type Node, type Pair, parse, parseDocument, type YAMLMap } from 'yaml';
import type { Outcome } from '../policy/load/cases.ts';

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text of a file of cases with what each case expects set to what came of it. Only `expect`, `by` and `reason` of the
 * cases that differ are touched; comments, order and layout stay. A case that states no `by` gets none.
 */
export function updateCases(text: string, outcomes: readonly Outcome[]): string {
  const document = parseDocument(text);
  const list = document.get('cases', true);
  if (!isSeq(list)) return text;
  const edits = outcomes.flatMap((outcome, index) => {
    const node = list.items[index];
    return isMap(node) ? editsOf(text, node as Case, outcome) : [];
  });
  return edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((changed, { start, end, text: put }) => changed.slice(0, start) + put + changed.slice(end), text);
}

type Case = YAMLMap<Node, Node | null>;

function editsOf(text: string, node: Case, { stated: { expected }, result }: Outcome): Edit[] {
  const edits: Edit[] = [];
  const flipped = expected.result !== result.result;
  if (flipped) edits.push(...replace(text, node, 'expect', result.result));
  if (expected.by !== null && expected.by.join() !== result.by.join()) {
    edits.push(...replace(text, node, 'by', `[${result.by.map(plain).join(', ')}]`));
  }
  if (result.reason === expected.reason) return edits;
  if (result.reason === null) edits.push(...remove(text, node, 'reason'));
  else if (expected.reason !== null) edits.push(...replace(text, node, 'reason', result.reason));
  else if (flipped) edits.push(...insertAfter(text, node, 'expect', `reason: ${result.reason}`));
  return edits;
}

/** The id as YAML reads it back: one that looks like a number or another word of YAML is quoted. */
function plain(id: string): string {
  return parse(id) === id ? id : JSON.stringify(id);
}

function replace(text: string, node: Case, name: string, value: string): Edit[] {
  const pair = pairOf(node, name);
  return pair === undefined ? [] : [{ start: startOf(pair.value), end: endOf(text, pair), text: value }];
}

/** With the gap before the next key, or after the key before when it is the last. */
function remove(text: string, node: Case, name: string): Edit[] {
  const pair = pairOf(node, name);
  if (pair === undefined) return [];
  const index = node.items.indexOf(pair);
  const [before, behind] = [node.items[index - 1], node.items[index + 1]];
  if (behind !== undefined) return [{ start: startOf(pair.key), end: startOf(behind.key), text: '' }];
  return before === undefined ? [] : [{ start: endOf(text, before), end: endOf(text, pair), text: '' }];
}

function insertAfter(text: string, node: Case, name: string, line: string): Edit[] {
  const pair = pairOf(node, name);
  if (pair === undefined) return [];
  const at = endOf(text, pair);
  const key = startOf(pair.key);
  const indent = key - (text.lastIndexOf('\n', key - 1) + 1);
  return [{ start: at, end: at, text: node.flow === true ? `, ${line}` : `\n${' '.repeat(indent)}${line}` }];
}

function pairOf({ items }: Case, name: string): Pair<Node, Node | null> | undefined {
  return items.find(({ key }) => isScalar(key) && key.value === name);
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

function endOf(text: string, { value }: Pair<Node, Node | null>): number {
  const [start = 0, end = 0] = value?.range ?? [];
  return start + text.slice(start, end).trimEnd().length;
}

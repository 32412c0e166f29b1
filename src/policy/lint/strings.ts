import type { Inventory, KnownNames } from '../../inventory/inventory.ts';
import type { Problem } from '../../source/problem.ts';
import type { DeclaredHeader, PolicySettings } from '../text/sources.ts';
import { problemAtString, problemAtWord } from '../text/split-policies.ts';
import { attributesOf, COMPARING, expressions, type Node, nodeOf, operand, pathOf, stringsOf } from './ast.ts';
import type { ParsedPolicy } from './parsed.ts';

/** Where names come from: the inventory, and the policy part of the config. */
export interface Names {
  readonly inventory: Inventory;
  readonly settings: PolicySettings;
}

/** Faults of one kind in one policy that are reported: a place in the text costs a look at it. */
export const MAX_FAULTS = 100;

/**
 * Strings of a policy that stand for names: tags of headers, numbers and labels; approvals, signals, scopes and hosts. A
 * list is compared with names that are written beside it, so whoever hides it in an expression of its own is asked to
 * write it plainly.
 */
export function stringProblems(policy: ParsedPolicy, names: Names): Problem[] {
  const problems: Problem[] = [];
  for (const node of expressions(policy.json)) {
    if (problems.length >= MAX_FAULTS) break;
    problems.push(...tagProblems(policy, node, names), ...listProblems(policy, node, names));
    const hidden = hiddenList(node);
    if (hidden === null) continue;
    const message = `${hidden} is compared with names only where it stands by itself, as in ${hidden}.contains("..."); write it so`;
    problems.push(problemAtWord(policy, hidden.split('.').slice(-1), message));
  }
  return problems;
}

/** Names of tags, which are headers, numbers or labels by what they are tags of. */
function tagProblems(policy: ParsedPolicy, node: Node, { inventory, settings }: Names): Problem[] {
  if (node.operator !== 'hasTag' && node.operator !== 'getTag') return [];
  const left = operand(node, 'left');
  // Of an entity literal nothing but the name is known: that is refused by itself.
  if (nodeOf(left)?.operator === 'Value') return [];
  const of = TAGS.get(pathOf(left) ?? '');
  if (of === undefined) {
    const fault = `whose tags these are is hidden; write principal.${node.operator}("..."), or the same of resource, context.headers or context.numbers`;
    return [problemAtWord(policy, [node.operator], fault)];
  }
  const names = stringsOf(operand(node, 'right'));
  if (typeof of !== 'string') return unlistedIn(of, names, policy, inventory);
  return names
    .filter((name) => !settings.headers.some((header) => header.name === name && header.type === of))
    .map((name) => problemAtString(policy, name, undeclared(name, of)));
}

/** Names that are compared with a closed list. */
function listProblems(policy: ParsedPolicy, node: Node, { inventory }: Names): Problem[] {
  if (!COMPARING.has(node.operator)) return [];
  const sides = [operand(node, 'left'), operand(node, 'right')];
  const [list] = sides.flatMap((side) => LISTS.get(pathOf(side) ?? '') ?? []);
  if (list === undefined || (policy.guardrail && list.names === 'approvals')) return [];
  return unlistedIn(list, sides.flatMap(stringsOf), policy, inventory);
}

function unlistedIn(list: ClosedList, texts: readonly string[], policy: ParsedPolicy, { known }: Inventory): Problem[] {
  return texts
    .filter((text) => !known[list.names].has(text))
    .slice(0, MAX_FAULTS)
    .map((text) => problemAtString(policy, text, unlisted(list.kind, text, list.where)));
}

/** A closed list, or what holds one, that the node does not compare but hands on; null where it does no such thing. */
function hiddenList(node: Node): string | null {
  if (node.operator === '.') {
    const [attribute = ''] = attributesOf(node);
    return pathOf({ '.': node.body }) === null && HELD.has(attribute) ? attribute : null;
  }
  if (node.operator === 'has' || typeof node.body !== 'object' || node.body === null) return null;
  for (const part of Object.values(node.body)) {
    const path = pathOf(part) ?? '';
    if (path === 'context.task') return path;
    if (CLOSED.has(path) && node.operator !== 'isEmpty' && !COMPARING.has(node.operator)) return path;
  }
  return null;
}

/** Names that the inventory lists, and in which words a fault says so. */
export interface ClosedList {
  readonly kind: string;
  readonly names: keyof KnownNames;
  readonly where: string;
}

const scopes: ClosedList = { kind: 'scope', names: 'scopes', where: "an api's scopes" };
const workloadLabels: ClosedList = {
  kind: 'label of a workload',
  names: 'workloadLabels',
  where: "a workload's labels",
};
/** What has tags: headers of a type, or labels. */
const TAGS = new Map<string, ClosedList | DeclaredHeader['type']>([
  ['context.headers', 'string'],
  ['context.numbers', 'long'],
  ['resource', { kind: 'label or parameter of a resource', names: 'resourceLabels', where: 'labels, or a template' }],
  ['principal', workloadLabels],
  ['context.chain.originator', workloadLabels],
]);
/** What only ever holds names of a closed list. */
const LISTS: ReadonlyMap<string, ClosedList> = new Map<string, ClosedList>([
  ['context.approvals', { kind: 'approval', names: 'approvals', where: 'approvals' }],
  ['context.signals', { kind: 'signal', names: 'signals', where: 'signals' }],
  ['context.task.scopes', scopes],
  ['resource.scopes', scopes],
  ['resource.host', { kind: 'host', names: 'hosts', where: 'resources' }],
]);
/** Those of them that are sets. */
const CLOSED: ReadonlySet<string> = new Set([...LISTS.keys()].filter((path) => path !== 'resource.host'));
const HELD: ReadonlySet<string> = new Set([...CLOSED].map((path) => path.slice(path.lastIndexOf('.') + 1)));

function undeclared(name: string, type: DeclaredHeader['type']): string {
  const [kind, entry] = type === 'long' ? ['number', `${name}, type: long`] : ['text', name];
  return `the config lets no ${kind} header '${name}' through; add { name: ${entry} } to policy.headers, or correct it`;
}

/** What to say of a name that is on no list. */
export function unlisted(kind: string, name: string, where: string): string {
  return `no ${kind} is called '${name}'; list it in the inventory under ${where}, or correct it`;
}

import type { Inventory } from '../../inventory/inventory.ts';
import type { Problem } from '../../source/problem.ts';
import type { PolicySettings } from '../text/sources.ts';
import { problemIn } from '../text/split-policies.ts';
import { stringValue, wordOffset } from '../text/tokens.ts';
import { expressions, type Node, nodeOf, operand, pathOf, stringsOf } from './ast.ts';
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
    for (const { offset, fault, list } of [...tagFaults(policy, node, names), ...listFaults(policy, node, names)]) {
      if (policy.guardrail && list === 'approvals') continue;
      problems.push(problemIn(policy, offset, fault));
    }
    const hidden = hiddenList(node);
    if (hidden === null) continue;
    const message = `${hidden} is compared with names only where it stands by itself, as in ${hidden}.contains("..."); write it so`;
    problems.push(problemIn(policy, wordOffset(policy.tokens, hidden.split('.').at(-1) ?? ''), message));
  }
  return problems;
}

interface StringFault {
  readonly offset: number;
  readonly fault: string;
  /** The closed list that the name is missing from, where it is one. */
  readonly list?: ClosedList['names'];
}

/** Names of tags, which are headers, numbers or labels by what they are tags of. */
function tagFaults(policy: ParsedPolicy, node: Node, { inventory, settings }: Names): StringFault[] {
  if (node.operator !== 'hasTag' && node.operator !== 'getTag') return [];
  const left = operand(node, 'left');
  // Of an entity literal nothing but the name is known: that is refused by itself.
  if (nodeOf(left)?.operator === 'Value') return [];
  const path = pathOf(left) ?? '';
  const { workloadLabels, resourceLabels } = inventory.known;
  const label = (names: ReadonlySet<string>, kind: string, where: string) => (name: string) =>
    names.has(name) ? null : unlisted(kind, name, where);
  const faultOf = new Map<string, (name: string) => string | null>([
    ['context.headers', (name) => headerFault(settings, name, 'string')],
    ['context.numbers', (name) => headerFault(settings, name, 'long')],
    ['resource', label(resourceLabels, 'label or parameter of a resource', 'labels, or a template')],
    ['principal', label(workloadLabels, 'label of a workload', "a workload's labels")],
    ['context.chain.originator', label(workloadLabels, 'label of a workload', "a workload's labels")],
  ]).get(path);
  if (faultOf === undefined) {
    const fault = `whose tags these are is hidden; write principal.${node.operator}("..."), or the same of resource, context.headers or context.numbers`;
    return [{ offset: wordOffset(policy.tokens, node.operator), fault }];
  }
  return stringsOf(operand(node, 'right')).flatMap((name) => {
    const fault = faultOf(name);
    return fault === null ? [] : [{ offset: valueOffset(policy, name), fault }];
  });
}

/** Names that are compared with a closed list. */
function listFaults(policy: ParsedPolicy, node: Node, { inventory }: Names): StringFault[] {
  if (!COMPARING.has(node.operator)) return [];
  const [left, right] = [operand(node, 'left'), operand(node, 'right')];
  const list = LISTS.get(pathOf(left) ?? '') ?? LISTS.get(pathOf(right) ?? '');
  if (list === undefined) return [];
  const { kind, names, where } = list;
  return [...stringsOf(left), ...stringsOf(right)]
    .filter((text) => !inventory.known[names].has(text))
    .slice(0, MAX_FAULTS)
    .map((text) => ({ offset: valueOffset(policy, text), fault: unlisted(kind, text, where), list: names }));
}

/** A closed list, or what holds one, that the node does not compare but hands on; null where it does no such thing. */
function hiddenList(node: Node): string | null {
  if (node.operator === '.') {
    const { attr } = node.body as { attr?: unknown };
    return pathOf({ '.': node.body }) === null && HELD.has(String(attr)) ? String(attr) : null;
  }
  if (node.operator === 'has' || typeof node.body !== 'object' || node.body === null) return null;
  for (const part of Object.values(node.body)) {
    const path = pathOf(part) ?? '';
    if (path === 'context.task') return path;
    if (CLOSED.has(path) && node.operator !== 'isEmpty' && !COMPARING.has(node.operator)) return path;
  }
  return null;
}

const COMPARING: ReadonlySet<string> = new Set(['contains', 'containsAll', 'containsAny', '==', '!=']);

interface ClosedList {
  readonly kind: string;
  readonly names: 'approvals' | 'signals' | 'scopes' | 'hosts';
  readonly where: string;
}

const scopes: ClosedList = { kind: 'scope', names: 'scopes', where: "an api's scopes" };
/** What only ever holds names of a closed list. */
const LISTS: ReadonlyMap<string, ClosedList> = new Map([
  ['context.approvals', { kind: 'approval', names: 'approvals', where: 'approvals' }],
  ['context.signals', { kind: 'signal', names: 'signals', where: 'signals' }],
  ['context.task.scopes', scopes],
  ['resource.scopes', scopes],
  ['resource.host', { kind: 'host', names: 'hosts', where: 'resources' }],
]);
/** Those of them that are sets. */
const CLOSED: ReadonlySet<string> = new Set([...LISTS.keys()].filter((path) => path !== 'resource.host'));
const HELD: ReadonlySet<string> = new Set([...CLOSED].map((path) => path.slice(path.lastIndexOf('.') + 1)));

function headerFault({ headers }: PolicySettings, name: string, type: 'string' | 'long'): string | null {
  if (headers.some((header) => header.name === name && header.type === type)) return null;
  return `the config lets no ${type === 'long' ? 'number' : 'text'} header '${name}' through; add { name: ${name}${
    type === 'long' ? ', type: long' : ''
  } } to policy.headers, or correct it`;
}

/** What to say of a name that is on no list. */
export function unlisted(kind: string, name: string, where: string): string {
  return `no ${kind} is called '${name}'; list it in the inventory under ${where}, or correct it`;
}

/** Where a string of this value stands in the policy; its begin where it stands nowhere. */
export function valueOffset(policy: ParsedPolicy, value: string): number {
  const token = policy.tokens.find((candidate) => candidate.kind === 'string' && stringValue(candidate) === value);
  return token?.start ?? 0;
}

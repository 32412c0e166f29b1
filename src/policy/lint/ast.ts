import type { PolicyJson } from '../decide/engine.ts';

/** A node of Cedar's JSON policy format: its operator and what stands below. */
export interface Node {
  readonly operator: string;
  readonly body: unknown;
}

/**
 * Every object and list in a value, but for what is below one that `isWhole` holds for. Iterative, so that no depth can
 * overflow the stack.
 */
export function* objectsIn(value: unknown, isWhole = (_: object): boolean => false): Generator<object> {
  const open = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    yield next;
    if (!isWhole(next)) open.push(...Object.values(next));
  }
}

/** Every expression node of the policy's conditions, but for those below one that `isWhole` holds for. */
export function expressions(policy: PolicyJson, isWhole?: (part: object) => boolean): IteratorObject<Node> {
  const bodies = policy.conditions.map(({ body }) => body);
  return objectsIn(bodies, isWhole)
    .map(nodeOf)
    .filter((node) => node !== null);
}

/** The node that a value of the JSON format is, or null for the records that hold operands. */
export function nodeOf(value: unknown): Node | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const [entry, ...more] = Object.entries(value);
  return entry === undefined || more.length > 0 ? null : { operator: entry[0], body: entry[1] };
}

/** One operand of a node, `left` or `right`. */
export function operand(node: Node, side: 'left' | 'right'): unknown {
  return typeof node.body === 'object' && node.body !== null ? (node.body as Record<string, unknown>)[side] : undefined;
}

/** What a `.` or a `has` asks for: several names where `has` asks for a path. */
export function attributesOf(node: Node): readonly string[] {
  return [(node.body as { readonly attr: string | readonly string[] }).attr].flat();
}

/** `context.task.scopes` for an expression that only walks from a variable, else null. */
export function pathOf(expression: unknown): string | null {
  const steps: string[] = [];
  for (let node = nodeOf(expression); node !== null; node = nodeOf(operand(node, 'left'))) {
    if (node.operator === 'Var') return [String(node.body), ...steps].join('.');
    if (node.operator !== '.') return null;
    steps.unshift(...attributesOf(node));
  }
  return null;
}

/**
 * The literals that an expression can be, itself or as members of a set: both branches of an `if`, and what is taken out
 * of a record literal. What a tag or an attribute holds is not known here.
 */
export function literalsOf(expression: unknown): readonly unknown[] {
  const found: unknown[] = [];
  const open: unknown[] = [expression];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const node = nodeOf(next);
    if (node === null) continue;
    const parts = node.body as Partial<Record<string, unknown>>;
    if (node.operator === 'Set' && Array.isArray(node.body)) open.push(...node.body.toReversed());
    else if (node.operator === 'if-then-else') open.push(parts.else, parts.then);
    else if (node.operator === '.') open.push(parts.left);
    else if (node.operator === 'Record') open.push(...Object.values(parts));
    else if (node.operator === 'Value') found.push(...[node.body].flat());
  }
  return found;
}

/** Those of them that are strings. */
export function stringsOf(expression: unknown): readonly string[] {
  return literalsOf(expression).filter((value) => typeof value === 'string');
}

/** The strings that stand beside an expression of this path, whatever joins the two. */
export function stringsBeside(node: Node, path: string): readonly string[] {
  const sides = [operand(node, 'left'), operand(node, 'right')];
  return sides.some((side) => pathOf(side) === path) ? sides.flatMap(stringsOf) : [];
}

export const COMPARING: ReadonlySet<string> = new Set(['contains', 'containsAll', 'containsAny', '==', '!=']);

/** Those that an expression of this path is compared with. */
export const comparedWith = (node: Node, path: string): readonly string[] =>
  COMPARING.has(node.operator) ? stringsBeside(node, path) : [];

/** What `&&` joins at the top of an expression, from left to right. */
export function conjuncts<E>(expression: E): readonly E[] {
  const found: E[] = [];
  const open: E[] = [expression];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const node = nodeOf(next);
    if (node?.operator === '&&') open.push(operand(node, 'right') as E, operand(node, 'left') as E);
    else found.push(next);
  }
  return found;
}

import type { PolicyJson } from '../decide/engine.ts';
import { optionalFacts } from '../decide/facts.ts';
import { expressions, type Node, nodeOf, operand, pathOf } from './ast.ts';

/** What of `context` a request may lack: every field with `?` in cedar/schema.cedarschema. */
export const OPTIONAL: readonly string[] = ['task', 'declared', 'query', 'client', ...optionalFacts];
/** The one such field of a task. */
const SUBJECT = 'task.subject';

/** Evaluations of one condition; the few that need more count as passed. */
const MOST_EVALUATIONS = 1000;

/** A condition as it is with a fact, or without it. */
interface Assumed {
  readonly fact: string;
  readonly present: boolean;
}

/**
 * The facts whose absence changes the policy's answer in the direction of more access, each at most once: with the fact,
 * some value of it makes a forbid hold; without it, all else equal, the forbid does not hold. For a permit the reverse.
 * `context.task` is `task`, a header `headers.NAME`, a number `numbers.NAME`, and `headers` or `numbers` where the name is
 * computed. Conditions are compared as Boolean formulas over their comparisons, which count as independent: a policy is
 * never missed, and one whose comparisons exclude each other may be listed too often.
 */
export function factsThatOpenByAbsence(policy: PolicyJson): readonly string[] {
  const facts = new Set([...expressions(policy)].flatMap(presenceOf));
  return [...facts].filter((fact) => opensWithout(fact, policy)).toSorted();
}

/** The facts whose presence a node asks for; none for a node that is no such test. */
function presenceOf(node: Node): readonly string[] {
  if (node.operator === 'hasTag') {
    const [variable, kind] = (pathOf(operand(node, 'left')) ?? '').split('.');
    if (variable !== 'context' || (kind !== 'headers' && kind !== 'numbers')) return [];
    const name = nodeOf(operand(node, 'right'));
    return [name?.operator === 'Value' ? `${kind}.${name.body}` : kind];
  }
  if (node.operator !== 'has') return [];
  const { attr } = node.body as { readonly attr: string | readonly string[] };
  const [first = '', second] = typeof attr === 'string' ? [attr] : attr;
  const path = pathOf(operand(node, 'left'));
  if (path === 'context.task' || path === null) {
    if (first === 'subject') return [SUBJECT];
  }
  if ((path !== 'context' && path !== null) || !OPTIONAL.includes(first)) return [];
  return second === 'subject' ? [first, SUBJECT] : [first];
}

function opensWithout(fact: string, policy: PolicyJson): boolean {
  const [holding, lifted] = policy.effect === 'forbid' ? [true, false] : [false, true];
  const keys = new WeakMap<object, string>();
  let evaluations = 0;
  const search = (known: ReadonlyMap<string, boolean>): boolean => {
    if (++evaluations > MOST_EVALUATIONS) return true;
    const open: string[] = [];
    const read = (present: boolean) =>
      holds(policy, { assumed: { fact, present }, known, keys, unknown: (key) => open.push(key) });
    const [withIt, without] = [read(true), read(false)];
    if (withIt === !holding || without === !lifted) return false;
    const [next] = open;
    if (next === undefined) return true;
    return [true, false].some((value) => search(new Map([...known, [next, value]])));
  };
  return search(new Map());
}

interface Reading {
  readonly assumed: Assumed;
  readonly known: ReadonlyMap<string, boolean>;
  /** Texts of the comparisons, which may hold lists of thousands. */
  readonly keys: WeakMap<object, string>;
  readonly unknown: (key: string) => void;
}

/** A Boolean, or null where what is known does not decide. */
type Truth = boolean | null;

function holds(policy: PolicyJson, reading: Reading): Truth {
  return all(
    policy.conditions.map(({ kind, body }) => () => {
      const value = truth(body, reading);
      return kind === 'when' ? value : not(value);
    }),
  );
}

function truth(expression: unknown, reading: Reading): Truth {
  const node = nodeOf(expression);
  if (node === null) return null;
  const part = (name: string) => (): Truth => truth((node.body as Record<string, unknown>)[name], reading);
  switch (node.operator) {
    case '&&':
      return all([part('left'), part('right')]);
    case '||':
      return not(all([() => not(part('left')()), () => not(part('right')())]));
    case '!':
      return not(part('arg')());
    case 'if-then-else': {
      const condition = part('if')();
      if (condition !== null) return part(condition ? 'then' : 'else')();
      const [then, otherwise] = [part('then')(), part('else')()];
      return then === otherwise ? then : null;
    }
    case '==':
    case '!=': {
      if (!isBoolean(operand(node, 'left')) && !isBoolean(operand(node, 'right'))) break;
      const [left, right] = [part('left')(), part('right')()];
      return left === null || right === null ? null : (left === right) === (node.operator === '==');
    }
    case 'Value':
      if (typeof node.body === 'boolean') return node.body;
  }
  const facts = presenceOf(node);
  if (facts.length > 0) return all(facts.map((fact) => () => presence(fact, reading)));
  return comparison(expression as object, reading);
}

/** Whether a fact is there: assumed for the one that is looked at, and for what is part of it where it is absent. */
function presence(fact: string, reading: Reading): Truth {
  const { assumed } = reading;
  if (fact === assumed.fact) return assumed.present;
  if (!assumed.present && fact.startsWith(`${assumed.fact}.`)) return false;
  return recalled(`has ${fact}`, reading);
}

/** What reads the fact has another value where the fact is absent. */
function comparison(expression: object, reading: Reading): Truth {
  const { assumed, keys } = reading;
  const text = keys.get(expression) ?? JSON.stringify(expression);
  keys.set(expression, text);
  const [name = '', tag] = assumed.fact.split(/\.(.*)/s);
  const reads = text.includes(JSON.stringify(tag ?? name)) || WHOLE_CONTEXT.test(text);
  return recalled(reads ? `${assumed.present} ${text}` : text, reading);
}

/** The context as a value, which has whatever is in it. */
const WHOLE_CONTEXT = /\{"Var":"context"\}(?!,"attr")/;

function recalled(key: string, { known, unknown }: Reading): Truth {
  const value = known.get(key);
  if (value !== undefined) return value;
  unknown(key);
  return null;
}

function all(parts: readonly (() => Truth)[]): Truth {
  let result: Truth = true;
  for (const part of parts) {
    const value = part();
    if (value === false) return false;
    if (value === null) result = null;
  }
  return result;
}

function not(value: Truth): Truth {
  return value === null ? null : !value;
}

function isBoolean(expression: unknown): boolean {
  const node = nodeOf(expression);
  return node?.operator === 'Value' && typeof node.body === 'boolean';
}

import type { PolicyJson } from '../decide/engine.ts';
import { optionalFacts } from '../decide/facts.ts';
import { attributesOf, expressions, type Node, nodeOf, operand, pathOf } from './ast.ts';

/** What of `context` a request may lack: every field with `?` in cedar/schema.cedarschema. */
export const OPTIONAL: readonly string[] = ['task', 'declared', 'query', 'client', ...optionalFacts];
/** Such fields of a task. */
const OF_TASK: ReadonlySet<string> = new Set(['subject', 'coversResource']);

/** Evaluations of one condition; the few that need more count as passed. */
const MOST_EVALUATIONS = 1000;

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
  const [first = '', second] = attributesOf(node);
  const path = pathOf(operand(node, 'left'));
  if ((path === 'context.task' || path === null) && OF_TASK.has(first)) return [`task.${first}`];
  if ((path !== 'context' && path !== null) || !OPTIONAL.includes(first)) return [];
  return first === 'task' && OF_TASK.has(second ?? '') ? [first, `task.${second}`] : [first];
}

function opensWithout(fact: string, policy: PolicyJson): boolean {
  const [holding, lifted] = policy.effect === 'forbid' ? [true, false] : [false, true];
  let evaluations = 0;
  const search = (known: ReadonlyMap<string, boolean>): boolean => {
    if (++evaluations > MOST_EVALUATIONS) return true;
    const open: string[] = [];
    const unknown = (key: string) => open.push(key);
    const read = (present: boolean) => holds(policy, { fact, present, known, unknown });
    const [withIt, without] = [read(true), read(false)];
    if (withIt === !holding || without === !lifted) return false;
    const [next] = open;
    if (next === undefined) return true;
    return [true, false].some((value) => search(new Map([...known, [next, value]])));
  };
  return search(new Map());
}

/** A policy as it is with a fact, or without it. */
interface Reading {
  readonly fact: string;
  readonly present: boolean;
  readonly known: ReadonlyMap<string, boolean>;
  readonly unknown: (key: string) => void;
}

/** A Boolean, or null where what is known does not decide. */
type Truth = boolean | null;

function holds({ conditions }: PolicyJson, reading: Reading): Truth {
  const held = ({ kind, body }: PolicyJson['conditions'][number]): Truth =>
    kind === 'when' ? truth(body, reading) : not(truth(body, reading));
  return all(conditions.map((condition) => () => held(condition)));
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
  if (fact === reading.fact) return reading.present;
  if (!reading.present && fact.startsWith(`${reading.fact}.`)) return false;
  return recalled(`has ${fact}`, reading);
}

/** What reads the fact has another value where the fact is absent. */
function comparison(expression: object, reading: Reading): Truth {
  const { fact, present } = reading;
  const text = texts.get(expression) ?? JSON.stringify(expression);
  texts.set(expression, text);
  const [name = '', tag] = fact.split(/\.(.*)/s);
  const reads = text.includes(JSON.stringify(tag ?? name)) || WHOLE_CONTEXT.test(text);
  return recalled(reads ? `${present} ${text}` : text, reading);
}

/** Texts of the comparisons, which may hold lists of thousands. */
const texts = new WeakMap<object, string>();

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

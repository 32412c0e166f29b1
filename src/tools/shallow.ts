import type { PolicyJson } from '../policy/decide/engine.ts';
import { nodeOf } from '../policy/lint/ast.ts';
import { type Expression, join } from './bound.ts';

/** Cedar reads JSON to 126 levels, and a row of sixty operators has more: each stands inside the one before. */
const DEEP = 100;

/**
 * The policy, with long rows of `&&` or `||` bracketed in halves where it is nested too deeply to be handed over as JSON.
 * Both operators are associative, in what they evaluate and in which order too.
 */
export function shallow(policy: PolicyJson): PolicyJson {
  if (depthOf(policy) < DEEP) return policy;
  return { ...policy, conditions: policy.conditions.map(({ kind, body }) => ({ kind, body: halved(body) })) };
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let level = [value]; level.length > 0; depth++) {
    level = level.flatMap((part) => (typeof part === 'object' && part !== null ? Object.values(part) : []));
  }
  return depth;
}

function halved(expression: Expression): Expression {
  const operator = nodeOf(expression)?.operator;
  if (operator === '&&' || operator === '||') return together(operator, row(expression, operator));
  return mapped(expression) as Expression;
}

function mapped(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((part: unknown) => halved(part as Expression));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, halved(part as Expression)]));
}

/** What `a && b && c` joins, in its order. */
function row(expression: Expression, operator: '&&' | '||'): Expression[] {
  const node = nodeOf(expression);
  if (node?.operator !== operator) return [halved(expression)];
  const { left, right } = node.body as { readonly left: Expression; readonly right: Expression };
  return [...row(left, operator), ...row(right, operator)];
}

function together(operator: '&&' | '||', parts: readonly Expression[]): Expression {
  if (parts.length === 1) return parts[0]!;
  const middle = Math.ceil(parts.length / 2);
  return join(operator, together(operator, parts.slice(0, middle)), together(operator, parts.slice(middle)));
}

import type { PolicyJson } from '../policy/decide/engine.ts';
import { nodeOf } from '../policy/lint/ast.ts';

/** An expression of Cedar's JSON policy format. */
export type Expression = PolicyJson['conditions'][number]['body'];

/** Whether the value of an expression is not known. */
export type Unknown = (expression: Expression) => boolean;

/**
 * The policy without what is not known, so that it holds at least (`at most` false) or at most wherever the policy itself
 * can hold. Cedar evaluates the result; nothing of its semantics is repeated here but what `&&`, `||`, `!` and `if` mean.
 */
export function boundPolicy(policy: PolicyJson, side: 'upper' | 'lower', unknown: Unknown): PolicyJson {
  const upper = side === 'upper';
  return {
    ...policy,
    conditions: policy.conditions.map(({ kind, body }) => ({
      kind,
      body: bound(body, upper === (kind === 'when'), unknown),
    })),
  };
}

/** An expression that is true wherever this one can be (`upper`), or only where it must be. */
function bound(expression: Expression, upper: boolean, unknown: Unknown): Expression {
  const node = nodeOf(expression);
  const body = node?.body as Record<string, Expression>;
  switch (node?.operator) {
    case '&&':
    case '||':
      return join(node.operator, bound(body.left!, upper, unknown), bound(body.right!, upper, unknown));
    case '!':
      return { '!': { arg: bound(body.arg!, !upper, unknown) } };
    case 'if-then-else': {
      const [then, otherwise] = [bound(body.then!, upper, unknown), bound(body.else!, upper, unknown)];
      if (unknown(body.if!)) return join(upper ? '||' : '&&', then, otherwise);
      return { 'if-then-else': { if: body.if!, then, else: otherwise } };
    }
    default:
      return unknown(expression) ? { Value: upper } : expression;
  }
}

/** The two joined by an operator. */
export const join = (operator: '&&' | '||', left: Expression, right: Expression): Expression =>
  operator === '&&' ? { '&&': { left, right } } : { '||': { left, right } };

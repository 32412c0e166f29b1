import type { Problem } from '../../source/problem.ts';
import { problemIn } from '../text/split-policies.ts';
import { wordOffset } from '../text/tokens.ts';
import { MEANT } from './absence.ts';
import { expressions, nodeOf, operand, pathOf, stringsOf } from './ast.ts';
import type { ParsedPolicy } from './parsed.ts';

/** What the annotations that we act on, or show, are for. */
const KNOWN = ['id', 'mode', 'approval', 'trusts_issuer_chain', MEANT, 'control', 'description'] as const;

/** Of `context.chain`, what does not rest on the issuer's word about inner actors alone. */
const PLAIN_CHAIN: ReadonlySet<string> = new Set(['depth', 'trustDomains', 'external']);

/**
 * Cedar gives annotations no meaning, so a misspelt one is silently nothing: only known ones with known values pass. A
 * permit that reads who stands in the chain says that it trusts the token's issuer for that.
 */
export function annotationProblems(policy: ParsedPolicy): Problem[] {
  const problems: Problem[] = [];
  const at = (name: string, message: string): void => {
    problems.push(problemIn(policy, placeOf(policy, name), message));
  };
  const annotations = policy.json.annotations ?? {};
  for (const [name, value] of Object.entries<string | null>(annotations)) {
    if (!(KNOWN as readonly string[]).includes(name)) {
      at(name, `@${name} is no annotation that is known here; use one of ${KNOWN.map((k) => `@${k}`).join(', ')}`);
    } else if (name === 'mode' && value !== 'shadow') {
      at(
        name,
        `@mode(${JSON.stringify(value)}) is no mode; write @mode("shadow"), or leave it out to enforce the policy`,
      );
    } else if (name === 'approval' && policy.json.effect === 'permit') {
      at(name, '@approval on a permit asks for nothing; put it on the forbid that an approval lifts');
    } else if (name === 'approval' && value && !approvalsAsked(policy).has(value)) {
      const asks = `context.approvals.contains(${JSON.stringify(value)})`;
      at(name, `@approval(${JSON.stringify(value)}) lifts nothing: no condition asks for it; write unless { ${asks} }`);
    } else if (name === 'trusts_issuer_chain' && value !== null && value !== '') {
      at(name, '@trusts_issuer_chain takes no value; leave it out');
    } else if (name !== 'trusts_issuer_chain' && (value === null || value === '')) {
      at(name, `@${name} needs a value; write @${name}("...")`);
    }
  }
  if (policy.json.effect === 'permit' && !('trusts_issuer_chain' in annotations) && readsActors(policy)) {
    problems.push(
      problemIn(
        policy,
        wordOffset(policy.tokens, 'originator', 'actors', 'chain'),
        'a permit that rests on who stands in the chain believes the issuer of the token; say so with @trusts_issuer_chain',
      ),
    );
  }
  return problems;
}

/** The approvals by whose names some condition asks. */
function approvalsAsked({ json }: ParsedPolicy): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const node of expressions(json)) {
    const [left, right] = [operand(node, 'left'), operand(node, 'right')];
    if (pathOf(left) !== 'context.approvals' && pathOf(right) !== 'context.approvals') continue;
    for (const name of [...stringsOf(left), ...stringsOf(right)]) asked.add(name);
  }
  return asked;
}

/** Reads `context.chain.originator` or `.actors`, or takes `context` or `context.chain` as a whole, which may hide it. */
function readsActors(policy: ParsedPolicy): boolean {
  const open: unknown[] = policy.json.conditions.map((clause) => clause.body);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const node = nodeOf(next);
    if (node?.operator === 'Var' && node.body === 'context') return true;
    if (node?.operator === '.' || node?.operator === 'has') {
      const { attr } = node.body as { attr?: unknown };
      const path = pathOf(operand(node, 'left'));
      if (path === 'context.chain' && (node.operator === 'has' || PLAIN_CHAIN.has(String(attr)))) continue;
      if (path === 'context' && (node.operator === 'has' || attr !== 'chain')) continue;
      if (path === 'context' || path === 'context.chain') return true;
    }
    open.push(...Object.values(next));
  }
  return false;
}

function placeOf(policy: ParsedPolicy, annotation: string): number {
  const index = policy.tokens.findIndex((token, i) => token.text === '@' && policy.tokens[i + 1]?.text === annotation);
  return policy.tokens[index]?.start ?? 0;
}

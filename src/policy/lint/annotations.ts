import type { Problem } from '../../source/problem.ts';
import { problemAtWord, problemIn } from '../text/split-policies.ts';
import { annotationOffset } from '../text/tokens.ts';
import { MEANT } from './absence.ts';
import { TERMS, termProblem } from './approval-terms.ts';
import { attributesOf, expressions, nodeOf, operand, pathOf, stringsBeside } from './ast.ts';
import type { ParsedPolicy } from './parsed.ts';

/** What the annotations that we act on, or show, are for. */
const KNOWN: readonly string[] = [
  ...['id', 'mode', 'approval', ...TERMS, 'trusts_issuer_chain', MEANT, 'control', 'description'],
];

/** Of `context.chain`, what does not rest on the issuer's word about inner actors alone. */
const PLAIN_CHAIN: ReadonlySet<string> = new Set(['depth', 'trustDomains', 'external']);

/**
 * Cedar gives annotations no meaning, so a misspelt one is silently nothing: only known ones with known values pass. A
 * permit that reads who stands in the chain says that it trusts the token's issuer for that.
 */
export function annotationProblems(policy: ParsedPolicy, known = KNOWN): Problem[] {
  const problems: Problem[] = [];
  const at = (name: string, message: string): void => {
    problems.push(problemIn(policy, annotationOffset(policy.tokens, name), message));
  };
  const annotations = policy.json.annotations ?? {};
  for (const [name, value] of Object.entries<string | null>(annotations)) {
    if (!known.includes(name)) {
      at(name, `@${name} is no annotation that is known here; use one of ${known.map((k) => `@${k}`).join(', ')}`);
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
    } else if (name.startsWith('approval_') && !('approval' in annotations)) {
      at(name, `@${name} says what a grant is good for, and nothing asks for one; put @approval beside it`);
    } else if (value && termProblem(name, value) !== null) {
      at(name, `@${name} ${termProblem(name, value)}`);
    } else if (name === 'trusts_issuer_chain' && value !== null && value !== '') {
      at(name, '@trusts_issuer_chain takes no value; leave it out');
    } else if (name !== 'trusts_issuer_chain' && (value === null || value === '')) {
      at(name, `@${name} needs a value; write @${name}("...")`);
    }
  }
  if (policy.json.effect === 'permit' && !('trusts_issuer_chain' in annotations) && readsActors(policy)) {
    const message =
      'a permit that rests on who stands in the chain believes the issuer of the token; say so with @trusts_issuer_chain';
    problems.push(problemAtWord(policy, ['originator', 'actors', 'chain'], message));
  }
  return problems;
}

/** The approvals by whose names some condition asks. */
function approvalsAsked({ json }: ParsedPolicy): ReadonlySet<string> {
  return new Set(expressions(json).flatMap((node) => stringsBeside(node, 'context.approvals')));
}

/** Reads `context.chain.originator` or `.actors`, or takes `context` or `context.chain` as a whole, which may hide it. */
function readsActors({ json }: ParsedPolicy): boolean {
  return expressions(json, readsNoActor).some(({ operator, body }) => operator === 'Var' && body === 'context');
}

/** Reads something of `context` that tells of no actor, or asks only whether it is there. */
function readsNoActor(part: object): boolean {
  const node = nodeOf(part);
  if (node?.operator !== '.' && node?.operator !== 'has') return false;
  const path = pathOf(operand(node, 'left'));
  const [attribute = ''] = attributesOf(node);
  if (path === 'context.chain') return node.operator === 'has' || PLAIN_CHAIN.has(attribute);
  return path === 'context' && (node.operator === 'has' || attribute !== 'chain');
}

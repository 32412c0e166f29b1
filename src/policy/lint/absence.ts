import type { Problem } from '../../source/problem.ts';
import { problemIn } from '../text/split-policies.ts';
import { stringValue } from '../text/tokens.ts';
import type { ParsedPolicy } from './parsed.ts';
import { factsThatOpenByAbsence } from './presence.ts';
import { type Clause, clausesOf, safeForm } from './safe-form.ts';

/** The annotation that says which facts a request may lack to pass a forbid. */
export const MEANT = 'allows_missing';

/**
 * A forbid that a request passes by leaving something out: `when { context has task && … }` says nothing of a request
 * without a task. Such a forbid is written `unless { context has task && … }`, or says that it is meant, by name:
 * `@allows_missing("task")`. What it says in vain is a problem too.
 */
export function absenceProblems(policy: ParsedPolicy): Problem[] {
  const stated = policy.json.annotations?.[MEANT];
  const meant = !stated ? [] : stated.split(',').map((name) => name.trim());
  if (policy.json.effect === 'permit') {
    if (stated === undefined) return [];
    return [problemIn(policy, annotationOffset(policy), `@${MEANT} on a permit says nothing; leave it out`)];
  }
  const facts = factsThatOpenByAbsence(policy.json);
  const vain = meant.filter((name) => !facts.includes(name));
  return [
    ...facts.filter((fact) => !meant.includes(fact)).map((fact) => passed(policy, fact)),
    ...vain.map((name) => {
      const other = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
      const message = `no request passes this forbid for want of '${name}'; name what it lets pass${other}, or leave @${MEANT} out`;
      return problemIn(policy, annotationOffset(policy), message);
    }),
  ];
}

function passed(policy: ParsedPolicy, fact: string): Problem {
  const [offset, clause] = placeOf(policy, fact);
  const presence = presenceText(fact);
  const form =
    clause === null ? null : safeForm(clause, presence, (part) => part.includes(readText(fact)), policy.text);
  const write = form === null ? `unless { ${presence} && … }` : form;
  const subject = isHeader(fact) ? `the header ${tagOf(fact) || 'that is asked for'}` : `context.${fact}`;
  return problemIn(
    policy,
    offset,
    `a request without ${subject} passes this forbid; write ${write} in place of this clause, or say that it is meant: @${MEANT}("${fact}")`,
  );
}

/** The first test for the fact, and the clause that it stands in. */
function placeOf(policy: ParsedPolicy, fact: string): [offset: number, clause: Clause | null] {
  const name = tagOf(fact);
  const asks = isHeader(fact) ? 'hasTag' : 'has';
  for (const clause of clausesOf(policy)) {
    const at = clause.tokens.findIndex(({ text }, i) => {
      const next = clause.tokens[i + (asks === 'has' ? 1 : 2)];
      const value = next?.kind === 'string' ? stringValue(next) : next?.text;
      return text === asks && (value === name || name === '');
    });
    const token = clause.tokens[at];
    if (token === undefined) continue;
    // Where the expression begins: `context`, or what stands before `.hasTag`.
    let first = at;
    while (clause.tokens[first - 1]?.kind === 'word' || clause.tokens[first - 1]?.text === '.') first--;
    return [clause.tokens[first]?.start ?? token.start, clause];
  }
  return [0, null];
}

function isHeader(fact: string): boolean {
  return fact.startsWith('headers') || fact.startsWith('numbers');
}

/** The name after `headers.`, `numbers.` or `task.`; the whole name of another fact, empty where it is computed. */
function tagOf(fact: string): string {
  const dot = fact.indexOf('.');
  return fact === 'headers' || fact === 'numbers' ? '' : fact.slice(dot + 1);
}

/** How a policy asks for the fact. */
function presenceText(fact: string): string {
  const [kind = ''] = fact.split('.');
  if (isHeader(fact)) return `context.${kind}.hasTag(${JSON.stringify(tagOf(fact) || '…')})`;
  return fact === 'task.subject' ? 'context.task has subject' : `context has ${fact}`;
}

function readText(fact: string): string {
  const [kind = ''] = fact.split('.');
  return isHeader(fact) ? `context.${kind}.getTag(${JSON.stringify(tagOf(fact))})` : `context.${fact}`;
}

function annotationOffset(policy: ParsedPolicy): number {
  const index = policy.tokens.findIndex((token, i) => token.text === '@' && policy.tokens[i + 1]?.text === MEANT);
  return policy.tokens[index]?.start ?? 0;
}

import type { Problem } from '../../source/problem.ts';
import { problemIn } from '../text/split-policies.ts';
import { annotationOffset, stringValue } from '../text/tokens.ts';
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
  const offset = annotationOffset(policy.tokens, MEANT);
  if (policy.json.effect === 'permit') {
    if (stated === undefined) return [];
    return [problemIn(policy, offset, `@${MEANT} on a permit says nothing; leave it out`)];
  }
  const facts = factsThatOpenByAbsence(policy.json);
  const vain = meant.filter((name) => !facts.includes(name));
  return [
    ...facts.filter((fact) => !meant.includes(fact)).map((fact) => passed(policy, fact)),
    ...vain.map((name) => {
      const other = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
      const message = `no request passes this forbid for want of '${name}'; name what it lets pass${other}, or leave @${MEANT} out`;
      return problemIn(policy, offset, message);
    }),
  ];
}

function passed(policy: ParsedPolicy, fact: string): Problem {
  const [kind = '', tag] = fact.split(/\.(.*)/s);
  const header = kind === 'headers' || kind === 'numbers';
  // A header whose name is computed has none here.
  const name = header ? (tag ?? '') : fact;
  const quoted = JSON.stringify(name || '…');
  const asked = kind === 'task' && tag !== undefined ? `context.task has ${tag}` : `context has ${fact}`;
  const presence = header ? `context.${kind}.hasTag(${quoted})` : asked;
  const read = header ? `context.${kind}.getTag(${JSON.stringify(name)})` : `context.${fact}`;
  const [offset, clause] = placeOf(policy, header ? 'hasTag' : 'has', header ? name : (tag ?? kind));
  const form = clause === null ? null : safeForm(clause, presence, (part) => part.includes(read), policy.text);
  const write = form ?? `unless { ${presence} && … }`;
  const subject = header ? `the header ${name || 'that is asked for'}` : `context.${fact}`;
  const message = `a request without ${subject} passes this forbid; write ${write} in place of this clause, or say that it is meant: @${MEANT}("${fact}")`;
  return problemIn(policy, offset, message);
}

/** The first test for a fact of this name, or for any where the name is empty, and the clause that it stands in. */
function placeOf(policy: ParsedPolicy, asks: 'has' | 'hasTag', name: string): [offset: number, clause: Clause | null] {
  for (const clause of clausesOf(policy)) {
    const at = clause.tokens.findIndex(({ text }, i) => {
      const next = clause.tokens[i + (asks === 'has' ? 1 : 2)];
      const value = next?.kind === 'string' ? stringValue(next) : next?.text;
      return text === asks && (value === name || name === '');
    });
    if (at === -1) continue;
    // Where the expression begins: `context`, or what stands before `.hasTag`.
    let first = at;
    while (clause.tokens[first - 1]?.kind === 'word' || clause.tokens[first - 1]?.text === '.') first--;
    return [clause.tokens[first]?.start ?? 0, clause];
  }
  return [0, null];
}

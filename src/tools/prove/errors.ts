import type { Cedar, PolicyJson } from '../../policy/decide/engine.ts';
import { type Comparing, factTexts } from './compare.ts';
import { concerns, type RequestEnvironment } from './environments.ts';
import { inOneFile, mayErr, type Rule } from './rules.ts';

type Body = PolicyJson['conditions'][number]['body'];

/** Where a policy can fail to be evaluated, or why that is not known; null: for no request that is asked. */
export async function failureIn(
  policy: Rule,
  environments: readonly RequestEnvironment[],
  comparing: Comparing,
  cedar: Cedar,
): Promise<string | null> {
  if (!mayErr(policy)) return null;
  const [all, tried] = [triedBy(policy.json, false), triedBy(policy.json, true)].map((json) =>
    cedar.policyToText(json),
  );
  if (all?.type !== 'success' || tried?.type !== 'success') return 'it cannot be written for a solver';
  const facts = factTexts(comparing);
  for (const environment of environments.filter((one) => concerns(policy.json, one))) {
    const question = {
      kind: 'implies',
      policies: inOneFile([all.text, ...facts]),
      others: inOneFile([tried.text, ...facts]),
    } as const;
    const answer = await comparing.solver.ask(question, comparing.schema, environment);
    if (answer.kind === 'unknown') return `${environment.name}: ${answer.why}`;
    if (answer.kind === 'fails') return environment.name;
  }
  return null;
}

/**
 * The policy as a permit of all that its scope holds; `tried`: for which its conditions can be evaluated, whatever comes of them. What
 * fails in Cedar permits nothing.
 */
function triedBy({ annotations: _, ...policy }: PolicyJson, tried: boolean): PolicyJson {
  const parts = policy.conditions.map(({ kind, body }): Body => (kind === 'when' ? body : { '!': { arg: body } }));
  const [first, ...rest] = parts;
  if (!tried || first === undefined) return { ...policy, effect: 'permit', conditions: [] };
  const whole = rest.reduce<Body>((left, right) => ({ '&&': { left, right } }), first);
  const body: Body = { '||': { left: whole, right: { Value: true } } };
  return { ...policy, effect: 'permit', conditions: [{ kind: 'when', body }] };
}

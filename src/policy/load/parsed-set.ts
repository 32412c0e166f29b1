import { type Problem, problemAtStart } from '../../source/problem.ts';
import type { NamedEntities } from '../decide/cedar-request.ts';
import type { Cedar, CedarFault } from '../decide/engine.ts';
import type { PolicyFacts } from '../decide/validated.ts';
import { termsOf } from '../lint/approval-terms.ts';
import type { FindMistakes } from '../lint/find-mistakes.ts';
import { limitProblems } from '../lint/limits.ts';
import { entitiesOf } from '../lint/literals.ts';
import { isShadow, type ParsedPolicy } from '../lint/parsed.ts';
import {
  type PolicyFiles,
  type PolicyText,
  problemIn,
  type SourcePolicy,
  splitSources,
} from '../text/split-policies.ts';
import { diagnose } from './diagnose.ts';

/** The policies of one schema, as their files hold them. */
export interface ParsedSet {
  /** Those that are disabled too. */
  readonly all: readonly SourcePolicy[];
  /** Those in force that parsed. */
  readonly parsed: readonly ParsedPolicy[];
  readonly problems: readonly Problem[];
}

/** Splits files into policies and parses those in force. Only text within its limits is handed to Cedar. */
export function readSet(files: PolicyFiles, cedar: Cedar, mistakesIn: FindMistakes): ParsedSet {
  const { all, inForce, problems: unsplit } = splitSources(files);
  const problems: Problem[] = [...unsplit, ...all.flatMap(limitProblems)];
  const parsed: ParsedPolicy[] = [];
  const faults: { policy: PolicyText; fault: CedarFault }[] = [];
  for (const policy of inForce) {
    if (limitProblems(policy).length > 0) continue;
    const slot = policy.tokens.find((token, i) => token.text === '?' && policy.tokens[i + 1]?.kind === 'word');
    if (slot !== undefined) {
      problems.push(problemIn(policy, slot.start, 'a template is not served; write the entity in place of the slot'));
      continue;
    }
    const answer = cedar.policyToJson(policy.text);
    if (answer.type === 'success') parsed.push({ ...policy, json: answer.json });
    else faults.push(...answer.errors.map((fault) => ({ policy, fault })));
  }
  return { all, parsed, problems: [...problems, ...diagnose(faults, mistakesIn)] };
}

/** What is wrong with the guardrails of a set: those in `required` must be there, unless they are disabled. */
export function missingGuardrails(
  { all }: ParsedSet,
  required: ReadonlySet<string>,
  disabled: ReadonlySet<string>,
  folder: string,
): Problem[] {
  const shipped = new Set(all.filter(({ guardrail }) => guardrail).map(({ id }) => id));
  const missing = [...required.difference(shipped).difference(disabled)];
  const found =
    shipped.size === 0 && missing.length > 0
      ? ['no guardrail (*.cedar) is here']
      : missing.map((id) => `'${id}' is missing`);
  const instead = 'put back what this release ships, or disable it under policy.guardrails.disable';
  return found.map((what) => problemAtStart(folder, `${what}; ${instead}`));
}

/** Policies whose id another has. */
export function repeatedIds(policies: readonly PolicyText[]): Problem[] {
  return [...Map.groupBy(policies, ({ id }) => id)].flatMap(([id, [first, ...others]]) =>
    others.map((policy) => problemIn(policy, 0, `the id ${id} is taken by ${first?.source.file}; choose another`)),
  );
}

/** What Cedar's strict mode finds. `mistaken`: policies with a mistake of the table, which says more than other lints do. */
export function checkAgainstSchema(
  cedar: Cedar,
  schema: string,
  policies: readonly ParsedPolicy[],
  mistakesIn: FindMistakes,
) {
  const answer = cedar.validate({ schema, policies: { staticPolicies: program(policies) } });
  if (answer.type === 'failure') {
    const message = answer.errors.map((fault) => fault.message).join('; ');
    return { errors: [problemAtStart('policies', message)], warnings: [], mistaken: new Set<string>() };
  }
  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  const located = (found: readonly { policyId: string; error: CedarFault }[]) =>
    found.flatMap(({ policyId, error }) => {
      const policy = byId.get(policyId);
      return policy === undefined ? [] : [{ policy, fault: error }];
    });
  const errors = located(answer.validationErrors);
  const mistaken = errors.filter(({ policy }) => mistakesIn(policy).length > 0);
  return {
    errors: diagnose(errors, mistakesIn),
    warnings: diagnose(located(answer.validationWarnings), mistakesIn),
    mistaken: new Set(mistaken.map(({ policy }) => policy.id)),
  };
}

/** The texts of policies by their ids. */
export function program(policies: readonly PolicyText[]): Record<string, string> {
  return Object.fromEntries(policies.map((policy) => [policy.id, policy.text]));
}

/** Every entity that some policy names, by type. */
export function namedBy(policies: readonly Pick<ParsedPolicy, 'json'>[]): NamedEntities {
  const named = policies.flatMap(({ json }) => entitiesOf(json));
  const byType = Map.groupBy(named, ({ type }) => type);
  return new Map([...byType].map(([type, uids]) => [type, new Set(uids.map(({ id }) => id))]));
}

export function policyFacts(policy: ParsedPolicy): PolicyFacts {
  return {
    id: policy.id,
    file: policy.source.file,
    effect: policy.json.effect,
    shadow: isShadow(policy),
    approval: policy.json.annotations?.approval ?? null,
    terms: termsOf(policy),
    guardrail: policy.guardrail,
  };
}

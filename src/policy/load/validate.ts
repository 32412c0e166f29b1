import { loadInventory } from '../../inventory/load.ts';
import { formatProblem, type Problem, problemAtStart, sortProblems } from '../../source/problem.ts';
import type { NamedEntities } from '../decide/cedar-request.ts';
import { scopeOf } from '../decide/decider.ts';
import type { Cedar, CedarFault } from '../decide/engine.ts';
import { footprintOf } from '../decide/footprint.ts';
import { groupsOf } from '../decide/project.ts';
import type { PolicyFacts, ValidatedPolicies } from '../decide/validated.ts';
import { absenceProblems } from '../lint/absence.ts';
import { annotationProblems } from '../lint/annotations.ts';
import { mistakesIn, silentMistakes } from '../lint/find-mistakes.ts';
import { limitProblems } from '../lint/limits.ts';
import { entitiesOf, literalProblems, readingProblems } from '../lint/literals.ts';
import { nameProblems } from '../lint/names.ts';
import { isShadow, type ParsedPolicy } from '../lint/parsed.ts';
import { pathProblems } from '../lint/paths.ts';
import { joinSchemas } from '../lint/schemas.ts';
import { teamProblems } from '../lint/teams.ts';
import type { Sources } from '../text/sources.ts';
import { type PolicyText, problemIn, type SourcePolicy, splitSources } from '../text/split-policies.ts';
import { effectToken } from '../text/tokens.ts';
import { diagnose } from './diagnose.ts';
import { dryRun } from './dry-run.ts';
import { WorkloadLines } from './workload-lines.ts';

/** Evaluations of every condition before a snapshot is served. */
const WARM_ROUNDS = 40;

/**
 * Judges sources before anything is served from them: splits, lints, parses, validates in Cedar's strict mode, runs the
 * folder's own tests and tries every condition. Runs on an instance that is thrown away, since hostile text can kill one. Problems of one stage are reported together; a later
 * stage builds on the earlier ones.
 */
export function validate(sources: Sources, cedar: Cedar, warmRounds = WARM_ROUNDS): ValidatedPolicies | Problem[] {
  const { settings } = sources;
  const lines = sources.workloads === undefined ? undefined : new WorkloadLines(sources.workloads);
  const inventory = loadInventory(sources.inventory.text, sources.inventory.file, {
    ownTrustDomains: new Set(settings.ownTrustDomains),
    lines,
  });
  const schema = joinSchemas(cedar, sources.schema, sources.schemas);
  const { texts, problems } = split(sources);
  const { parsed, problems: unparsed } = parse(cedar, texts);
  problems.push(...unparsed);
  if (Array.isArray(inventory)) problems.push(...inventory);
  if (Array.isArray(schema)) problems.push(...schema);
  if (Array.isArray(inventory) || Array.isArray(schema) || problems.length > 0) return sortProblems(problems);

  const { errors, warnings, mistaken } = checkAgainstSchema(cedar, schema, parsed);
  problems.push(...errors, ...(settings.allowWarnings ? [] : warnings));
  problems.push(...shadowedGuardrails(parsed, settings.requiredGuardrails));
  for (const policy of parsed) {
    // What else would be said of it is said of what was not meant.
    if (mistaken.has(policy.id)) continue;
    problems.push(...annotationProblems(policy), ...teamProblems(policy, inventory.known.teams));
    problems.push(...readingProblems(policy), ...literalProblems(policy), ...absenceProblems(policy));
    problems.push(...silentMistakes(policy));
    problems.push(...nameProblems(policy, { inventory, settings }), ...pathProblems(policy));
  }
  if (problems.length > 0)
    return sortProblems([...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()]);
  const validated: ValidatedPolicies = {
    schema,
    inventory: inventory.content,
    workloads: lines?.digest ?? null,
    enforced: program(parsed.filter((policy) => !isShadow(policy))),
    shadowed: program(parsed.filter(isShadow).map(asPermit)),
    policies: parsed.map(factsOf),
    named: namedBy(parsed),
    footprints: new Map(
      parsed.map(({ id, json }) => [id, { footprint: footprintOf(json), scope: scopeOf(json) }] as const),
    ),
    actionGroups: groupsOf(cedar, schema),
    warnings,
  };
  const failed = dryRun(sources, inventory, validated, parsed, warmRounds);
  return failed.length > 0 ? failed : validated;
}

/** All policies that hold, and what is wrong with the files, ids and sizes of all. */
function split(sources: Sources): { readonly texts: readonly SourcePolicy[]; readonly problems: Problem[] } {
  const { all, inForce, problems } = splitSources(sources);
  const disabled = new Set(sources.settings.disabledGuardrails.map(({ id }) => id));
  const shipped = new Set(all.filter(({ guardrail }) => guardrail).map(({ id }) => id));
  const required = new Set(sources.settings.requiredGuardrails);
  const unknown = disabled.difference(shipped).difference(required);
  const missing = required.difference(shipped).difference(disabled);
  const notCalled = (id: string) =>
    problemAtStart('config: policy.guardrails.disable', `no guardrail is called '${id}'; correct it, or remove it`);
  return {
    texts: inForce,
    problems: [
      ...problems,
      ...repeatedIds(all),
      ...all.flatMap(limitProblems),
      ...[...unknown].map(notCalled),
      ...missingGuardrails([...missing], shipped.size === 0),
    ],
  };
}

/** A guardrail that is gone from its folder protects no more: that takes the same words as switching it off. */
function missingGuardrails(ids: readonly string[], none: boolean): Problem[] {
  const found = none && ids.length > 0 ? ['no guardrail (*.cedar) is here'] : ids.map((id) => `'${id}' is missing`);
  const instead = 'put back what this release ships, or disable it under policy.guardrails.disable';
  return found.map((what) => problemAtStart('guardrails', `${what}; ${instead}`));
}

/** In shadow, a guardrail of this release would be switched off without a reason and an end. */
function shadowedGuardrails(policies: readonly ParsedPolicy[], required: readonly string[]): Problem[] {
  return policies
    .filter((policy) => policy.guardrail && isShadow(policy) && required.includes(policy.id))
    .map((policy) =>
      problemIn(policy, 0, `'${policy.id}' is in shadow; disable it under policy.guardrails.disable instead`),
    );
}

/** Only text within its limits is handed to Cedar. */
function parse(cedar: Cedar, texts: readonly SourcePolicy[]) {
  const parsed: ParsedPolicy[] = [];
  const problems: Problem[] = [];
  const faults: { policy: PolicyText; fault: CedarFault }[] = [];
  for (const policy of texts) {
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
  return { parsed, problems: [...problems, ...diagnose(faults)] };
}

/** The policy with its effect turned into `permit`. */
function asPermit(policy: ParsedPolicy): ParsedPolicy {
  const effect = effectToken(policy.tokens);
  if (effect === undefined) return policy;
  return { ...policy, text: `${policy.text.slice(0, effect.start)}permit${policy.text.slice(effect.end)}` };
}

function factsOf(policy: ParsedPolicy): PolicyFacts {
  return {
    id: policy.id,
    file: policy.source.file,
    effect: policy.json.effect,
    shadow: isShadow(policy),
    approval: policy.json.annotations?.approval ?? null,
    guardrail: policy.guardrail,
  };
}

function repeatedIds(policies: readonly PolicyText[]): Problem[] {
  return [...Map.groupBy(policies, ({ id }) => id)].flatMap(([id, [first, ...others]]) =>
    others.map((policy) => problemIn(policy, 0, `the id ${id} is taken by ${first?.source.file}; choose another`)),
  );
}

function checkAgainstSchema(cedar: Cedar, schema: string, policies: readonly ParsedPolicy[]) {
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
    errors: diagnose(errors),
    warnings: diagnose(located(answer.validationWarnings)),
    mistaken: new Set(mistaken.map(({ policy }) => policy.id)),
  };
}

function program(policies: readonly PolicyText[]): Record<string, string> {
  return Object.fromEntries(policies.map((policy) => [policy.id, policy.text]));
}

function namedBy(policies: readonly ParsedPolicy[]): NamedEntities {
  const named = policies.flatMap(({ json }) => entitiesOf(json));
  const byType = Map.groupBy(named, ({ type }) => type);
  return new Map([...byType].map(([type, uids]) => [type, new Set(uids.map(({ id }) => id))]));
}

import { loadInventory } from '../../inventory/load.ts';
import { formatProblem, type Problem, problemAtStart, sortProblems } from '../../source/problem.ts';
import { scopeOf } from '../decide/decider.ts';
import type { Cedar } from '../decide/engine.ts';
import { footprintOf } from '../decide/footprint.ts';
import type { ValidatedPolicies } from '../decide/validated.ts';
import { absenceProblems } from '../lint/absence.ts';
import { annotationProblems } from '../lint/annotations.ts';
import { mayLetGrant } from '../lint/approval-terms.ts';
import { mistakesIn, silentMistakes } from '../lint/find-mistakes.ts';
import { literalProblems, readingProblems } from '../lint/literals.ts';
import { nameProblems } from '../lint/names.ts';
import { isShadow, type ParsedPolicy } from '../lint/parsed.ts';
import { pathProblems } from '../lint/paths.ts';
import { joinSchemas } from '../lint/schemas.ts';
import { teamProblems } from '../lint/teams.ts';
import { CONTROL_GUARDRAILS } from '../text/guardrails.ts';
import type { Sources } from '../text/sources.ts';
import { problemAtString, problemIn } from '../text/split-policies.ts';
import { effectToken } from '../text/tokens.ts';
import { checkControl, readControl } from './control.ts';
import { dryRun } from './dry-run.ts';
import {
  checkAgainstSchema,
  missingGuardrails,
  namedBy,
  type ParsedSet,
  policyFacts,
  program,
  readSet,
  repeatedIds,
} from './parsed-set.ts';
import { WorkloadLines } from './workload-lines.ts';

/** Evaluations of every condition before a snapshot is served: each of the probes once, in most estates. */
const WARM_ROUNDS = 16;

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
  const joined = joinSchemas(cedar, sources.schema, sources.schemas);
  const set = readSet(sources, cedar, mistakesIn);
  const { parsed } = set;
  const controlSet = readControl(sources, cedar);
  const problems = [...set.problems, ...(controlSet?.problems ?? []), ...setProblems(sources, set, controlSet)];
  if (Array.isArray(inventory)) problems.push(...inventory);
  if (Array.isArray(joined)) problems.push(...joined);
  if (Array.isArray(inventory) || Array.isArray(joined) || problems.length > 0) return sortProblems(problems);
  const { text: schema, groups } = joined;

  const { errors, warnings, mistaken } = checkAgainstSchema(cedar, schema, parsed, mistakesIn);
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
  const control = controlSet === null ? null : checkControl(controlSet, { inventory, settings }, cedar);
  problems.push(...(control?.problems ?? []), ...ungrantable(parsed, controlSet));
  if (problems.length > 0)
    return sortProblems([...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()]);
  const validated: ValidatedPolicies = {
    schema,
    inventory: inventory.content,
    workloads: lines?.digest ?? null,
    enforced: program(parsed.filter((policy) => !isShadow(policy))),
    shadowed: program(parsed.filter(isShadow).map(asPermit)),
    policies: parsed.map(policyFacts),
    named: namedBy(parsed),
    footprints: new Map(
      parsed.map(({ id, json }) => [id, { footprint: footprintOf(json), scope: scopeOf(json) }] as const),
    ),
    actionGroups: groups,
    control: control?.validated ?? null,
    warnings: [...warnings, ...(control?.warnings ?? [])],
  };
  const failed = dryRun(sources, inventory, validated, parsed, warmRounds, controlSet?.parsed);
  return failed.length > 0 ? failed : validated;
}

/** What is wrong with the guardrails and with the ids of all policies. */
function setProblems({ settings, schemas }: Sources, set: ParsedSet, control: ParsedSet | null): Problem[] {
  const all = [...set.all, ...(control?.all ?? [])];
  const disabled = new Set(settings.disabledGuardrails.map(({ id }) => id));
  const required = new Set(settings.requiredGuardrails);
  const ofControl = new Set(CONTROL_GUARDRAILS);
  const shipped = new Set(all.filter(({ guardrail }) => guardrail).map(({ id }) => id));
  const unknown = [...disabled.difference(shipped).difference(required)];
  const notCalled = (id: string) =>
    problemAtStart('config: policy.guardrails.disable', `no guardrail is called '${id}'; correct it, or remove it`);
  const misplaced = schemas.filter(({ file }) => file.startsWith('control/'));
  return [
    ...misplaced.map(({ file }) =>
      problemAtStart(
        file,
        'control policies know the types of this release alone; move it out of control/, or remove it',
      ),
    ),
    ...repeatedIds(all),
    ...unknown.map(notCalled),
    ...missingGuardrails(set, required.difference(ofControl), disabled, 'guardrails'),
    ...(control === null
      ? []
      : missingGuardrails(control, required.intersection(ofControl), disabled, 'guardrails/control')),
  ];
}

/** Approvals that a policy of the estate asks for, and that none of its control policies lets anybody grant: then it always denies. */
function ungrantable(policies: readonly ParsedPolicy[], control: ParsedSet | null): Problem[] {
  return policies.flatMap((policy) => {
    const approval = policy.guardrail ? null : (policy.json.annotations?.approval ?? null);
    if (approval === null || control === null || control.parsed.some((one) => mayLetGrant(one, approval))) return [];
    const message = `no policy in control/ lets a person grant '${approval}'; permit Control::Action::"grant" on it there`;
    return [problemAtString(policy, approval, message)];
  });
}

/** In shadow, a guardrail of this release would be switched off without a reason and an end. */
function shadowedGuardrails(policies: readonly ParsedPolicy[], required: readonly string[]): Problem[] {
  return policies
    .filter((policy) => policy.guardrail && isShadow(policy) && required.includes(policy.id))
    .map((policy) =>
      problemIn(policy, 0, `'${policy.id}' is in shadow; disable it under policy.guardrails.disable instead`),
    );
}

/** The policy with its effect turned into `permit`. */
function asPermit(policy: ParsedPolicy): ParsedPolicy {
  const effect = effectToken(policy.tokens);
  if (effect === undefined) return policy;
  return { ...policy, text: `${policy.text.slice(0, effect.start)}permit${policy.text.slice(effect.end)}` };
}

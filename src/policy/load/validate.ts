import { loadInventory } from '../../inventory/load.ts';
import { formatProblem, type Problem, sortProblems } from '../../source/problem.ts';
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
import type { ParsedPolicy } from '../lint/parsed.ts';
import { pathProblems } from '../lint/paths.ts';
import { joinSchemas } from '../lint/schemas.ts';
import { teamProblems } from '../lint/teams.ts';
import type { Sources } from '../text/sources.ts';
import { type PolicyText, problemIn, splitPolicies } from '../text/split-policies.ts';
import { diagnose } from './diagnose.ts';
import { dryRun } from './dry-run.ts';

/** Evaluations of every condition before a snapshot is served. */
const WARM_ROUNDS = 40;

/**
 * Judges sources before anything is served from them: splits, lints, parses, validates in Cedar's strict mode, runs the
 * folder's own tests and tries every condition. Runs on an instance that is thrown away, since hostile text can kill one. Problems of one stage are reported together; a later
 * stage builds on the earlier ones.
 */
export function validate(sources: Sources, cedar: Cedar, warmRounds = WARM_ROUNDS): ValidatedPolicies | Problem[] {
  const { settings } = sources;
  const inventory = loadInventory(sources.inventory.text, sources.inventory.file, {
    ownTrustDomains: new Set(settings.ownTrustDomains),
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
  if (problems.length > 0) return sortProblems(onlyOnce(problems));
  const validated: ValidatedPolicies = {
    schema,
    inventory: inventory.content,
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

function onlyOnce(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()];
}

/** All policies that hold: the guardrails without the disabled ones, and the operators'. */
function split({ guardrails, policies, settings }: Sources): {
  readonly texts: (PolicyText & { readonly guardrail: boolean })[];
  readonly problems: Problem[];
} {
  const parts = [
    ...guardrails.map((file) => ({ ...splitPolicies(file), guardrail: true })),
    ...policies.map((file) => ({ ...splitPolicies(file), guardrail: false })),
  ];
  const all = parts.flatMap((part) => part.policies.map((policy) => ({ ...policy, guardrail: part.guardrail })));
  const disabled = new Set(settings.disabledGuardrails.map(({ id }) => id));
  const shipped = new Set(all.filter((policy) => policy.guardrail).map((policy) => policy.id));
  const required = new Set(settings.requiredGuardrails);
  const unknown = [...disabled].filter((id) => !shipped.has(id) && !required.has(id));
  const missing = [...required].filter((id) => !shipped.has(id) && !disabled.has(id));
  return {
    texts: all.filter((policy) => !policy.guardrail || !disabled.has(policy.id)),
    problems: [
      ...parts.flatMap((part) => part.problems),
      ...repeatedIds(all),
      ...all.flatMap(limitProblems),
      ...unknown.map((id) => ({
        file: 'config: policy.guardrails.disable',
        line: 1,
        column: 1,
        message: `no guardrail is called '${id}'; correct it, or remove it`,
      })),
      ...missingGuardrails(missing, shipped.size === 0),
    ],
  };
}

/** A guardrail that is gone from its folder protects no more: that takes the same words as switching it off. */
function missingGuardrails(ids: readonly string[], none: boolean): Problem[] {
  const found = none && ids.length > 0 ? ['no guardrail (*.cedar) is here'] : ids.map((id) => `'${id}' is missing`);
  return found.map((what) => ({
    file: 'guardrails',
    line: 1,
    column: 1,
    message: `${what}; put back what this release ships, or disable it under policy.guardrails.disable`,
  }));
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
function parse(
  cedar: Cedar,
  texts: readonly (PolicyText & { readonly guardrail: boolean })[],
): { readonly parsed: ParsedPolicy[]; readonly problems: Problem[] } {
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

function isShadow(policy: ParsedPolicy): boolean {
  return policy.json.annotations?.mode === 'shadow';
}

/** The policy with its effect turned into `permit`: the first word outside its annotations. */
function asPermit(policy: ParsedPolicy): ParsedPolicy {
  const effect = policy.tokens.find(
    ({ kind, text }, index) => kind === 'word' && text === policy.json.effect && policy.tokens[index - 1]?.text !== '@',
  );
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
  const first = new Map<string, PolicyText>();
  const problems: Problem[] = [];
  for (const policy of policies) {
    const other = first.get(policy.id);
    if (other === undefined) first.set(policy.id, policy);
    else problems.push(problemIn(policy, 0, `the id ${policy.id} is taken by ${other.source.file}; choose another`));
  }
  return problems;
}

function checkAgainstSchema(
  cedar: Cedar,
  schema: string,
  policies: readonly ParsedPolicy[],
): { readonly errors: Problem[]; readonly warnings: Problem[]; readonly mistaken: ReadonlySet<string> } {
  const answer = cedar.validate({ schema, policies: { staticPolicies: program(policies) } });
  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  const located = (found: readonly { policyId: string; error: CedarFault }[]) =>
    diagnose(
      found.flatMap(({ policyId, error }) => {
        const policy = byId.get(policyId);
        return policy === undefined ? [] : [{ policy, fault: error }];
      }),
    );
  if (answer.type === 'failure') {
    const message = answer.errors.map((fault) => fault.message).join('; ');
    return { errors: [{ file: 'policies', line: 1, column: 1, message }], warnings: [], mistaken: new Set() };
  }
  const mistaken = answer.validationErrors.filter(({ policyId }) => {
    const policy = byId.get(policyId);
    return policy !== undefined && mistakesIn(policy).length > 0;
  });
  return {
    errors: located(answer.validationErrors),
    warnings: located(answer.validationWarnings),
    mistaken: new Set(mistaken.map(({ policyId }) => policyId)),
  };
}

function program(policies: readonly PolicyText[]): Record<string, string> {
  return Object.fromEntries(policies.map((policy) => [policy.id, policy.text]));
}

function namedBy(policies: readonly ParsedPolicy[]): NamedEntities {
  const named = new Map<string, Set<string>>();
  for (const { type, id } of policies.flatMap(({ json }) => entitiesOf(json))) {
    const ids = named.get(type);
    if (ids === undefined) named.set(type, new Set([id]));
    else ids.add(id);
  }
  return named;
}

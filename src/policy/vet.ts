import { type Problem, sortProblems } from '../inventory/problem.ts';
import { diagnose } from './diagnose.ts';
import type { Cedar, CedarFault, PolicyJson } from './engine.ts';
import type { SourceFile } from './place.ts';
import type { Sources } from './sources.ts';
import { type PolicyText, problemIn, splitPolicies } from './split.ts';
import { literals } from './tokens.ts';
import type { Named } from './vocabulary.ts';

/** What is known of one policy beside its text. */
export interface PolicyFacts {
  readonly id: string;
  readonly file: string;
  readonly effect: 'permit' | 'forbid';
  /** `@mode("shadow")`: judged, never enforced. */
  readonly shadow: boolean;
  /** The approval that its `@approval` asks for. */
  readonly approval: string | null;
  readonly guardrail: boolean;
}

/** Sources that passed: plain data, so that it can come back from a worker. */
export interface Vetted {
  readonly schema: string;
  readonly enforced: Readonly<Record<string, string>>;
  readonly shadowed: Readonly<Record<string, string>>;
  readonly policies: readonly PolicyFacts[];
  /** Every entity that a policy names, by type. */
  readonly named: Named;
  readonly warnings: readonly Problem[];
}

/** A policy that parsed. */
export interface ParsedPolicy extends PolicyText {
  readonly json: PolicyJson;
  readonly guardrail: boolean;
}

/**
 * Judges sources before anything is served from them: reads, lints, parses and validates in Cedar's strict mode. Runs on
 * an instance that is thrown away, since hostile text can kill one.
 */
export function vet(sources: Sources, cedar: Cedar): Vetted | Problem[] {
  const split = [
    ...sources.guardrails.map((file) => ({ ...splitPolicies(file), guardrail: true })),
    ...sources.policies.map((file) => ({ ...splitPolicies(file), guardrail: false })),
  ];
  const problems = split.flatMap((part) => part.problems);
  const texts = split.flatMap((part) => part.policies.map((policy) => ({ ...policy, guardrail: part.guardrail })));
  problems.push(...repeatedIds(texts));
  const parsed: ParsedPolicy[] = [];
  const faults: { policy: PolicyText; fault: CedarFault }[] = [];
  for (const policy of texts) {
    const answer = cedar.policyToJson(policy.text);
    if (answer.type === 'success') parsed.push({ ...policy, json: answer.json });
    else faults.push(...answer.errors.map((fault) => ({ policy, fault })));
  }
  problems.push(...diagnose(faults));
  if (problems.length > 0) return sortProblems(problems);

  const schema = [sources.schema, ...sources.schemas].map((file) => file.text).join('\n');
  const validated = validate(cedar, sources.schema, schema, parsed);
  if (validated.problems.length > 0) return sortProblems(validated.problems);
  const isShadow = (policy: ParsedPolicy): boolean => policy.json.annotations?.mode === 'shadow';
  return {
    schema,
    enforced: program(parsed.filter((policy) => !isShadow(policy))),
    shadowed: program(parsed.filter(isShadow)),
    policies: parsed.map((policy) => ({
      id: policy.id,
      file: policy.source.file,
      effect: policy.json.effect,
      shadow: isShadow(policy),
      approval: policy.json.annotations?.approval ?? null,
      guardrail: policy.guardrail,
    })),
    named: namedBy(parsed),
    warnings: validated.warnings,
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

function validate(
  cedar: Cedar,
  schemaFile: SourceFile,
  schema: string,
  policies: readonly ParsedPolicy[],
): { readonly problems: Problem[]; readonly warnings: Problem[] } {
  const answer = cedar.validate({ schema, policies: { staticPolicies: program(policies) } });
  if (answer.type === 'failure') {
    const message = answer.errors.map((fault) => fault.message).join('; ');
    return { problems: [{ file: schemaFile.file, line: 1, column: 1, message }], warnings: [] };
  }
  const byId = new Map(policies.map((policy) => [policy.id, policy]));
  const located = (found: readonly { policyId: string; error: CedarFault }[]) =>
    diagnose(
      found.flatMap(({ policyId, error }) => {
        const policy = byId.get(policyId);
        return policy === undefined ? [] : [{ policy, fault: error }];
      }),
    );
  return { problems: located(answer.validationErrors), warnings: located(answer.validationWarnings) };
}

function program(policies: readonly PolicyText[]): Record<string, string> {
  return Object.fromEntries(policies.map((policy) => [policy.id, policy.text]));
}

function namedBy(policies: readonly PolicyText[]): Named {
  const named = new Map<string, Set<string>>();
  for (const literal of policies.flatMap((policy) => literals(policy.tokens))) {
    const ids = named.get(literal.type);
    if (ids === undefined) named.set(literal.type, new Set([literal.id]));
    else ids.add(literal.id);
  }
  return named;
}

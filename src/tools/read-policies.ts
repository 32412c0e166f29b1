import type { Cedar } from '../policy/decide/engine.ts';
import { isShadow, type ParsedPolicy } from '../policy/lint/parsed.ts';
import type { Sources } from '../policy/text/sources.ts';
import { type PolicyFiles, problemIn, splitSources } from '../policy/text/split-policies.ts';
import type { Problem } from '../source/problem.ts';

/** One policy that is in force or shadowed, as text and as data. */
export interface ReadPolicy extends ParsedPolicy {
  /** `@mode("shadow")`. */
  readonly shadow: boolean;
  /** A remark at the policy. */
  readonly remark: (message: string) => Problem;
}

/** Policies that were validated, in the order of their files, without disabled guardrails. */
export function readPolicies(files: PolicyFiles, cedar: Cedar): readonly ReadPolicy[] {
  return splitSources(files).inForce.flatMap((text) => {
    const answer = cedar.policyToJson(text.text);
    if (answer.type === 'failure') return [];
    const policy = { ...text, json: answer.json };
    return [{ ...policy, shadow: isShadow(policy), remark: (message: string) => problemIn(policy, 0, message) }];
  });
}

/** The same of the control policies. */
export function readControlPolicies({ control, settings }: Sources, cedar: Cedar): readonly ReadPolicy[] {
  return control === undefined ? [] : readPolicies({ ...control, settings }, cedar);
}

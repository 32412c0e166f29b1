import type { Cedar, PolicyJson } from '../policy/decide/engine.ts';
import type { Sources } from '../policy/text/sources.ts';
import { type PolicyText, problemIn, splitPolicies } from '../policy/text/split-policies.ts';
import type { Problem } from '../source/problem.ts';

/** One policy that is in force or shadowed, as text and as data. */
export interface ReadPolicy {
  readonly id: string;
  readonly json: PolicyJson;
  readonly guardrail: boolean;
  /** `@mode("shadow")`. */
  readonly shadow: boolean;
  readonly text: PolicyText;
  /** A remark at the policy. */
  readonly remark: (message: string) => Problem;
}

/** The policies of sources that were validated, in the order of their files, without disabled guardrails. */
export function readPolicies({ guardrails, policies, settings }: Sources, cedar: Cedar): readonly ReadPolicy[] {
  const disabled = new Set(settings.disabledGuardrails.map(({ id }) => id));
  const texts = [
    ...guardrails.flatMap((file) => splitPolicies(file).policies.map((text) => ({ text, guardrail: true }))),
    ...policies.flatMap((file) => splitPolicies(file).policies.map((text) => ({ text, guardrail: false }))),
  ];
  return texts
    .filter(({ text, guardrail }) => !(guardrail && disabled.has(text.id)))
    .flatMap(({ text, guardrail }) => {
      const parsed = cedar.policyToJson(text.text);
      if (parsed.type === 'failure') return [];
      const { id } = text;
      const shadow = parsed.json.annotations?.mode === 'shadow';
      return [
        { id, json: parsed.json, guardrail, shadow, text, remark: (message: string) => problemIn(text, 0, message) },
      ];
    });
}

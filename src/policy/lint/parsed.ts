import type { PolicyJson } from '../decide/engine.ts';
import type { PolicyText } from '../text/split-policies.ts';

/** A policy that parsed. */
export interface ParsedPolicy extends PolicyText {
  readonly json: PolicyJson;
  readonly guardrail: boolean;
}

import type { PolicyJson } from '../decide/engine.ts';
import type { SourcePolicy } from '../text/split-policies.ts';

/** A policy that parsed. */
export interface ParsedPolicy extends SourcePolicy {
  readonly json: PolicyJson;
}

/** `@mode("shadow")`. */
export const isShadow = ({ json }: ParsedPolicy): boolean => json.annotations?.mode === 'shadow';

import type { Refusal } from '../base/outcome.ts';
import type { CheckInput, RawRequestSummary } from '../http/input.ts';
import type { CheckTrace } from '../http/trace-context.ts';
import type { Permit } from '../policy/decide/permit.ts';
import type { GiveBack } from '../state/redemption.ts';
import type { HeaderMutations } from './header-mutations.ts';
import type { Trail } from './trail.ts';

/** This one check, beside its request. */
export interface CheckContext {
  /** The id of the decision in the audit. */
  readonly decision: string;
  /** When the one who asks stops waiting, in milliseconds since the epoch. */
  readonly deadline: number;
  /** Whether the one who asks stopped waiting already. */
  readonly gaveUp: () => boolean;
}

/** An allow holds its Permit, a denial its reason; nothing else leaves a check. */
export type Decision =
  | {
      readonly outcome: Permit;
      readonly mutations: HeaderMutations;
      readonly giveBack: GiveBack;
      readonly trail: Trail;
    }
  | { readonly outcome: Refusal; readonly trail: Trail };

/** One check and its decision: what is recorded, and what every listener gets. */
export interface CheckResult {
  /** The id of the decision in the audit. */
  readonly decision: string;
  /** When the check began, in milliseconds since the epoch. */
  readonly time: number;
  readonly microseconds: number;
  readonly input: CheckInput | null;
  /** Where there is no input. */
  readonly raw: RawRequestSummary | null;
  readonly decided: Decision;
  /** Null where it belongs to no trace. */
  readonly trace: CheckTrace | null;
}

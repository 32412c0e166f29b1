import { Refusal } from '../../base/outcome.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { EntityUid } from '../decide/call.ts';
import type { Snapshot } from '../decide/snapshot.ts';
import { controlCall, principalEntity, typeOf } from './call.ts';
import type { ControlAction, ControlContext, ControlPrincipal, ControlResource } from './question.ts';

/** What control policies said, by their ids. */
export interface ControlDecision {
  readonly allowed: boolean;
  /** Those that permit it; empty unless it is allowed. */
  readonly permits: readonly string[];
  readonly forbids: readonly string[];
  /** Why it could not be judged, in words for an operator: then it is not allowed. */
  readonly errors: readonly string[];
}

/** Who may do what through the control API: the control policies of one snapshot. */
export interface ControlPolicies {
  /** That of the snapshot. */
  readonly revision: string;
  /**
   * Whether the caller may. Nobody may without a policy, nor a workload that the inventory does not know, nor where a
   * policy cannot be evaluated. One call of Cedar on this thread, some tenths of a millisecond. Never throws.
   */
  decide(
    principal: ControlPrincipal,
    action: ControlAction,
    resource: ControlResource,
    context: ControlContext,
  ): ControlDecision;
  /**
   * The policies that may let somebody view something of these kinds, by their scopes alone: whether they do depends on what
   * there is. No call of Cedar.
   */
  mayViewSome(principal: ControlPrincipal, kinds: readonly ControlResource['kind'][]): readonly string[];
}

const NOBODY_MAY: ControlDecision = { allowed: false, permits: [], forbids: [], errors: [] };

/** The control policies of a snapshot, over the inventory of the same. */
export function controlPolicies(snapshot: Snapshot<Inventory>): ControlPolicies {
  const { control, inventory, revision } = snapshot;
  return {
    revision,
    mayViewSome: (principal, kinds) => {
      if (control === null) return [];
      const { uid, parents } = principalEntity(principal, control.named, inventory);
      const types = kinds.map(typeOf);
      const isIn = (within: EntityUid) =>
        [uid, ...parents].some(({ type, id }) => type === within.type && id === within.id);
      return control.views
        .filter((view) => (view.principalType ?? uid.type) === uid.type && (view.within === null || isIn(view.within)))
        .filter((view) => types.some((type) => view.types.includes(type)))
        .map(({ id }) => id);
    },
    decide: (principal, action, resource, context) => {
      if (control === null) return NOBODY_MAY;
      if (principal.kind === 'workload' && inventory.workload(principal.id) instanceof Refusal)
        return failed([`the inventory knows no ${principal.id.text}`]);
      const question = { principal, action, resource, ...context };
      const answer = snapshot.askControl(controlCall(question, control.named, inventory));
      if (answer?.kind !== 'answered') return failed([answer?.message ?? '']);
      const { decision, reasons, errors } = answer;
      if (errors.length > 0) return failed(errors.map(({ policy, message }) => `${policy}: ${message}`));
      const allowed = decision === 'allow';
      return { allowed, permits: allowed ? reasons : [], forbids: allowed ? [] : reasons, errors: [] };
    },
  };
}

const failed = (errors: readonly string[]): ControlDecision => ({ ...NOBODY_MAY, errors });

/** Why a call of the control API was denied, in one line. */
export function whyDenied({ forbids, errors }: ControlDecision): string {
  if (errors.length > 0) return errors.join('; ');
  return forbids.length > 0 ? `forbidden by ${forbids.join(', ')}` : 'no control policy permits it';
}

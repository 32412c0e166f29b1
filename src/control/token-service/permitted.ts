import type { ControlDecision } from '../../policy/control/decide.ts';
import type { ControlAction, ControlOrder, ControlResource } from '../../policy/control/question.ts';
import { controlTask } from '../../policy/control/registered.ts';
import type { Plan, WorkloadCall } from './plan.ts';

/** What control policies were asked about a plan, and what they said. */
export interface Permission {
  readonly action: ControlAction;
  readonly resource: ControlResource;
  readonly verdict: ControlDecision;
}

/**
 * Whether control policies permit a plan: to begin it for each workload that acts first (`start`), to hand it on to the
 * next one (`handOn`), to extend it (`extend`). Each question must be permitted; the first that is not decides.
 */
export function permitted(
  plan: Plan,
  call: Pick<WorkloadCall, 'may' | 'caller' | 'nowMs'>,
  issuer: string,
): Permission {
  const answers = questionsOf(plan, call, issuer).map(
    ({ action, resource, order }): Permission => ({ action, resource, verdict: call.may(action, resource, order) }),
  );
  return answers.find(({ verdict }) => !verdict.allowed) ?? answers.at(-1)!;
}

interface Question {
  readonly action: ControlAction;
  readonly resource: ControlResource;
  readonly order?: ControlOrder;
}

/** At least one. */
function questionsOf(
  { grant, task, starting, next, now }: Plan,
  { caller, nowMs }: Pick<WorkloadCall, 'caller' | 'nowMs'>,
  issuer: string,
): readonly Question[] {
  const { chain, purpose, scopes, endsAt, id } = grant;
  if (starting.length === 0 && next === null) {
    // That the caller may carry it, its token says.
    const carried =
      task === null ? null : { ...task, workloads: [...new Set([...task.workloads, caller.workload.id.text])] };
    return [{ action: 'extend', resource: controlTask({ find: () => carried }, issuer, id) }];
  }
  // Whole seconds from now, as they were asked for: what is left of this one is not given beyond what is permitted.
  const terms = { issuer, purpose, scopes, untilMs: nowMs + (endsAt - now) * 1000 };
  const questions: Question[] = starting.map((first) => ({
    action: 'start',
    resource: { kind: 'workload', id: first },
    order: { action: 'start', dryRun: false, parent: null, ...terms },
  }));
  if (next !== null)
    questions.push({
      action: 'handOn',
      resource: { kind: 'workload', id: next },
      order: { action: 'handOn', depth: chain.length, ...terms },
    });
  return questions;
}

import { Refusal } from '../base/outcome.ts';
import type { DecisionSummary } from '../state/activity/model.ts';
import type { CheckResult } from './decision.ts';

/** One decision as lists show it: who, why, what and the reason, of what the audit record says. No query, header or token. */
export function summaryOf(result: CheckResult, sidecar: string, omitted: number): DecisionSummary {
  const { decision, time, input, raw, decided } = result;
  const { outcome, trail } = decided;
  const { target, caller, taskContext } = trail.found;
  const presented = trail.verified.credential;
  const task = taskContext === undefined ? trail.verified.task : taskContext.task;
  const refusal = outcome instanceof Refusal ? outcome : null;
  const observed = outcome instanceof Refusal ? null : outcome.observed;
  return {
    decision,
    timeMs: time,
    result: refusal === null ? 'allow' : 'deny',
    reason: refusal?.reason ?? (observed === null ? 'permitted' : 'observed'),
    caller: caller?.workload.id.text ?? presented?.id?.text ?? null,
    owner: caller?.workload.owner ?? null,
    task: task && { issuer: task.issuer, id: task.id, purpose: task.purpose },
    action: target?.action ?? input?.method ?? null,
    resource: target === undefined ? null : { id: target.resource.id, api: target.resource.apis.at(-1) ?? null },
    host: (input ?? raw)?.host ?? null,
    credential: caller?.credential ?? presented?.credential ?? null,
    sidecar,
    omitted,
  };
}

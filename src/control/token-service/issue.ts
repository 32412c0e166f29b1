import { shownKey } from '../../state/tasks/key.ts';
import { notTaken } from '../api/tasks/not-taken.ts';
import type { TokenServiceParts } from '../http/parts.ts';
import { ApiProblem } from '../http/problem.ts';
import type { ApiReply } from '../http/route.ts';
import { claimsOf } from './claims.ts';
import type { Plan, WorkloadCall } from './plan.ts';
import { tokenType } from './request.ts';

/** How long after its end a token of a task could be accepted: no token lives longer than an hour, and clocks differ. */
const KEPT_MS = 3_600_000 + 10_000;

/**
 * Registers the task, or extends it, and mints the token: in this order, so that no token is without its task. The line of
 * the audit is there before. `nowMs`: now, which may be later than when the plan was made.
 */
export async function issue(
  plan: Plan,
  { caller, nowMs }: Pick<WorkloadCall, 'caller' | 'nowMs'>,
  service: TokenServiceParts,
): Promise<ApiReply | ApiProblem> {
  const keys = service.keys();
  if (keys === null) return ApiProblem.of('state_unavailable', 'the token service has no key');
  const { issuer, registry } = service;
  const { kind, grant, request, task, jti, now } = plan;
  const key = { issuer: issuer.issuer, id: grant.id };
  const by = caller.workload.id.text;
  if (task === null) {
    const order = {
      ...key,
      purpose: grant.purpose,
      owner: caller.workload.owner,
      workloads: grant.chain,
      parent: null,
      endsAtMs: grant.endsAt * 1000,
      leaseMs: request.leaseSeconds === null ? null : request.leaseSeconds * 1000,
      budgets: request.budgets,
      by,
      reason: 'begun at the token service',
    };
    const begun = await registry.register(order, KEPT_MS, nowMs);
    if (!('task' in begun)) return notTaken(begun, words);
  } else if (kind === 'refresh' && task.leaseMs !== null) {
    const extended = await registry.heartbeat(key, by, nowMs);
    if (!('task' in extended)) return notTaken(extended, words);
  }
  const claims = claimsOf(grant, { issuer: issuer.issuer, audience: issuer.audience, jti, now });
  const token = await keys.sign('txntoken+jwt', claims);
  service.issued(kind);
  const lease = request.leaseSeconds ?? (task?.leaseMs == null ? null : task.leaseMs / 1000);
  const body = {
    access_token: token,
    issued_token_type: tokenType('txn_token'),
    token_type: 'N_A',
    expires_in: grant.expiresAt - now,
    scope: grant.scopes.join(' '),
    task: { key: shownKey(key), ...key, ends: new Date(grant.endsAt * 1000).toISOString(), lease },
  };
  return { status: 200, body };
}

const words = {
  unknown: ['task_over', 'the task is not known any more'],
  over: 'task_over',
  unsigned: 'state_unavailable',
  conflict: 'state_unavailable',
} as const;

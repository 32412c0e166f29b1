import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { controlTask } from '../../../policy/control/registered.ts';
import type { Registration } from '../../../state/tasks/registry.ts';
import { digestOf } from '../../http/idempotency.ts';
import type { ControlParts } from '../../http/parts.ts';
import { ApiProblem } from '../../http/problem.ts';
import { type Call, route, type Subject } from '../../http/route.ts';
import { over } from './not-taken.ts';
import { parentProblem, type TaskOrder, taskOrderProblem, taskOrderSchema } from './order.ts';
import { knownTasks, taken, takenSchema } from './orders.ts';
import { isRevoked } from './view.ts';

/** `POST /tasks`: begins a task, or says whether it could begin. */
export const startRoute = route({
  name: 'startTask',
  method: 'POST',
  path: '/tasks',
  summary: 'Begins a task: its tokens permit from now on, until it ends, or lapses without a heartbeat',
  action: 'start',
  parameters: z.strictObject({
    dryRun: z
      .enum(['true', 'false'])
      .default('false')
      .describe('true: says whether it could begin, and begins nothing.'),
  }),
  body: taskOrderSchema,
  answers: {
    200: {
      what: 'With `dryRun=true`: the task could begin, as far as this process knows',
      schema: z.object({ summary: z.string() }),
    },
    201: { what: 'The task that began', schema: takenSchema },
  },
  problems: [
    ...['subject_unknown', 'end_past', 'end_late', 'issuer_exceeded', 'parent_exceeded', 'task_unsigned'],
    ...['key_reused', 'conflict', 'over', 'full'],
  ] as const,
  idempotent: true,
  subject: (call, parts) => subjectOf(call.body, call.parameters.dryRun === 'true', call, parts),
  prepare: async (call, parts) => {
    const { body: order, nowMs } = call;
    const { inventory } = parts.snapshot() ?? {};
    if (inventory === undefined) return ApiProblem.of('policy_unavailable');
    const { issuers, registry } = parts.tasks;
    const problem = taskOrderProblem(order, inventory, issuers, nowMs) ?? withinParent(order, parts, nowMs);
    if (problem !== null) return problem;
    const first = inventory.workload(order.workloads[0]!);
    const registration = registrationOf(call, order, 'owner' in first ? first.owner : null);
    if (isRevoked(registration, parts.book.lookup, nowMs)) return over('revoked');
    const isDry = call.parameters.dryRun === 'true';
    const about = { dryRun: isDry, task: stated(registration) };
    if (isDry) return { about, run: async () => ({ status: 200, body: { summary: DRY } }) };
    const { keptMs } = issuers.get(order.issuer)!;
    const run = async (at: number) =>
      taken(await registry.register(registration, keptMs, at), parts, at, { status: 201 });
    return { about, run };
  },
});

const DRY = 'policies permit it, and its issuer may state it';

/** Each workload that shall carry the task is asked about. Of a parent that is not there, who may view all learns it. */
function subjectOf(order: TaskOrder, dryRun: boolean, { nowMs, may }: Call, parts: ControlParts): Subject | ApiProblem {
  const tasks = knownTasks(parts, nowMs);
  if (tasks instanceof ApiProblem) return tasks;
  const { issuer, purpose, untilMs, workloads } = order;
  const parent = order.parent === null ? null : controlTask(tasks, order.parent.issuer, order.parent.id);
  if (parent?.registered === null && may('view', parent).allowed)
    return ApiProblem.of('subject_unknown', 'the task that it shall be a part of is not registered');
  const [resource, ...more] = workloads.map((id) => ({ kind: 'workload', id }) as const);
  return {
    resource: resource!,
    more,
    order: { action: 'start', dryRun, issuer, purpose, scopes: [], untilMs, parent },
  };
}

/** Why the task cannot be a part of the one that it names. */
function withinParent(order: TaskOrder, parts: ControlParts, nowMs: number): ApiProblem | null {
  if (order.parent === null) return null;
  const tasks = parts.tasks.registry.lookup;
  const parent = tasks.find(order.parent.issuer, order.parent.id);
  const { inventory } = parts.snapshot()!;
  if (parent === null) return ApiProblem.of('subject_unknown', 'the task that it shall be a part of is not registered');
  const state = tasks.stateOf(parent, nowMs);
  return state === 'active' ? parentProblem(order, parent, inventory) : over(state);
}

/**
 * The registration of an order. An id that has to be made is made of the caller and the idempotency key, where there is one:
 * the same order is the same task then, whichever process it is given to.
 */
function registrationOf(
  { by, idempotencyKey }: Pick<Call, 'by' | 'idempotencyKey'>,
  order: TaskOrder,
  ownerOfFirst: string | null,
): Registration {
  const { issuer, purpose, workloads, owner, parent, untilMs, leaseMs, budgets, reason } = order;
  const id =
    order.id ??
    (idempotencyKey === null
      ? randomBytes(16).toString('hex')
      : Buffer.from(digestOf(by, idempotencyKey), 'base64url').toString('hex', 0, 16));
  return {
    ...{ issuer, id, purpose, parent, leaseMs, budgets, by, reason },
    owner: owner ?? ownerOfFirst,
    workloads: workloads.map(({ text }) => text),
    endsAtMs: untilMs,
  };
}

const stated = ({
  issuer,
  id,
  purpose,
  owner,
  workloads,
  parent,
  endsAtMs,
  leaseMs,
  budgets,
  reason,
}: Registration) => ({
  ...{ issuer, id, purpose, owner, workloads, parent, budgets, reason },
  until: new Date(endsAtMs).toISOString(),
  leaseSeconds: leaseMs === null ? null : leaseMs / 1000,
});

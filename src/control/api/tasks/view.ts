import * as z from 'zod';
import { subjectOf } from '../../../state/revocation.ts';
import type { RevocationLookup } from '../../../state/revocations.ts';
import { shownKey } from '../../../state/tasks/key.ts';
import type { RegisteredTask, TaskKey, TaskLookup, TaskState } from '../../../state/tasks/registry.ts';

export const states = ['active', 'ended', 'lapsed', 'revoked'] as const;
export type ShownState = (typeof states)[number];

const time = z.iso.datetime();
const key = z.object({ issuer: z.string(), id: z.string() });
const budget = z.int().nullable();

/** A registered task as answers show it. */
export const taskView = z.object({
  key: z.string().describe('Names it in paths.'),
  issuer: z.string(),
  id: z.string(),
  purpose: z.string(),
  owner: z.string().nullable().describe('A team.'),
  workloads: z.array(z.string()).describe('Those that may carry it.'),
  parent: key.nullable().describe('The task that it is a part of.'),
  state: z.enum(states).describe('Only `active` permits.'),
  started: time,
  startedBy: z.string(),
  reason: z.string(),
  until: time.describe('When it ends by itself.'),
  leaseSeconds: z.number().nullable().describe('So long it lives after a heartbeat; null: it needs none.'),
  leaseUntil: time.nullable().describe('When it lapses without another heartbeat.'),
  budgets: z
    .object({ calls: budget, writes: budget, resources: budget })
    .describe('What it may use up, with all that are a part of it; null: as much as it likes.'),
  ended: z.object({ at: time, by: z.string(), reason: z.string() }).nullable().describe('By whose order it ended.'),
  keptUntil: time.describe('So long its id is not free.'),
  origin: z.string().describe('`store`: the shared store; `memory`: this process alone'),
});

const timeOf = (ms: number): string => new Date(ms).toISOString();
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : timeOf(ms));

/** What answers show of a task that is in this state. */
export function shownTask(task: RegisteredTask, state: ShownState): z.output<typeof taskView> {
  const { issuer, id, purpose, owner, workloads, parent, reason, budgets, ended, origin } = task;
  return {
    key: shownKey(task),
    ...{ issuer, id, purpose, owner, workloads: [...workloads] },
    parent: parent === null ? null : { issuer: parent.issuer, id: parent.id },
    state,
    started: timeOf(task.registeredAtMs),
    startedBy: task.by,
    reason,
    until: timeOf(task.endsAtMs),
    leaseSeconds: task.leaseMs === null ? null : task.leaseMs / 1000,
    leaseUntil: timeOrNull(task.leaseUntilMs),
    budgets: { calls: budgets.calls, writes: budgets.writes, resources: budgets.resources },
    ended: ended === null ? null : { at: timeOf(ended.atMs), by: ended.by, reason: ended.reason },
    keptUntil: timeOf(task.keptUntilMs),
    origin,
  };
}

/** Whether a revocation hits even the tokens of a task that are issued now. */
export function isRevoked({ issuer, id }: TaskKey, revocations: RevocationLookup, nowMs: number): boolean {
  if (revocations.empty) return false;
  const evidence = { subjects: [subjectOf('task', issuer, id)], issuedAt: Math.floor(nowMs / 1000) };
  return revocations.find([evidence], nowMs) !== null;
}

/** The state of a task, revocations included. */
export function stateOf(
  task: RegisteredTask,
  tasks: TaskLookup,
  revocations: RevocationLookup,
  nowMs: number,
): TaskState | 'revoked' {
  const state = tasks.stateOf(task, nowMs);
  return state === 'active' && isRevoked(task, revocations, nowMs) ? 'revoked' : state;
}

import {
  MAX_TASK_DEPTH,
  type RegisteredTask,
  type Registration,
  TASK_BYTES,
  type TaskLimits,
  type TaskResult,
} from './registry.ts';
import { type TaskTable, taskBytes } from './task-table.ts';

/** What there is already of a task that is to begin, or why it cannot; else the order as it is taken. */
export type JudgedOrder =
  | { readonly result: 'new'; readonly order: Registration }
  | { readonly result: 'known'; readonly task: RegisteredTask }
  | Exclude<TaskResult, { readonly result: 'stored' | 'unchanged' }>;

/**
 * Judges what is to begin by what is known. A child ends with its parent at the latest. `begins`: what is under way for each
 * workload, beside what the table counts. `pastMs`: a time that has surely come, by which it is judged what may be forgotten.
 */
export function judgeOrder(
  table: TaskTable,
  asked: Registration,
  { perWorkload, all }: TaskLimits,
  begins: { readonly size: number; countOf(workload: string): number },
  nowMs: number,
  pastMs = nowMs,
): JudgedOrder {
  const parent = asked.parent === null ? null : table.find(asked.parent.issuer, asked.parent.id);
  const order = parent === null ? asked : { ...asked, endsAtMs: Math.min(asked.endsAtMs, parent.endsAtMs) };
  const before = table.find(asked.issuer, asked.id);
  if (before !== null && before.keptUntilMs > pastMs) {
    const state = table.stateOf(before, nowMs);
    if (state !== 'active') return { result: 'over', state };
    if (isSame(before, order)) return { result: 'known', task: before };
    return { result: 'conflict', detail: `${asked.id} is another task of this issuer` };
  }
  if (order.endsAtMs <= nowMs) return { result: 'over', state: 'ended' };
  if (asked.parent !== null) {
    const state = parent === null ? 'unknown' : table.stateOf(parent, nowMs);
    if (state !== 'active') return { result: 'conflict', detail: `its parent is ${state}` };
    if (table.depthOf(order) > MAX_TASK_DEPTH)
      return { result: 'conflict', detail: `there are more than ${MAX_TASK_DEPTH} tasks above it` };
  }
  const detail = crowded(table, order, { perWorkload, all }, begins);
  return detail === null ? { result: 'new', order } : { result: 'full', detail };
}

/** Why there is no room for one more; null: there is. */
function crowded(
  table: TaskTable,
  order: Registration,
  { perWorkload, all }: TaskLimits,
  begins: { readonly size: number; countOf(workload: string): number },
): string | null {
  if (table.size + begins.size >= all) return `there are ${all} tasks, with those that are over and still remembered`;
  if (table.bytes + taskBytes(order) > all * TASK_BYTES)
    return `the tasks that are remembered take ${table.bytes} bytes`;
  const full = order.workloads.find((workload) => table.countOf(workload) + begins.countOf(workload) >= perWorkload);
  return full === undefined ? null : `${full} has ${perWorkload} tasks, with those that are over and still remembered`;
}

/** Whether a task began by this very order. */
const isSame = (task: RegisteredTask, order: Registration): boolean => contentOf(task) === contentOf(order);

/** The whole of an order, as one text. */
function contentOf({
  issuer,
  id,
  purpose,
  owner,
  workloads,
  parent,
  endsAtMs,
  leaseMs,
  budgets: { calls, writes, resources },
  by,
  reason,
}: Registration): string {
  const above = parent === null ? null : [parent.issuer, parent.id];
  return JSON.stringify([
    ...[issuer, id, purpose, owner, workloads, above],
    ...[endsAtMs, leaseMs, calls, writes, resources, by, reason],
  ]);
}

/** The lease that begins at `nowMs`; null where none is needed. A lease does not outlive its task. */
export const leaseFrom = ({ leaseMs, endsAtMs }: Registration, nowMs: number): number | null =>
  leaseMs === null ? null : Math.min(nowMs + leaseMs, endsAtMs);

/** Whether a heartbeat may wait: it would move the end of the lease by less than a quarter of it. */
export function isEarly(task: RegisteredTask, nowMs: number): boolean {
  const until = leaseFrom(task, nowMs);
  if (until === null || task.leaseUntilMs === null) return true;
  return until - task.leaseUntilMs < task.leaseMs! / 4 && until !== task.endsAtMs;
}

import * as z from 'zod';
import { Fault } from '../../../base/fault.ts';
import type { TaskLookup, TaskResult } from '../../../state/tasks/registry.ts';
import type { ControlParts } from '../../http/parts.ts';
import { ApiProblem } from '../../http/problem.ts';
import type { ApiReply } from '../../http/route.ts';
import { notTaken } from './not-taken.ts';
import { shownTask, stateOf, taskView } from './view.ts';

/** What the answer to an order says of a task, and whom the order reaches. */
export const takenSchema = z.object({
  task: taskView,
  at: z.iso.datetime().describe('When the store, or this process, had it.'),
  replicas: z.int().nullable().describe('How many replicas of the store had it then; null where nobody counts.'),
  covers: z.string().describe('Whom it reaches: `this process`, or all that share the `store`.'),
});

/** The tasks that are known, or why nobody knows. */
export function knownTasks({ tasks }: ControlParts, nowMs: number): TaskLookup | ApiProblem {
  const known = tasks.current(nowMs);
  return known instanceof Fault ? ApiProblem.of('state_unavailable', known.detail) : known;
}

/** What whoever ordered it is told. */
export function taken(
  result: TaskResult,
  { tasks, book }: ControlParts,
  nowMs: number,
  { status, more = {} }: { readonly status: ApiReply['status']; readonly more?: Readonly<Record<string, unknown>> },
): ApiReply | ApiProblem {
  if (!('task' in result)) return notTaken(result, words);
  const { task, atMs, replicas, covers } = result;
  const shown = shownTask(task, stateOf(task, tasks.registry.lookup, book.lookup, nowMs));
  return { status, body: { task: shown, at: new Date(atMs).toISOString(), replicas, covers, ...more } };
}

const words = { unknown: ['not_found', 'no such task is registered'], unsigned: 'task_unsigned' } as const;

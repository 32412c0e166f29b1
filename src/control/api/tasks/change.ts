import * as z from 'zod';
import { controlTask } from '../../../policy/control/registered.ts';
import { readKey } from '../../../state/tasks/key.ts';
import type { TaskKey, TaskLookup } from '../../../state/tasks/registry.ts';
import type { ControlParts } from '../../http/parts.ts';
import { ApiProblem } from '../../http/problem.ts';
import { route, type Subject } from '../../http/route.ts';
import type { Slices } from '../../http/slices.ts';
import { over } from './not-taken.ts';
import { knownTasks, taken, takenSchema } from './orders.ts';
import { shownTask, stateOf, taskView } from './view.ts';

const key = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,4096}$/, 'write `key` of a task as the list has it')
  .describe('Names a task: its `key` in the list.');

/** What a call about one task is about: what is registered of it is nobody's business who may not do the call. */
function subjectOf(written: string, nowMs: number, parts: ControlParts): Subject | ApiProblem {
  const named = readKey(written);
  if (named === null)
    return ApiProblem.of('parameters_invalid', null, { wrong: [{ at: '/key', message: 'is no key of a task' }] });
  const tasks = knownTasks(parts, nowMs);
  return tasks instanceof ApiProblem ? tasks : { resource: controlTask(tasks, named.issuer, named.id) };
}

/** The task of a key that was read before. */
const taskOf = (written: string, { tasks }: ControlParts) => {
  const named = readKey(written);
  return named === null ? null : tasks.registry.lookup.find(named.issuer, named.id);
};
const unknown = (): ApiProblem => ApiProblem.of('not_found', 'no such task is registered');

/** `GET /tasks/{key}`. */
export const taskRoute = route({
  name: 'task',
  method: 'GET',
  path: '/tasks/{key}',
  summary: 'One registered task',
  action: 'view',
  parameters: z.strictObject({ key }),
  body: null,
  answers: { 200: { what: 'The task', schema: taskView } },
  problems: ['state_unavailable'],
  idempotent: false,
  subject: ({ parameters, nowMs }, parts) => subjectOf(parameters.key, nowMs, parts),
  prepare: async ({ parameters, nowMs }, parts) => {
    const task = taskOf(parameters.key, parts);
    if (task === null) return unknown();
    const state = stateOf(task, parts.tasks.registry.lookup, parts.book.lookup, nowMs);
    return { about: {}, run: async () => ({ status: 200, body: shownTask(task, state) }) };
  },
});

/** `POST /tasks/{key}/heartbeat`: another lease. */
export const heartbeatRoute = route({
  name: 'heartbeatTask',
  method: 'POST',
  path: '/tasks/{key}/heartbeat',
  summary: 'Says that a task goes on: gives it another lease from now on',
  action: 'extend',
  parameters: z.strictObject({ key }),
  body: null,
  answers: { 200: { what: 'The task with its lease', schema: takenSchema } },
  problems: ['over', 'task_unsigned', 'conflict', 'full', 'state_unavailable'],
  idempotent: false,
  subject: ({ parameters, nowMs }, parts) => subjectOf(parameters.key, nowMs, parts),
  prepare: async ({ parameters, nowMs, by }, parts) => {
    const task = taskOf(parameters.key, parts);
    if (task === null) return unknown();
    const { registry } = parts.tasks;
    const state = stateOf(task, registry.lookup, parts.book.lookup, nowMs);
    if (state !== 'active') return over(state);
    return {
      about: {},
      run: async (at) => taken(await registry.heartbeat(task, by, at), parts, at, { status: 200 }),
    };
  },
});

const hitsSchema = z.object({ children: z.int().describe('Active tasks that are a part of it, and end with it.') });

/** `POST /tasks/{key}/end`: it, and all that are a part of it, permit nothing any more. */
export const endRoute = route({
  name: 'endTask',
  method: 'POST',
  path: '/tasks/{key}/end',
  summary: 'Ends a task and all that are a part of it; nothing makes one go on again',
  action: 'end',
  parameters: z.strictObject({
    key,
    dryRun: z.enum(['true', 'false']).default('false').describe('true: says what ends with it, and ends nothing.'),
  }),
  body: z.strictObject({ reason: z.string().min(1, 'an empty text; say why').max(2048).describe('Why.') }),
  answers: {
    200: {
      what: 'The task is over; with `dryRun=true`, what would end with it',
      schema: takenSchema.partial().extend({ hits: hitsSchema }),
    },
  },
  problems: ['key_reused', 'conflict', 'task_unsigned', 'full'],
  idempotent: true,
  subject: ({ parameters, nowMs }, parts) => subjectOf(parameters.key, nowMs, parts),
  prepare: async ({ parameters, body: { reason }, nowMs, by, slices }, parts) => {
    const task = taskOf(parameters.key, parts);
    if (task === null) return unknown();
    const { registry } = parts.tasks;
    const children = await childrenOf(task, parts, nowMs, slices);
    if (children instanceof ApiProblem) return children;
    const hits = { children };
    const isDry = parameters.dryRun === 'true';
    const about = { dryRun: isDry, reason, hits };
    if (isDry) return { about, run: async () => ({ status: 200, body: { hits } }) };
    const run = async (at: number) =>
      taken(await registry.end(task, by, reason, at), parts, at, { status: 200, more: { hits } });
    return { about, run };
  },
});

/** How many active tasks would end with this one. */
async function childrenOf(
  task: TaskKey,
  { tasks: { registry } }: ControlParts,
  nowMs: number,
  slices: Slices,
): Promise<number | ApiProblem> {
  const { lookup } = registry;
  let children = 0;
  for (const other of registry.all()) {
    if (slices.due && !(await slices.pause())) return ApiProblem.of('overloaded', 'there are too many tasks to count');
    if (other.parent !== null && isBelow(other.parent, task, lookup) && lookup.stateOf(other, nowMs) === 'active')
      children++;
  }
  return children;
}

/** Whether this one is the task, or a part of it. */
function isBelow(one: TaskKey, task: TaskKey, tasks: TaskLookup): boolean {
  for (let above: TaskKey | null = one; above !== null; above = tasks.find(above.issuer, above.id)?.parent ?? null)
    if (above.issuer === task.issuer && above.id === task.id) return true;
  return false;
}

import * as z from 'zod';
import { controlTask } from '../../../policy/control/registered.ts';
import type { RegisteredTask } from '../../../state/tasks/registry.ts';
import { fieldOf } from '../../../state/tasks/task-record.ts';
import { cursorOf, firstBehind, listParameters, pageSchema, readCursor, visible } from '../../http/page.ts';
import { ApiProblem } from '../../http/problem.ts';
import { route } from '../../http/route.ts';
import { seenBy } from '../../http/seen-by.ts';
import { knownTasks } from './orders.ts';
import { shownTask, stateOf, states, taskView } from './view.ts';

/** Tasks that one call looks at. */
const CANDIDATES = 1000;
const text = z.string().min(1).max(2048);

/** `GET /tasks`: those that are remembered, in the order of digests, so that no cursor names a task that may not be viewed. */
export const tasksRoute = route({
  name: 'tasks',
  method: 'GET',
  path: '/tasks',
  summary: 'The tasks that began, and those that are over and still remembered',
  action: 'view',
  parameters: z.strictObject({
    ...listParameters,
    workload: text.optional().describe('Only those that it may carry: a SPIFFE ID.'),
    purpose: text.optional().describe('Only those with this purpose.'),
    state: z.enum(states).optional().describe('Only those in this state.'),
  }),
  body: null,
  answers: { 200: { what: 'A page of tasks', schema: pageSchema(taskView) } },
  problems: ['cursor_invalid', 'state_unavailable'],
  idempotent: false,
  subject: () => null,
  prepare: async (call, parts) => {
    const { limit, cursor, workload, purpose, state } = call.parameters;
    const at = readCursor('tasks', 1, cursor);
    if (at instanceof ApiProblem) return at;
    const tasks = knownTasks(parts, call.nowMs);
    if (tasks instanceof ApiProblem) return tasks;
    const { registry } = parts.tasks;
    const stateNow = (task: RegisteredTask) => stateOf(task, tasks, parts.book.lookup, call.nowMs);
    const wanted = (task: RegisteredTask) =>
      task.keptUntilMs > call.nowMs &&
      (workload === undefined || task.workloads.includes(workload)) &&
      (purpose === undefined || task.purpose === purpose) &&
      (state === undefined || stateNow(task) === state);
    const first = await firstBehind(registry.all(), fieldOf, wanted, at?.[0] ?? null, CANDIDATES, call.slices);
    if (first instanceof ApiProblem) return first;
    const seeing = seenBy(call, ['task']);
    const maySee = ({ issuer, id }: RegisteredTask) => seeing.maySee(controlTask(tasks, issuer, id));
    const seen = await visible(first, limit, { wanted: () => true, maySee }, call.slices);
    const last = seen.last ?? (first.length === CANDIDATES ? first.at(-1)! : null);
    const next = last === null ? null : cursorOf('tasks', fieldOf(last));
    const items = seen.items.map((task) => shownTask(task, stateNow(task)));
    const body = { items, next, covers: parts.activity.covers };
    return { about: {}, verdict: seeing.verdict(items.length), run: async () => ({ status: 200, body }) };
  },
});

import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each rule of tasks at the control API have a test? One guard after another is deleted, and one condition after another is
 * weakened; the tests, which ask a real sidecar over TLS, must notice.
 */

const sources = [
  ...globSync('src/control/api/tasks/*.ts', { cwd: root }),
  'src/policy/control/registered.ts',
  'src/control/http/api.ts',
];
const tests = [
  ...globSync('test/control/tasks/*.test.ts', { cwd: root }),
  'test/control/rights.test.ts',
  'test/cli/tasks.test.ts',
];

const conditions: readonly Condition[] = [
  ['http/api.ts', '[subject.resource, ...(subject.more ?? [])]', '[subject.resource]'],
  ['control/registered.ts', 'workloads, startedBy: by', 'workloads: null, startedBy: by'],
  ['control/registered.ts', 'startedBy: by', 'startedBy: null'],
  ['tasks/change.ts', 'controlTask(tasks, named.issuer, named.id)', "controlTask(tasks, '', '')"],
  ['tasks/change.ts', 'tasks.find(above.issuer, above.id)?.parent ?? null', 'null'],
  ['tasks/change.ts', 'above.issuer === task.issuer && ', ''],
  ['tasks/change.ts', " && lookup.stateOf(other, nowMs) === 'active'", ''],
  ['tasks/list.ts', 'seeing.maySee(controlTask(tasks, issuer, id))', 'true'],
  ['tasks/list.ts', 'task.workloads.includes(workload)', 'true'],
  ['tasks/list.ts', 'task.purpose === purpose', 'true'],
  ['tasks/list.ts', 'stateNow(task) === state', 'true'],
  ['tasks/order.ts', '[purpose, ...wider].some', '[purpose].some'],
  ['tasks/order.ts', 'owner !== null && !owners.has(owner)', 'false'],
  ['tasks/order.ts', 'new Set(ids.map((one) => one.text)).size === ids.length', 'true'],
  ['tasks/order.ts', '<= MAX_WORKLOAD_CHARS', '> 0'],
  ['tasks/order.ts', " && parsed.path !== ''", ''],
  ['tasks/order.ts', 'purpose === parent.purpose || ', ''],
  ['tasks/order.ts', 'inventory.widerPurposes(purpose)?.includes(parent.purpose) === true', 'true'],
  ['tasks/start.ts', " && may('view', parent).allowed", ''],
  ['tasks/start.ts', 'owner: owner ?? ownerOfFirst', 'owner: ownerOfFirst'],
  ['tasks/view.ts', "state === 'active' && isRevoked", 'isRevoked'],
];

/** Ten seconds of work in slices, for more tasks than there may be. */
const LONG = 'only work that takes longer than a call may is given up';
/** Revocations are of the same store. */
const UNPROVEN = 'while nobody knows what the store holds, no caller is believed';

process.exitCode = await runMutation({
  name: 'control-tasks',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)).filter(isOfTasks),
  conditions,
  tests,
  near: (file) => {
    const first = /order/.test(file)
      ? /bad-input/
      : /api\.ts|registered/.test(file)
        ? /attacks/
        : /tasks\.test|bad-input/;
    return tests.filter((test) => first.test(test));
  },
  explained: {
    'control/api/tasks/change.ts: if (children instanceof ApiProblem) return children;': LONG,
    "control/api/tasks/change.ts: if (slices.due && !(await slices.pause())) return ApiProblem.of('overloaded', 'there are too many tasks to count');":
      LONG,
    'control/api/tasks/list.ts: if (first instanceof ApiProblem) return first;': LONG,
    "control/api/tasks/start.ts: if (inventory === undefined) return ApiProblem.of('policy_unavailable');":
      'without an inventory no call gets so far',
    "control/api/tasks/start.ts: if (parent === null) return ApiProblem.of('subject_unknown', 'the task that it shall be a part of is not registered');":
      'a guardrail refuses it before, unless that is disabled',
    'control/api/tasks/list.ts: if (tasks instanceof ApiProblem) return tasks;': UNPROVEN,
    'control/api/tasks/start.ts: if (tasks instanceof ApiProblem) return tasks;': UNPROVEN,
    'control/api/tasks/view.ts: if (revocations.empty) return false;': 'saves making what is looked up',
  },
});

/** Of the way of every call only what tasks brought along. */
function isOfTasks({ file, what }: { readonly file: string; readonly what: string }): boolean {
  return file !== 'src/control/http/api.ts' || what.includes('subject.more');
}

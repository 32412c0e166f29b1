import { hash } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import type { Target } from '../inventory/model.ts';
import type { History } from '../state/model.ts';
import type { Redemption } from '../state/redemption.ts';
import { type Budgets, MAX_TASK_DEPTH, type RegisteredTask, type TaskLookup } from '../state/tasks/registry.ts';
import type { Task, TaskContext } from '../task/model.ts';

/** Where budgets come from. */
export interface BudgetSource {
  /** The registered tasks that are known at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => TaskLookup | Fault;
  /** Since when nothing that was counted is forgotten. */
  readonly history: () => History;
}

const NOTHING: readonly Redemption[] = [];

/**
 * What a request uses of the budgets of its tasks and of all tasks above them: for `redeem`, which counts it together with what is
 * used once. A task that was registered before the state's history began has no budget left: what it used may be forgotten.
 * Refusals: `task_budget_spent` for such a task, and with each redemption; `state_unavailable` while nobody knows the tasks;
 * `task_ended` where a task above is not known any more. A request without a registered task pays nothing.
 */
export function budgetsOf(
  source: BudgetSource,
  { backing }: Pick<TaskContext, 'backing'>,
  target: Target,
  nowMs: number,
): readonly Redemption[] | Refusal {
  if (backing.length === 0) return NOTHING;
  const tasks = source.current(nowMs);
  if (tasks instanceof Fault) return new Refusal('state_unavailable', tasks.detail);
  const limited = limitedTasks(tasks, backing);
  if (limited instanceof Refusal) return limited;
  const history = source.history();
  const old = limited.find(({ registeredAtMs }) => registeredAtMs < history.sinceMs);
  if (old !== undefined)
    return new Refusal(
      'task_budget_spent',
      `${old.id} was registered before the store began to remember: begin a new task`,
    );
  return limited.flatMap((task) => redemptionsOf(task, target, history));
}

/** The tasks that are registered with budgets, and those above them, each once. */
function limitedTasks(tasks: TaskLookup, backing: readonly Task[]): readonly RegisteredTask[] | Refusal {
  const limited = new Set<RegisteredTask>();
  for (const { issuer, id } of backing) {
    let task = tasks.find(issuer, id);
    for (let above = 0; task !== null; above++) {
      const { calls, writes, resources } = task.budgets;
      if (calls !== null || writes !== null || resources !== null) limited.add(task);
      const { parent }: RegisteredTask = task;
      if (parent === null) break;
      task = above < MAX_TASK_DEPTH ? tasks.find(parent.issuer, parent.id) : null;
      if (task === null) return new Refusal('task_ended', `the task ${parent.id} above it is not known any more`);
    }
  }
  return [...limited];
}

function redemptionsOf(task: RegisteredTask, { resource, effect }: Target, history: History): Redemption[] {
  const { issuer, id, registeredAtMs, endsAtMs, budgets } = task;
  const name = digest([issuer, id, registeredAtMs]);
  const of = (kind: keyof Budgets, member: string | null): Redemption[] => {
    const limit = budgets[kind];
    if (limit === null) return [];
    const ifUsed = new Refusal('task_budget_spent', `${id} may have ${limit} ${kind}`);
    return [{ key: `${name}:${kind}`, until: endsAtMs, history, count: { limit, member }, ifUsed }];
  };
  return [
    ...of('calls', null),
    ...(effect === 'write' ? of('writes', null) : []),
    // The inventory names resources, and no caller does by what it writes into a path.
    ...of('resources', digest(resource.apis.at(-1) ?? resource.host.name)),
  ];
}

const digest = (of: unknown): string => hash('sha256', JSON.stringify(of), 'base64url');

import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import type { TaskLookup } from '../state/tasks/registry.ts';
import type { Task, TaskContext } from '../task/model.ts';

/** Where registered tasks come from. */
export interface RegistrationSource {
  /** Those that are known at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => TaskLookup | Fault;
  /** Whether tasks of this kind and issuer must be registered. */
  readonly required: (task: Task) => boolean;
  /**
   * Whether who issues its tokens also registered it, as the token service does: then it is registered for those that it
   * began with, and a token names to whom it was handed on from there.
   */
  readonly handedOn: (task: Task) => boolean;
  /** All purposes that this one belongs to, without itself. */
  readonly widerPurposes: (purpose: string) => readonly string[];
}

/**
 * Refuses where a task of the request is registered and does not permit it: only one that is active does, for the workloads
 * and the purpose that it was registered for. Asked in every check, after whatever is remembered; a request without a task
 * pays nothing. Refusals: `task_ended`, `task_lapsed`; `task_unregistered` where the task, its purpose or the caller is not
 * registered; `state_unavailable` while nobody knows. `nowMs` in milliseconds since the epoch.
 */
export function registered(
  source: RegistrationSource,
  { backing, chain }: Pick<TaskContext, 'backing' | 'chain'>,
  nowMs: number,
): Refusal | null {
  if (backing.length === 0) return null;
  const tasks = source.current(nowMs);
  if (tasks instanceof Fault) return new Refusal('state_unavailable', tasks.detail);
  const ids = chain.map(({ id }) => id.text);
  for (const task of backing) {
    const holders = source.handedOn(task) ? ids : ids.slice(-1);
    const refusal = refusedBy(source, tasks, task, holders, nowMs);
    if (refusal !== null) return refusal;
  }
  return null;
}

function refusedBy(
  { required, widerPurposes }: RegistrationSource,
  tasks: TaskLookup,
  task: Task,
  holders: readonly string[],
  nowMs: number,
): Refusal | null {
  const known = tasks.size === 0 ? null : tasks.find(task.issuer, task.id);
  if (known === null)
    return required(task) ? new Refusal('task_unregistered', `${task.issuer} has no registered task ${task.id}`) : null;
  const state = tasks.stateOf(known, nowMs);
  if (state !== 'active') {
    const { ended } = known;
    const by = ended === null ? '' : ` by ${ended.by}: ${ended.reason}`;
    return new Refusal(state === 'ended' ? 'task_ended' : 'task_lapsed', `${task.id} is ${state}${by}`);
  }
  if (!holders.some((holder) => known.workloads.includes(holder)))
    return new Refusal('task_unregistered', `${task.id} is not registered for ${holders.at(-1)}`);
  if (task.purpose !== known.purpose && !widerPurposes(task.purpose).includes(known.purpose))
    return new Refusal('task_unregistered', `${task.id} is registered for ${known.purpose}, not for ${task.purpose}`);
  return null;
}

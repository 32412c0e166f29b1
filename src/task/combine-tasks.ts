import { Refusal } from '../base/outcome.ts';
import type { BoundTask } from './binding.ts';
import type { Assurance, Declared, Task } from './model.ts';
import { commonResources } from './resources.ts';

/**
 * One task from all the places that state one, or `task_conflict`: id, purpose and chain are the same everywhere, plain
 * headers included. Where two tokens agree, the first is the task, and it is no stronger than the weaker: the lower
 * assurance, the earlier end, only scopes that both carry, only resources that both are about. null: no token states a task.
 */
export function combineTasks(bound: readonly BoundTask[], declared: Declared | null): BoundTask | null | Refusal {
  const [first, ...others] = bound;
  if (first === undefined) return null;
  let { task } = first;
  for (const other of others) {
    const conflict = difference(first, other);
    if (conflict !== null) return new Refusal('task_conflict', `two tokens differ in the ${conflict}`);
    const scopes = commonScopes(task.scopes, other.task.scopes);
    if (scopes === null) return new Refusal('task_conflict', 'two tokens have no scope in common');
    const resources = commonResources(task.resources, other.task.resources);
    if (resources === 'too many')
      return new Refusal('task_conflict', 'two tokens are about too many resources together');
    task = {
      ...task,
      scopes,
      resources,
      assurance: Math.min(task.assurance, other.task.assurance) as Assurance,
      expiresAt: Math.min(task.expiresAt, other.task.expiresAt),
    };
  }
  if (declared !== null && (declared.id !== task.id || declared.purpose !== task.purpose))
    return new Refusal('task_conflict', 'the declared task is another than that of the token');
  return { task, chain: first.chain };
}

function difference(a: BoundTask, b: BoundTask): string | null {
  if (a.task.id !== b.task.id) return 'id';
  if (a.task.purpose !== b.task.purpose) return 'purpose';
  const ids = ({ chain }: BoundTask) => JSON.stringify(chain.map(({ id }) => id.text));
  return ids(a) === ids(b) ? null : 'chain';
}

/** A token without scopes limits nothing. null: both limit, and nothing is left. */
function commonScopes(a: Task['scopes'], b: Task['scopes']): Task['scopes'] | null {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const common = a.filter((scope) => b.includes(scope));
  return common.length === 0 ? null : common;
}

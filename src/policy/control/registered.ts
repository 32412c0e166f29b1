import type { TaskLookup } from '../../state/tasks/registry.ts';
import type { ControlTask } from './question.ts';

/** A task as control policies judge it, with what is registered of it. */
export function controlTask(tasks: Pick<TaskLookup, 'find'>, issuer: string, id: string): ControlTask {
  const known = tasks.find(issuer, id);
  if (known === null) return { kind: 'task', issuer, id, registered: null };
  const { owner, purpose, workloads, by } = known;
  return { kind: 'task', issuer, id, registered: { owner, purpose, workloads, startedBy: by } };
}

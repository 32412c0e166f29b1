import { hash } from 'node:crypto';
import { MAX_TASK_DEPTH, type TaskLookup } from '../state/tasks/registry.ts';
import type { Task, TaskContext } from '../task/model.ts';

/** On whose account it counts what a request opens. Times are milliseconds since the epoch. */
export interface TouchedAccount {
  readonly of: 'workload' | 'task';
  /** Tells it from all others. */
  readonly name: string;
  /** When the task began at the latest, as far as anybody knows; null: that can be any time ago. */
  readonly begunAtMs: number | null;
  /** When the task ends; null: nobody knows. */
  readonly endsAtMs: number | null;
}

/**
 * The accounts of a request: every workload of its chain, and the root of each task. A task that was handed on, or begun below
 * another, has the account of the first. `tasks`: those that are registered; null where there is no task.
 */
export function accountsOf(
  { chain, backing }: Pick<TaskContext, 'chain' | 'backing'>,
  tasks: TaskLookup | null,
): TouchedAccount[] {
  const accounts = new Map<string, TouchedAccount>();
  for (const { id } of chain) accounts.set(id.text, { of: 'workload', name: id.text, begunAtMs: null, endsAtMs: null });
  for (const task of backing) {
    const root = rootOf(task, tasks);
    accounts.set(root.name, root);
  }
  return [...accounts.values()];
}

/** The key of an account in a state. */
export const keyOfAccount = ({ of, name }: Pick<TouchedAccount, 'of' | 'name'>): string =>
  hash('sha256', JSON.stringify([of, name]), 'base64url');

function rootOf(task: Task, tasks: TaskLookup | null): TouchedAccount {
  let root = tasks === null || tasks.size === 0 ? null : tasks.find(task.issuer, task.id);
  if (tasks === null || root === null) return taskAccount(task, null, null);
  for (let above = 0; root.parent !== null && above < MAX_TASK_DEPTH; above++) {
    const parent = tasks.find(root.parent.issuer, root.parent.id);
    // Not known any more: budgets and the registry refuse what is below.
    if (parent === null) return taskAccount(root.parent, null, null);
    root = parent;
  }
  return taskAccount(root, root.registeredAtMs, root.endsAtMs);
}

const taskAccount = (
  { issuer, id }: Pick<Task, 'issuer' | 'id'>,
  begunAtMs: number | null,
  endsAtMs: number | null,
): TouchedAccount => ({ of: 'task', name: JSON.stringify([issuer, id]), begunAtMs, endsAtMs });

import { isCount, isObject, isText, parseObject } from './entry.ts';
import { type LastUse, type LiveTask, MAX_TASKS } from './model.ts';

/** What is written of a last use; the script merges it with what others wrote. */
export function encodeUse({ owner, lastMs, credentials, tasks }: LastUse): string {
  return JSON.stringify({ owner, lastMs, credentials, tasks });
}

/** Reads a last use of a store, without tasks that have ended; null where it is none. */
export function decodeUse(workload: string, text: string, nowMs: number): LastUse | null {
  const value = parseObject(text);
  if (value === null || !isCount(value.lastMs)) return null;
  const { owner, lastMs, credentials, tasks } = value;
  return {
    workload,
    owner: isText(owner) ? owner : null,
    lastMs,
    // An empty list of Lua is written as an object.
    credentials: Array.isArray(credentials) ? credentials.filter(isText) : [],
    tasks: Array.isArray(tasks)
      ? tasks
          .flatMap((task) => taskIn(task))
          .filter(({ untilMs }) => untilMs > nowMs)
          .slice(0, MAX_TASKS)
      : [],
  };
}

function taskIn(task: unknown): readonly LiveTask[] {
  if (!isObject(task) || !isText(task.issuer) || !isText(task.id) || !isCount(task.untilMs)) return [];
  return [{ issuer: task.issuer, id: task.id, untilMs: task.untilMs }];
}

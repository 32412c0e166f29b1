import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEPT_MS, registration } from '../../../test/support/registering.ts';
import { TaskTable } from '../../state/tasks/task-table.ts';
import { TaskCounter } from './task-counter.ts';

const now = Date.now();

/** A registry of so many tasks, of which every second has ended. */
function tableOf(tasks: number, pieceMs?: number) {
  const lookup = new TaskTable();
  const seen = { tasks: 0 };
  for (let at = 0; at < tasks; at++) lookup.set(taskOf(`t-${at}`, at % 2 === 0));
  function* all() {
    for (const task of lookup.values()) {
      seen.tasks++;
      yield task;
    }
  }
  return { lookup, seen, counter: new TaskCounter({ lookup, all }, pieceMs) };
}

const taskOf = (id: string, ended: boolean) => ({
  ...registration({ id }),
  registeredAtMs: now,
  leaseUntilMs: null,
  ended: ended ? { atMs: now, by: 'x', reason: 'x' } : null,
  keptMs: KEPT_MS,
  keptUntilMs: now + KEPT_MS,
  origin: 'memory' as const,
});

test('few tasks are counted at once, as they are', () => {
  const { lookup, counter } = tableOf(20);
  assert.deepEqual(counter.at(now), { live: 10, over: 10 });
  lookup.set(taskOf('t-0', false));
  assert.deepEqual(counter.at(now), { live: 11, over: 9 });
});

test('many are not counted in one piece, however often they are asked for, and each once', async () => {
  const tasks = 2000;
  const { lookup, seen, counter } = tableOf(tasks, 0);
  assert.equal(counter.at(now), null);
  assert.equal(counter.at(now), null);
  assert.equal(seen.tasks, tasks / 4);
  lookup.set(taskOf('t-0', true));
  await counter.counted();
  assert.equal(seen.tasks, tasks);
  assert.deepEqual(counter.at(now), { live: tasks / 2, over: tasks / 2 });
  await counter.counted();
});

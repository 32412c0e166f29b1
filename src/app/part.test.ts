import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Later } from './later.ts';
import { missingIn, type Part, statusOf, stopAll } from './part.ts';

function part(name: string, stopped: string[]): Part {
  return {
    missing: (nowMs) => (nowMs > 0 ? [] : [`${name} is missing`]),
    status: () => ({ issuers: [name], [name]: true }),
    stop: async () => {
      await null;
      stopped.push(name);
    },
  };
}

test('what parts miss and show is put together in their order, and they end in the opposite one', async () => {
  const stopped: string[] = [];
  const parts = ['trust', 'identity', 'task'].map((name) => part(name, stopped));
  assert.deepEqual(missingIn(parts, 0), ['trust is missing', 'identity is missing', 'task is missing']);
  assert.deepEqual(missingIn(parts, 1), []);
  const names = { trust: true, identity: true, task: true };
  assert.deepEqual(statusOf(parts, 0), { issuers: ['trust', 'identity', 'task'], ...names });
  await stopAll(parts);
  assert.deepEqual(stopped, ['task', 'identity', 'trust']);
});

test('what asks for a value before it comes waits, in its order, before what asks afterwards', async () => {
  const later = new Later<number>();
  const seen: string[] = [];
  const ask = (name: string) => later.use(async (value) => seen.push(`${name} ${value}`));
  const early = [ask('first'), ask('second')];
  assert.deepEqual(seen, []);
  later.set(7);
  await Promise.all([...early, ask('third')]);
  const fourth = ask('fourth');
  assert.deepEqual(seen, ['first 7', 'second 7', 'third 7', 'fourth 7']);
  await fourth;
});

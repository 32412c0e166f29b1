import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from './within.ts';

const never = new Promise<never>(() => {});

test('what comes in time is given as it is, a failure too', async () => {
  assert.equal(await within(Promise.resolve(1), 10_000, assert.fail), 1);
  await assert.rejects(within(Promise.reject(new Error('no')), 10_000, assert.fail), /no/);
  assert.equal(await within(Promise.resolve(2), Number.POSITIVE_INFINITY, assert.fail), 2);
});

test('what does not come is late, each at its own time, whatever waits beside it', async () => {
  const order: number[] = [];
  const late = (ms: number) => within(never, ms, () => order.push(ms));
  const all = [late(30), late(5), late(60), late(0), late(-1), late(Number.NaN)];
  const later = within(new Promise((resolve) => setTimeout(resolve, 45, 'came')), 10_000, assert.fail);
  await all[1];
  all.push(late(1));
  await Promise.all(all);
  assert.deepEqual(order.slice(-2), [30, 60]);
  assert.deepEqual(order.slice(0, -2).map(Number).toSorted(), [-1, 0, 1, 5, Number.NaN].toSorted());
  assert.equal(await later, 'came');
});

test('it is never late before its time', async () => {
  const begin = performance.now();
  await Promise.all([20, 40].map((ms) => within(never, ms, () => assert.ok(performance.now() - begin >= ms - 0.01))));
});

test('what came in time keeps no later one from being late', async () => {
  for (let round = 0; round < 3; round++) {
    assert.equal(await within(Promise.resolve('in time'), 5, () => 'late'), 'in time');
    assert.equal(await within(never, 8, () => 'late'), 'late');
  }
});

test('an error of what is said too late is given on', async () => {
  const thrown = within(never, 1, () => {
    throw new Error('said badly');
  });
  await assert.rejects(thrown, /said badly/);
});

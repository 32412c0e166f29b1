import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noRedis, Redis } from '../../../../test/support/redis.ts';
import { signs } from '../../../../test/support/redis-books.ts';
import { registryOf } from '../../../../test/support/redis-registries.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';
import { begun, KEPT_MS, registration } from '../../../../test/support/registering.ts';
import { registrySuite } from '../../../../test/support/registry-suite.ts';
import { MAX_SKEW_MS } from '../options.ts';

registrySuite({
  name: 'redis',
  covers: 'store',
  skip: noRedis,
  make: async (t, limits) => {
    const redis = await Redis.of(t);
    await redis.age('test');
    const first = await registryOf(t, storeOptions(redis), { keys: signs, limits });
    const other = await registryOf(t, storeOptions(redis), { keys: signs, limits });
    return [first.registry, other.registry];
  },
});

test('in a history that has just begun no task with a budget begins, which would have none left', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.of(t);
  const { registry, state } = await registryOf(t, storeOptions(redis), { keys: signs });
  const budgets = { calls: null, writes: null, resources: 3 };
  const { sinceMs } = state.history();
  const early = await registry.register(registration({ id: 't-1', budgets }), KEPT_MS, sinceMs - 1);
  assert.ok(early.result === 'unavailable', JSON.stringify(early));
  assert.match(early.detail, /ask again in 1 s$/);
  await begun(registry, { id: 't-2' }, sinceMs - 1);
  await begun(registry, { id: 't-1', budgets }, sinceMs);
});

test('no task begins by a clock that is ahead of the store, whose budgets would outlive what a new history forgot', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { registry } = await registryOf(t, storeOptions(redis), { keys: signs });
  const ahead = await registry.register(registration({ id: 't-1' }), KEPT_MS, Date.now() + MAX_SKEW_MS + 5000);
  assert.ok(ahead.result === 'unavailable', JSON.stringify(ahead));
  assert.match(ahead.detail, /clock/);
  await begun(registry, { id: 't-1' }, Date.now() + MAX_SKEW_MS - 1000);
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { claimOn as claim, sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import { Wire } from '../../../test/support/wire.ts';
import type { History } from '../model.ts';
import { MAX_SKEW_MS } from './options.ts';
import type { RedisState } from './store.ts';

const skip = noRedis;

/** Waits until a store that was lost is used again, in a history that began later. */
async function later(state: RedisState, before: History): Promise<History> {
  await until('a new history', async () => {
    const { fault } = state.status();
    return fault === null && state.history().id !== before.id ? true : null;
  });
  return state.history();
}

/** A store with one proof used, and the history in which it was. */
async function used(t: TestContext, redis: Redis) {
  const { state, events } = await sidecarState(t, storeOptions(redis));
  const before = state.history();
  assert.equal((await claim(state, 'proof')).result, 'fresh');
  assert.equal((await claim(state, 'proof')).result, 'replayed');
  return { state, before, events };
}

for (const [what, fault] of [
  ['FLUSHALL', (redis: Redis) => redis.admin('FLUSHALL')],
  ['FLUSHDB', (redis: Redis) => redis.admin('FLUSHDB')],
  ['SWAPDB', (redis: Redis) => redis.admin('SWAPDB', '0', '1')],
  ['the loss of the key of the history alone', (redis: Redis) => redis.admin('DEL', 'authz:{test}:history')],
  [
    'a restart without a file',
    async (redis: Redis) => {
      await redis.kill();
      await redis.start();
    },
  ],
] as const) {
  test(`after ${what} nothing that was judged before is claimed, and a later history counts`, { skip }, async (t) => {
    const redis = await Redis.of(t);
    const { state, before } = await used(t, redis);
    const faultAtMs = Date.now();
    await fault(redis);
    for (let n = 0; n < 3; n++) assert.equal((await claim(state, 'proof', before)).result, 'unavailable');
    const after = await later(state, before);
    // A sidecar whose clock ran ahead accepted proofs of later than the fault.
    assert.ok(after.sinceMs >= faultAtMs + MAX_SKEW_MS);
    assert.ok(after.sinceMs > before.sinceMs);
    assert.equal((await claim(state, 'proof', before)).result, 'unavailable');
    assert.equal((await claim(state, 'another')).result, 'fresh');
  });
}

test('a restart with an append-only file keeps what was used, and is a new history all the same', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t, { config: ['appendonly yes', 'appendfsync always'] });
  const { state, before } = await used(t, redis);
  await redis.kill();
  await redis.start();
  await later(state, before);
  assert.equal((await claim(state, 'proof')).result, 'replayed');
});

test('databases that are swapped twice are not the history of before', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state, before } = await used(t, redis);
  await redis.admin('SWAPDB', '0', '1');
  const between = await later(state, before);
  assert.equal((await claim(state, 'between')).result, 'fresh');
  await redis.admin('SWAPDB', '0', '1');
  const after = await later(state, between);
  assert.notEqual(after.id, before.id);
  assert.ok(after.sinceMs > between.sinceMs);
});

test('a history that another sidecar began counts at once, whether or not this one has looked', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  for (let n = 0; n < 5; n++) {
    const before = state.history();
    await redis.age('test');
    assert.equal((await claim(state, `key ${n}`, before)).result, 'unavailable');
    await later(state, before);
  }
});

test('sidecars agree on one history, whoever begins it', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state: first, before } = await used(t, redis);
  const { state: second } = await sidecarState(t, storeOptions(redis));
  assert.deepEqual(second.history(), before);
  await redis.admin('FLUSHALL');
  await Promise.all([later(first, before), later(second, before)]);
  await until('agreement', () => (first.history().id === second.history().id ? true : null));
  assert.equal((await claim(first, 'new')).result, 'fresh');
  assert.equal((await claim(second, 'new')).result, 'replayed');
});

test('a replica that was cut off and becomes the primary accepts no proof that the old one had', {
  skip,
}, async (t) => {
  const primary = await Redis.of(t);
  const replica = await Redis.of(t, { config: [`replicaof 127.0.0.1 ${primary.port}`] });
  await until('replication', async () =>
    (await replica.admin('INFO', 'replication')).includes('master_link_status:up') ? true : null,
  );
  const { state, before } = await used(t, primary);
  // It has the history's key, and not the next use.
  await until('the history', async () =>
    (await replica.admin('GET', 'authz:{test}:history')) === before.id ? true : null,
  );
  replica.signal('SIGSTOP');
  assert.equal((await claim(state, 'lost')).result, 'fresh');
  await primary.kill();
  replica.signal('SIGCONT');
  await replica.admin('REPLICAOF', 'NO', 'ONE');
  const { state: there } = await sidecarState(t, storeOptions(replica));
  assert.notEqual(there.history().id, before.id);
  assert.equal((await claim(there, 'lost', before)).result, 'unavailable');
  assert.ok(there.history().sinceMs > before.sinceMs);
});

test('a server that becomes a replica is left', { skip }, async (t) => {
  const [redis, other] = [await Redis.of(t), await Redis.of(t)];
  const { state, before } = await used(t, redis);
  await redis.admin('REPLICAOF', '127.0.0.1', String(other.port));
  assert.equal((await claim(state, 'another', before)).result, 'unavailable');
  await until('the fault', () => (/is a replica/.test(state.status().fault ?? '') ? true : null));
  await redis.admin('REPLICAOF', 'NO', 'ONE');
  await later(state, before);
  assert.equal((await claim(state, 'new')).result, 'fresh');
});

test('a clock that is off by more than the skew refuses, and begins a new history when it is right again', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  let ahead = 0;
  const { state } = await sidecarState(t, storeOptions(redis), () => ahead);
  const { state: witness } = await sidecarState(t, storeOptions(redis));
  assert.equal((await claim(state, 'proof')).result, 'fresh');
  for (const off of [-6000, 6000]) {
    const began = state.history();
    ahead = off;
    assert.equal((await claim(state, `off ${off}`, began)).result, 'unavailable');
    await until('the fault', () =>
      /its clock and the one here differ/.test(state.status().fault ?? '') ? true : null,
    );
    ahead = 0;
    const after = await later(state, began);
    assert.ok(after.sinceMs > began.sinceMs);
    await until('agreement', () => (witness.history().id === after.id ? true : null));
  }
});

test('nothing is known of a history that is first seen by a clock that is off, and another begins when it is right', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  let { before } = await used(t, redis);
  for (const off of [-6000, 6000]) {
    let ahead = off;
    const { state } = await sidecarState(t, storeOptions(redis), () => ahead);
    const { history, fault, changes } = state.status();
    assert.deepEqual([history, changes], [null, 0]);
    assert.match(fault ?? '', /its clock and the one here differ/);
    ahead = 0;
    const after = await later(state, before);
    assert.ok(after.sinceMs > before.sinceMs);
    before = after;
  }
});

test('a clock that is off by less costs nothing', { skip }, async (t) => {
  const redis = await Redis.of(t);
  for (const off of [-4000, 4000]) {
    const { state } = await sidecarState(t, storeOptions(redis), () => off);
    assert.equal((await claim(state, `off ${off}`)).result, 'fresh');
  }
});

test('what was judged before anything was known of the store is not claimed', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.kill();
  const { state } = await sidecarState(t, storeOptions(redis));
  const unknown = state.history();
  assert.equal((await claim(state, 'proof')).result, 'unavailable');
  await redis.start();
  await later(state, unknown);
  assert.equal((await claim(state, 'proof', unknown)).result, 'unavailable');
  assert.equal((await claim(state, 'proof')).result, 'fresh');
});

test('the history of another server may have begun earlier than the one before, by its own clock', {
  skip,
}, async (t) => {
  const [redis, next] = [await Redis.of(t), await Redis.of(t)];
  let port = redis.port;
  const wire = await Wire.to(() => port);
  t.after(() => wire.close());
  const endpoint = { kind: 'tcp', host: '127.0.0.1', port: wire.port } as const;
  const states = [];
  for (let n = 0; n < 2; n++) states.push((await sidecarState(t, storeOptions(redis, { endpoint }))).state);
  const before = states[0]!.history();
  await next.age('test');
  port = next.port;
  wire.cut();
  const after = await Promise.all(states.map((state) => later(state, before)));
  assert.ok(after.every(({ id, sinceMs }) => id === after[0]!.id && sinceMs < before.sinceMs));
});

test('a store that is stopped is not reported as lost', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state, events } = await sidecarState(t, storeOptions(redis));
  await state.stop();
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['connected'],
  );
});

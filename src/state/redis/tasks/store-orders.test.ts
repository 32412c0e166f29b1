import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { noRedis, Redis } from '../../../../test/support/redis.ts';
import { signs, trusts } from '../../../../test/support/redis-books.ts';
import { LIMITS, registryOf } from '../../../../test/support/redis-registries.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';
import { begun, KEPT_MS, MANAGER, registration } from '../../../../test/support/registering.ts';
import { fieldFor, MARKS, TASKS, victims } from '../../../../test/support/thief-of-tasks.ts';
import { until } from '../../../../test/support/until.ts';
import { MAX_RECORD_BYTES } from '../../store-mirror.ts';
import { writeMark } from '../../tasks/task-mark.ts';
import { readRecord, signedRecord } from '../../tasks/task-record.ts';
import { Link } from '../link.ts';
import { RESTORE_MARKED } from '../marked-scripts.ts';
import { TASK_KEYS } from './scripts.ts';

const skip = noRedis;
const MINUTE_MS = 60_000;
const key = signs.signing!;
const keyOf = (id: string) => ({ issuer: registration().issuer, id });
const detailOf = (result: object): string => ('detail' in result ? String(result.detail) : '');

test('without a key nothing begins and no lease goes on, and a key that nobody trusts begins nothing', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { registry: signing } = await registryOf(t, storeOptions(redis), { keys: signs });
  const { registry: believing } = await registryOf(t, storeOptions(redis), { keys: trusts });
  const now = Date.now();
  assert.equal((await believing.register(registration(), KEPT_MS, now)).result, 'unsigned');
  await begun(signing, { leaseMs: MINUTE_MS }, now - MINUTE_MS / 2);
  await until('the beginning', () => believing.lookup.find(keyOf('t-42').issuer, 't-42'));
  assert.equal((await believing.heartbeat(keyOf('t-42'), MANAGER, now)).result, 'unsigned');
  assert.equal((await signing.heartbeat(keyOf('t-42'), MANAGER, now)).result, 'stored');
  const other = { signing: generateKeyPairSync('ed25519').privateKey, trusted: signs.trusted };
  const { registry: strange } = await registryOf(t, storeOptions(redis), { keys: other });
  const refused = await strange.register(registration({ id: 't-1' }), KEPT_MS, now);
  assert.match(detailOf(refused), /no trusted key signed/);
});

test('a store that is lost takes no order, and says why', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { registry } = await registryOf(t, storeOptions(redis, { timeoutMs: 500 }), { keys: signs });
  const now = Date.now();
  await begun(registry, { leaseMs: MINUTE_MS }, now - MINUTE_MS / 2);
  assert.equal(registry.unknown(now), null);
  await redis.kill();
  const orders = [
    registry.register(registration({ id: 't-1' }), KEPT_MS, now),
    registry.heartbeat(keyOf('t-42'), MANAGER, now),
    registry.end(keyOf('t-42'), MANAGER, 'x', now),
  ];
  for (const { result } of await Promise.all(orders)) assert.equal(result, 'unavailable');
  const { registry: unread } = await registryOf(t, storeOptions(redis, { timeoutMs: 500 }), { keys: signs });
  assert.match(unread.unknown(now) ?? '', /were not read yet/);
  assert.match(detailOf(await unread.register(registration(), KEPT_MS, now)), /were not read yet/);
  assert.match(detailOf(await unread.heartbeat(keyOf('t-42'), MANAGER, now)), /were not read yet/);
});

test('a task is begun once, and the last place is taken once, however many sidecars begin it at the same moment', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const limits = { perWorkload: 10, all: 3 };
  const { registry: one } = await registryOf(t, storeOptions(redis), { keys: signs, limits });
  const { registry: other } = await registryOf(t, storeOptions(redis), { keys: signs, limits });
  const now = Date.now();
  const both = async (first: string, second: string) => {
    const asked = [
      one.register(registration({ id: first }), KEPT_MS, now),
      other.register(registration({ id: second, reason: 'another' }), KEPT_MS, now),
    ];
    return (await Promise.all(asked)).toSorted((a, b) => a.result.localeCompare(b.result));
  };
  assert.deepEqual(
    (await both('t-1', 't-1')).map(({ result }) => result),
    ['conflict', 'stored'],
  );
  await begun(one, { id: 't-2' });
  await until('the second', () => other.lookup.find(keyOf('t-2').issuer, 't-2'));
  const [full, stored] = await both('t-3', 't-4');
  assert.deepEqual([full?.result, stored?.result], ['full', 'stored']);
  assert.match(detailOf(full!), /the store holds 3 tasks/);
  const long = registration({ id: 't-5', reason: 'x'.repeat(MAX_RECORD_BYTES) });
  const { registry: roomy } = await registryOf(t, storeOptions(redis), { keys: signs, limits: LIMITS });
  assert.match(detailOf(await roomy.register(long, KEPT_MS, now)), /it is longer than/);
});

test('a store with more tasks than a sidecar may hold leaves it knowing none, and takes no order of it', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { registry: one } = await registryOf(t, storeOptions(redis), { keys: signs });
  for (let n = 0; n < 5; n++) await begun(one, { id: `t-${n}` });
  const limits = { perWorkload: 10, all: 1 };
  const { registry: small } = await registryOf(t, storeOptions(redis), { keys: signs, limits });
  await until('too many', () => (small.unknown(Date.now()) === null ? null : true));
  assert.match(small.unknown(Date.now()) ?? '', /more tasks than it may/);
  assert.match(
    detailOf(await small.register(registration({ id: 't-0' }), KEPT_MS, Date.now())),
    /more tasks than it may/,
  );
});

test('no lease goes on of a task that is not the one by this name, and a mark that is too long is none', {
  skip,
}, async (t) => {
  const { redis, one, mark, recordOf } = await victims(t);
  const now = Date.now();
  for (const id of ['t-1', 't-2']) await begun(one.registry, { id, leaseMs: MINUTE_MS }, now - MINUTE_MS / 2);
  // Nobody is told of it.
  const stolen = registration({ id: 't-1', leaseMs: MINUTE_MS, workloads: ['spiffe://prod.example/thief'] });
  const later = signedRecord('test', stolen, { keptMs: KEPT_MS, atMs: now }, key);
  await redis.admin('HSET', TASKS, fieldFor('t-1'), later);
  assert.match(detailOf(await one.registry.heartbeat(keyOf('t-1'), MANAGER, now)), /something else by its name/);
  await mark(fieldFor('t-2'), await recordOf('t-2'), `1 0 ${'x'.repeat(MAX_RECORD_BYTES)}`);
  assert.equal((await one.registry.heartbeat(keyOf('t-2'), MANAGER, now)).result, 'stored');
});

test('what is written back takes the place of no other task and of no later lease', { skip }, async (t) => {
  const { redis, one, recordOf } = await victims(t);
  const now = Date.now();
  await begun(one.registry, { id: 't-1', leaseMs: MINUTE_MS }, now - MINUTE_MS / 2);
  const text = await recordOf('t-1');
  const record = readRecord(text)!;
  const beforeMs = record.task.leaseUntilMs!;
  const leaseAt = (atMs: number) => {
    const lease = { kind: 'lease', atMs, beforeMs, untilMs: atMs + MINUTE_MS, by: 'b' } as const;
    return writeMark('test', record, lease, key);
  };
  const { endpoint, database, tls } = storeOptions(redis);
  const link = await Link.open({ endpoint: endpoint!, database, tls, user: null, timeoutMs: 5000 });
  assert.ok(link instanceof Link);
  t.after(() => link.close());
  const history = await redis.admin('GET', 'authz:{test}:history');
  const restore = (written: string, digest: string, lease: string) =>
    link.run(
      RESTORE_MARKED,
      TASK_KEYS.map((name) => `authz:{test}:${name}`),
      [history, '1000', '1000000', fieldFor('t-1'), digest, written, lease],
      5000,
    );
  const [early, late] = [leaseAt(now - 2000), leaseAt(now - 1000)];
  for (const lease of [early, late, early]) assert.deepEqual(await restore(text, 'digest', lease), ['done']);
  assert.equal((await redis.admin('HVALS', MARKS)).trim(), late);
  const other = signedRecord('test', registration({ id: 't-1', reason: 'x' }), { keptMs: KEPT_MS, atMs: now }, key);
  assert.deepEqual(await restore(other, 'digest', ''), ['done']);
  assert.deepEqual([await recordOf('t-1'), (await redis.admin('HLEN', TASKS)).trim()], [text, '2']);
});

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { noRedis } from '../../../../test/support/redis.ts';
import { signs } from '../../../../test/support/redis-books.ts';
import type { registryOf } from '../../../../test/support/redis-registries.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';
import { begun, KEPT_MS, MANAGER, registration } from '../../../../test/support/registering.ts';
import { fieldFor, LOG, MARKS, META, TASKS, victims } from '../../../../test/support/thief-of-tasks.ts';
import { until } from '../../../../test/support/until.ts';
import { writeMark } from '../../tasks/task-mark.ts';
import { readRecord, signedRecord } from '../../tasks/task-record.ts';
import { Link } from '../link.ts';
import { RESTORE_MARKED } from '../marked-scripts.ts';
import { TASK_KEYS } from './scripts.ts';

const skip = noRedis;
const MINUTE_MS = 60_000;
const stranger = generateKeyPairSync('ed25519').privateKey;
const key = signs.signing!;
const { issuer } = registration();
const keyOf = (id: string) => ({ issuer, id });

const rejected = ({ events }: Awaited<ReturnType<typeof registryOf>>): number =>
  events.reduce((sum, event) => sum + (event.kind === 'learned' ? event.rejected.length : 0), 0);

test('who writes the beginning of a task without the key, or moves or changes one that was signed, begins nothing', {
  skip,
}, async (t) => {
  const { one, other, write, become, read, states } = await victims(t);
  const now = Date.now();
  const kept = { keptMs: KEPT_MS, atMs: now };
  const order = registration({ id: 't-2' });
  const good = signedRecord('test', order, kept, key);
  const parts = JSON.parse(good.slice(good.indexOf('['))) as unknown[];
  const at = (index: number, value: unknown) => JSON.stringify(parts.with(index, value));
  const until = good.slice(0, good.indexOf(' '));
  const forged = [
    signedRecord('test', order, kept, stranger),
    signedRecord('production', order, kept, key),
    `${until} ${at(2, 'finance')}`,
    `${until} ${at(4, [...order.workloads, 'spiffe://prod.example/thief'])}`,
    `${until} ${at(5, [issuer, 't-1'])}`,
    `${until} ${at(8, 1000)}`,
    `${until} ${at(12, 'somebody else')}`,
    `${order.endsAtMs + 1 + KEPT_MS} ${at(6, order.endsAtMs + 1)}`,
    `${until} ${at(14, '')}`,
    good.replace('"t-2"', '"t-3"'),
  ];
  for (const text of forged) {
    await write(fieldFor('t-2'), text);
    await read();
    for (const id of ['t-2', 't-3']) assert.deepEqual(states(id), [null, null], text);
  }
  for (const sidecar of [one, other]) assert.equal(rejected(sidecar), forged.length);
  for (const text of ['', 'x', `${until} []`, `${until} {}`, `${until} ${at(1, 'a b')}`, `1${good}`]) {
    await write(fieldFor('t-2'), text);
    await read();
    assert.deepEqual(states('t-2'), [null, null], text);
  }
  await write(fieldFor('t-2'), good);
  await become('t-2', 'active');
});

test('a signed beginning under the name of another task is that of its own', { skip }, async (t) => {
  const { write, become, states, read } = await victims(t);
  const order = registration({ id: 't-2' });
  await write(fieldFor('t-9'), signedRecord('test', order, { keptMs: KEPT_MS, atMs: Date.now() }, key));
  await become('t-2', 'active');
  await read();
  assert.deepEqual(states('t-9'), [null, null]);
});

test('who writes a lease without the key, or one that was given too late, prolongs nothing', { skip }, async (t) => {
  const { one, mark, read, recordOf, states, become } = await victims(t);
  const past = Date.now() - 2 * MINUTE_MS;
  const lapses = past + MINUTE_MS;
  await begun(one.registry, { id: 't-1', leaseMs: MINUTE_MS }, past);
  await begun(one.registry, { id: 't-2', leaseMs: MINUTE_MS }, past);
  await become('t-2', 'lapsed');
  const text = await recordOf('t-1');
  const record = readRecord(text)!;
  const second = readRecord(await recordOf('t-2'))!;
  const now = Date.now();
  const lease = {
    kind: 'lease',
    atMs: lapses - 1,
    beforeMs: lapses,
    untilMs: lapses - 1 + MINUTE_MS,
    by: 'x',
  } as const;
  const alive = { ...lease, atMs: now, beforeMs: now + 1, untilMs: now + MINUTE_MS };
  const forged = [
    writeMark('test', record, alive, stranger),
    writeMark('test', record, alive, null),
    writeMark('production', record, alive, key),
    writeMark('test', second, alive, key),
    // Signed, and given after the one before had run out, or for longer than it may be.
    writeMark('test', record, { ...alive, beforeMs: lapses }, key),
    writeMark('test', record, { ...alive, untilMs: alive.untilMs + 1 }, key),
    writeMark('test', record, alive, key).replace(String(alive.untilMs), String(alive.untilMs + 1)),
    'lease',
    '',
  ];
  for (const each of forged) {
    await mark(fieldFor('t-1'), text, each);
    await read();
    assert.deepEqual(states('t-1'), ['lapsed', 'lapsed'], each);
  }
  await mark(fieldFor('t-1'), text, writeMark('test', record, alive, key));
  await become('t-1', 'active');
});

test('who deletes an end, or puts a lease of before in its place, revives nothing, and it is written back', {
  skip,
}, async (t) => {
  const { redis, one, mark, note, read, recordOf, states, become, late } = await victims(t);
  await begun(one.registry, { id: 't-1', leaseMs: MINUTE_MS }, Date.now() - MINUTE_MS / 2);
  const text = await recordOf('t-1');
  assert.equal((await one.registry.heartbeat(keyOf('t-1'), MANAGER, Date.now())).result, 'stored');
  const lease = (await redis.admin('HVALS', MARKS)).trim();
  await one.registry.end(keyOf('t-1'), MANAGER, 'done', Date.now());
  await become('t-1', 'ended');
  const end = (await redis.admin('HVALS', MARKS)).trim();
  for (const each of [null, lease, 'nothing']) {
    await mark(fieldFor('t-1'), text, each);
    await read();
    assert.deepEqual(states('t-1'), ['ended', 'ended'], String(each));
    await until('the end in the store', async () => ((await redis.admin('HVALS', MARKS)).trim() === end ? true : null));
  }
  await redis.admin('HDEL', TASKS, fieldFor('t-1'));
  await note(fieldFor('t-1'));
  await read();
  assert.deepEqual(states('t-1'), ['ended', 'ended']);
  // A full read finds it missing. So does every sidecar that missed a change.
  await redis.admin('HINCRBY', META, 'seq', '5');
  await until('what was written back', async () => ((await recordOf('t-1')) === text ? true : null));
  const { lookup } = await late();
  assert.equal(lookup.stateOf(lookup.find(issuer, 't-1')!, Date.now()), 'ended');
});

test('who shows an earlier lease again shortens nothing, and who shows an earlier end of all leases prolongs nothing', {
  skip,
}, async (t) => {
  const { redis, one, mark, read, recordOf, become, other } = await victims(t);
  await begun(one.registry, { id: 't-1', leaseMs: MINUTE_MS }, Date.now() - MINUTE_MS + 5000);
  const text = await recordOf('t-1');
  const beat = async (nowMs: number) => {
    assert.equal((await one.registry.heartbeat(keyOf('t-1'), MANAGER, nowMs)).result, 'stored');
    return (await redis.admin('HVALS', MARKS)).trim();
  };
  const first = await beat(Date.now() - MINUTE_MS / 2);
  const second = await beat(Date.now());
  const untilMs = one.registry.lookup.find(issuer, 't-1')!.leaseUntilMs;
  await become('t-1', 'active');
  await mark(fieldFor('t-1'), text, first);
  await read();
  for (const { registry } of [one, other]) assert.equal(registry.lookup.find(issuer, 't-1')?.leaseUntilMs, untilMs);
  await until('the lease in the store', async () =>
    (await redis.admin('HVALS', MARKS)).trim() === second ? true : null,
  );
});

test('an end that nobody signed ends, and is remembered until every lease has run out', { skip }, async (t) => {
  const { one, other, mark, recordOf, become } = await victims(t);
  await begun(one.registry, { id: 't-1', leaseMs: MINUTE_MS });
  const text = await recordOf('t-1');
  const soon = { kind: 'end', atMs: 1, openMs: 1, by: 'thief', reason: 'x' } as const;
  await mark(fieldFor('t-1'), text, writeMark('test', readRecord(text)!, soon, null));
  await become('t-1', 'ended');
  for (const { registry } of [one, other]) {
    const { keptUntilMs, endsAtMs } = registry.lookup.find(issuer, 't-1')!;
    assert.equal(keptUntilMs, endsAtMs + KEPT_MS);
  }
});

test('of two beginnings by one name the first counts, whichever the store has', { skip }, async (t) => {
  const { redis, one, other, write, become, read, recordOf } = await victims(t);
  await begun(one.registry, { id: 't-1' });
  await become('t-1', 'active');
  const first = await recordOf('t-1');
  const { task } = readRecord(first)!;
  const stolen = registration({ id: 't-1', workloads: ['spiffe://prod.example/thief'] });
  const later = signedRecord('test', stolen, { keptMs: KEPT_MS, atMs: task.registeredAtMs + 1 }, key);
  await write(fieldFor('t-1'), later);
  await read();
  const holders = () => [one, other].map(({ registry }) => registry.lookup.find(issuer, 't-1')?.workloads);
  assert.deepEqual(holders(), [task.workloads, task.workloads]);
  await redis.admin('HINCRBY', META, 'seq', '5');
  await until('what was written back', async () => ((await redis.admin('HVALS', TASKS)).includes(first) ? true : null));
  const earlier = signedRecord('test', stolen, { keptMs: KEPT_MS, atMs: task.registeredAtMs - 1 }, key);
  await write(fieldFor('t-1'), earlier);
  await until('the first one', () => (holders().every((of) => of?.[0] === stolen.workloads[0]) ? true : null));
});

test('records, marks and notes of any length are read by nobody, and refuse nothing that was begun', {
  skip,
}, async (t) => {
  const { redis, one, become, note, recordOf, mark } = await victims(t);
  await begun(one.registry, { id: 't-1' });
  await become('t-1', 'active');
  const pad = (script: string, ...args: readonly string[]) => redis.admin('EVAL', script, '1', ...args);
  const long = "return redis.call('HSET', KEYS[1], ARGV[1], string.rep('9', 20000000))";
  await pad(long, TASKS, fieldFor('t-2'));
  await note(fieldFor('t-2'));
  await mark(fieldFor('t-1'), await recordOf('t-1'), 'x'.repeat(100_000));
  const seq = Number(await redis.admin('HGET', META, 'seq'));
  await pad("return redis.call('XADD', KEYS[1], ARGV[1], 'f', string.rep('x', 40000000))", LOG, `${seq + 1}-0`);
  await until('the beginning', async () =>
    (await one.registry.register(registration({ id: 't-2' }), KEPT_MS, Date.now())).result === 'stored' ? true : null,
  );
  await become('t-2', 'active');
  // The connections of both begin anew.
  await until('the end', async () =>
    (await one.registry.end(keyOf('t-1'), MANAGER, 'x', Date.now())).result === 'unavailable' ? null : true,
  );
  await become('t-1', 'ended');
});

test('the store refuses a heartbeat of a task that has ended, or whose lease ran out by its own clock, whatever a sidecar knows', {
  skip,
}, async (t) => {
  const { redis, one, recordOf } = await victims(t);
  const now = Date.now();
  const beat = (id: string) => one.registry.heartbeat(keyOf(id), MANAGER, now - MINUTE_MS / 2);
  for (const [id, until] of [
    ['t-1', now - 1000],
    ['t-2', now + MINUTE_MS / 2 - 1000],
    ['t-3', now + MINUTE_MS / 2 - 1000],
  ] as const)
    await begun(one.registry, { id, leaseMs: 2 * MINUTE_MS }, until - 2 * MINUTE_MS);
  assert.deepEqual(await beat('t-1'), { result: 'over', state: 'lapsed' });
  assert.equal((await beat('t-2')).result, 'stored');
  const text = await recordOf('t-3');
  const record = readRecord(text)!;
  const end = writeMark('test', record, { kind: 'end', atMs: now, openMs: now, by: 'b', reason: 'r' }, key);
  const script = "return redis.call('HSET', KEYS[1], redis.sha1hex(ARGV[1]), ARGV[2])";
  await redis.admin('EVAL', script, '1', MARKS, text, end);
  // No lease takes the place of an end, whoever writes it back.
  const { endpoint, database, tls } = storeOptions(redis);
  const link = await Link.open({ endpoint: endpoint!, database, tls, user: null, timeoutMs: 5000 });
  assert.ok(link instanceof Link);
  t.after(() => link.close());
  const beforeMs = record.task.leaseUntilMs!;
  const lease = { kind: 'lease', atMs: now, beforeMs, untilMs: now + MINUTE_MS, by: 'b' } as const;
  const history = await redis.admin('GET', 'authz:{test}:history');
  const limits = ['1000', '1000000'];
  const args = [history, ...limits, fieldFor('t-3'), 'digest', text, writeMark('test', record, lease, key)];
  const keys = TASK_KEYS.map((name) => `authz:{test}:${name}`);
  assert.deepEqual(await link.run(RESTORE_MARKED, keys, args, 5000), ['done']);
  assert.ok((await redis.admin('HVALS', MARKS)).includes(end));
  assert.deepEqual(await beat('t-3'), { result: 'over', state: 'ended' });
  assert.ok(one.registry.lookup.find(issuer, 't-3')?.ended);
});

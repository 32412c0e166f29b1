import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { denial, good, storedActivity } from '../../../test/support/activity.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { documentedAcl } from '../../../test/support/redis-acl.ts';
import { signs } from '../../../test/support/redis-books.ts';
import { registryOf } from '../../../test/support/redis-registries.ts';
import { sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { registration } from '../../../test/support/registering.ts';
import { until } from '../../../test/support/until.ts';
import { type MeshConfig, World, workload } from '../../../test/support/world.ts';
import { agentByDpop, LEDGER, ledgerReads, READER, svidToken } from '../../../test/support/world-asks.ts';
import { Fault } from '../../base/fault.ts';
import { apiDigest, type TouchedRecord } from '../bounded/touched.ts';
import { fieldOf } from '../tasks/task-record.ts';
import { Link } from './link.ts';

const skip = noRedis;
const HISTORY = 'authz:{default}:history';

/** A sidecar whose store the thief can write to, in a history that is old enough for proofs made now. */
async function victim(t: TestContext) {
  const redis = await Redis.of(t);
  await redis.age('default');
  const world = await World.start({
    edit: (config: MeshConfig) => {
      Object.assign(config, { state: { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' } });
      config.limits = { ...config.limits, drainDelay: '0s' };
    },
  });
  t.after(() => world.stop());
  const keys = async (pattern: string) => (await redis.admin('KEYS', pattern)).split('\n').filter((key) => key !== '');
  return { redis, world, keys };
}

/** Bytes that a server sent so far. */
const sentBy = async (redis: Redis): Promise<number> =>
  Number(/^total_net_output_bytes:(\d+)/m.exec(await redis.admin('INFO', 'stats'))?.[1]);

test('who deletes a used proof can use it again while it is valid, and not longer', { skip }, async (t) => {
  const { redis, world, keys } = await victim(t);
  const ask = agentByDpop()(world);
  const old = agentByDpop({ claims: { iat: Math.floor(Date.now() / 1000) - 3600 } })(world);
  assert.equal((await world.send(ask)).reason, 'permitted');
  assert.equal((await world.send({ ...ask, id: 'again' })).reason, 'task_proof_replayed');
  for (const key of await keys('authz:{default}:proof:*')) await redis.admin('DEL', key);
  assert.equal((await world.send({ ...ask, id: 'after' })).reason, 'permitted');
  assert.equal((await world.send(old)).reason, 'task_proof_expired');
});

test('who sets back the history gains nothing from sidecars that run, and proofs that are valid from those that start', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis, { namespace: 'default' }));
  const before = state.history();
  await redis.age('default');
  await until('a new history', () => (state.history().id === before.id ? null : true));
  assert.ok(state.history().sinceMs >= before.sinceMs);
  await state.stop();
  await redis.age('default');
  const { state: later } = await sidecarState(t, storeOptions(redis, { namespace: 'default' }));
  assert.ok(later.history().sinceMs < before.sinceMs);
});

test('who writes a proof as used, takes the history away, or writes other data only makes requests fail', {
  skip,
}, async (t) => {
  const { redis, world, keys } = await victim(t);
  for (const ask of [agentByDpop, ledgerReads]) assert.equal((await world.send(ask()(world))).reason, 'permitted');
  const [counted = ''] = (await keys('authz:{default}:proofs:*')).slice(-1);
  for (const key of [counted, 'authz:{default}:proofs']) {
    await redis.admin('DEL', key);
    await redis.admin('SET', key, 'no hash');
  }
  assert.equal((await world.send(agentByDpop()(world))).reason, 'state_unavailable');
  await redis.admin('DEL', counted, 'authz:{default}:proofs');
  await until('the store', async () => ((await world.send(agentByDpop()(world))).reason === 'permitted' ? true : null));
  // At once, so that no sidecar begins a history between.
  await redis.admin('EVAL', "redis.call('DEL', KEYS[1]) return redis.call('LPUSH', KEYS[1], 'no text')", '1', HISTORY);
  assert.equal((await world.send(agentByDpop()(world))).reason, 'state_unavailable');
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
});

test('who deletes what was opened washes it off, and who writes more of it only makes more of it', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  const read = async () => {
    const [record] = (await state.touched(['a'])) as readonly TouchedRecord[];
    return [record?.sensitivity, record?.apis];
  };
  const ends = Date.now() + 3_600_000;
  const times = { neededUntilMs: ends, untilMs: ends };
  const touch = {
    key: 'a',
    history: state.history(),
    ...times,
    sensitivity: 2,
    apis: [apiDigest('h/x')],
    judgedBy: null,
  };
  const use = { requestId: '', caller: 'a', checkPeer: null, digest: '', deadline: 0, judgedBy: '' };
  assert.equal((await state.claim([], use, Date.now(), [touch])).result, 'fresh');
  const key = 'authz:{test}:touched:a';
  await redis.admin('HSET', key, 's3', 'for ever', apiDigest('h/y'), 'x'.repeat(1000), 'version', 'v'.repeat(100_000));
  assert.deepEqual(await read(), [3, new Set(['h/x', 'h/y'].map(apiDigest))]);
  const judgedBy = { sensitivity: 3, version: 'v' };
  assert.equal((await state.claim([], use, Date.now(), [{ ...touch, judgedBy }])).result, 'grown');
  for (let n = 0; n < 100; n++) await redis.admin('HSET', key, `${n}`.padStart(16, 'f'), String(ends));
  assert.deepEqual(await read(), [3, 'all']);
  await redis.admin('DEL', key);
  assert.deepEqual(await read(), [0, new Set()]);
  await redis.admin('SET', key, 'no hash');
  assert.ok((await state.touched(['a'])) instanceof Fault);
  assert.equal((await state.claim([], use, Date.now(), [touch])).result, 'unavailable');
});

test('who writes a history of any length makes nobody read it, and gets a new history', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis, { namespace: 'default' }));
  const before = state.history();
  const sentBefore = await sentBy(redis);
  await redis.admin('SETRANGE', HISTORY, '20000000', 'x');
  await until('a new history', () => (state.history().id === before.id ? null : true));
  assert.ok((await redis.admin('STRLEN', HISTORY)).length <= 3);
  assert.ok((await sentBy(redis)) - sentBefore < 1_000_000);
});

test('who writes a task of any length in the place of one that begins has it overwritten, and makes nobody read it', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { registry } = await registryOf(t, storeOptions(redis), { keys: signs });
  await until('the tasks of the store', () => (registry.unknown(Date.now()) === null ? true : null));
  const order = registration();
  const ends = String(Date.now() + 3_600_000);
  const script = "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.rep('x', 20000000))";
  await redis.admin('EVAL', script, '1', 'authz:{test}:tasks', fieldOf(order), ends);
  const before = await sentBy(redis);
  await until('the beginning', async () => {
    const { result } = await registry.register(order, 60_000, Date.now());
    // An answer that came too late is one all the same.
    return result === 'stored' || result === 'unchanged' ? true : null;
  });
  assert.ok((await sentBy(redis)) - before < 1_000_000);
});

test('who makes the store answer at any length has the connection ended, and no memory', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { endpoint, tls, database } = storeOptions(redis);
  const link = await Link.open({ endpoint: endpoint!, tls, database, user: null, timeoutMs: 5000 });
  assert.ok(link instanceof Link);
  t.after(() => link.close());
  await redis.admin('SETRANGE', 'long', String(20 * 2 ** 20), 'x');
  await redis.admin('SETRANGE', 'longer', String(32 * 2 ** 20), 'x');
  // Each answer has the whole bound for itself.
  for (const reply of await Promise.all([1, 2, 3].map(() => link.call(['GET', 'long'], 5000))))
    assert.equal(String(reply).length, 20 * 2 ** 20 + 1);
  assert.equal(link.lost, null);
  const refused = await link.call(['GET', 'longer'], 5000);
  assert.ok(refused instanceof Fault);
  assert.equal(refused.detail, 'an answer is longer than 33554432 bytes');
  assert.equal(link.lost, refused.detail);
});

test('who deletes counts gives a task its budgets anew, and who changes them to no numbers makes requests fail', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  let uses = 0;
  const call = async (): Promise<string> => {
    const use = { requestId: `${uses++}`, caller: 'a', checkPeer: null, digest: '', judgedBy: '' };
    const deadline = Date.now() + 5000;
    const count = { limit: 1, member: null };
    const claim = { key: 'calls', until: Date.now() + 60_000, history: state.history(), count };
    return (await state.claim([claim], { ...use, deadline })).result;
  };
  const key = 'authz:{test}:count:calls';
  assert.deepEqual([await call(), await call()], ['fresh', 'spent']);
  await redis.admin('DEL', key);
  assert.deepEqual([await call(), await call()], ['fresh', 'spent']);
  await redis.admin('HSET', key, '', '1000');
  assert.equal(await call(), 'spent');
  for (const text of ['x', '', '0x', 'nan']) {
    await redis.admin('HSET', key, '', text);
    assert.equal(await call(), 'unavailable', text);
  }
  await redis.admin('SET', key, 'no hash');
  assert.equal(await call(), 'unavailable');
});

const LISTS = /^authz:\{default\}:(?:denials|allows|uses(?::names|:times)?)$/;
const readers: Readonly<Record<string, readonly [before: string, after: readonly string[]]>> = {
  string: ['GET', []],
  hash: ['HGETALL', []],
  stream: ['XRANGE', ['-', '+']],
  zset: ['ZRANGE', ['0', '-1']],
};

test('who reads everything reads no token, proof or query, and callers and paths only in what is kept for lists; who may write opens nothing that is denied', {
  skip,
}, async (t) => {
  const { redis, world, keys } = await victim(t);
  const ask = agentByDpop()(world);
  assert.equal((await world.send(ask)).reason, 'permitted');
  const inPath = svidToken(world, READER);
  const denied = await world.send({ ...ask, path: `/api/nowhere/${inPath}?key=a-secret-value` });
  assert.notEqual(denied.reason, 'permitted');
  await until('both decisions', async () =>
    (await keys('authz:{default}:*s')).filter((key) => LISTS.test(key)).length >= 3 ? true : null,
  );
  const [all, lists]: [string[], string[]] = [[], []];
  for (const key of await keys('*')) {
    const [before, after] = readers[await redis.admin('TYPE', key)]!;
    (LISTS.test(key) ? lists : all).push(key, await redis.admin(before, key, ...after));
  }
  const text = all.join('\n');
  const tokens = [ask.headers!.authorization, ask.headers!.dpop, inPath].flatMap((value) =>
    String(value)
      .replace(/^DPoP /, '')
      .split('.')
      .slice(1),
  );
  assert.equal(tokens.length, 6);
  for (const secret of [...tokens, 'a-secret-value']) assert.ok(!`${text}${lists.join()}`.includes(secret), secret);
  for (const name of ['billing-agent', 'invoices', 'spiffe']) {
    assert.ok(!text.includes(name));
    assert.ok(lists.join().includes(name));
  }
  assert.match(text, /^authz:\{default\}:proof:[\w-]{43}$/m);
  // Whatever the store holds, a stranger's proof and a request without a task are refused before it is asked.
  for (const [refused, reason] of [
    [agentByDpop({ signWith: world.keys.stranger })(world), 'task_proof_signature'],
    [{ ...ask, svid: world.svid('/ns/agents/sa/orchestrator') }, 'task_of_another'],
  ] as const)
    assert.equal((await world.send(refused)).reason, reason);
});

test('who writes what is kept for lists changes what they show, and no decision', { skip }, async (t) => {
  const { redis, world } = await victim(t);
  const ledger = denial({ decision: 'forged', caller: workload(LEDGER) });
  await redis.admin('XADD', 'authz:{default}:denials', '*', 'd', JSON.stringify(ledger));
  const { state } = await sidecarState(t, storeOptions(redis, { namespace: 'default' }));
  const { activity } = storedActivity(t, state);
  const listed = good(await activity.decisions({ workload: workload(LEDGER) }, 10, null)).items;
  assert.deepEqual(listed, [ledger]);
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
});

test('the user of state.md cannot list, read or delete other keys, or change settings', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.admin('SET', 'other', 'x');
  await redis.admin('ACL', 'SETUSER', 'authz', 'reset', ...documentedAcl('default', 'secret'));
  const asUser = (...command: string[]) =>
    redis.admin('--user', 'authz', '--pass', 'secret', '--no-auth-warning', ...command);
  assert.equal(await asUser('SET', 'authz:{default}:x', '1'), 'OK');
  for (const command of [
    ['GET', 'other'],
    ['DEL', 'other'],
    ['SET', 'other', '1'],
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['ACL', 'LIST'],
    ['EVAL', 'return 1', '0'],
    ['SWAPDB', '0', '1'],
    ['REPLICAOF', 'NO', 'ONE'],
    ['GET', 'authz:{other}:history'],
  ])
    assert.match(await asUser(...command), /NOPERM/, command.join(' '));
});

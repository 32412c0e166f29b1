import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { documentedAcl } from '../../../test/support/redis-acl.ts';
import { sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import { type MeshConfig, World } from '../../../test/support/world.ts';
import { agentByDpop, ledgerReads } from '../../../test/support/world-asks.ts';

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
  assert.equal((await world.send(agentByDpop()(world))).reason, 'permitted');
  const [counted = ''] = (await keys('authz:{default}:proofs:*')).slice(-1);
  for (const key of [counted, 'authz:{default}:proofs']) {
    await redis.admin('DEL', key);
    await redis.admin('SET', key, 'no hash');
  }
  assert.equal((await world.send(agentByDpop()(world))).reason, 'state_unavailable');
  await redis.admin('DEL', counted, 'authz:{default}:proofs');
  await until('the store', async () => ((await world.send(agentByDpop()(world))).reason === 'permitted' ? true : null));
  await redis.admin('DEL', HISTORY);
  await redis.admin('LPUSH', HISTORY, 'no text');
  assert.equal((await world.send(agentByDpop()(world))).reason, 'state_unavailable');
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
});

test('who reads everything reads no token, proof, caller or path; who may write opens nothing that is denied', {
  skip,
}, async (t) => {
  const { redis, world, keys } = await victim(t);
  const ask = agentByDpop()(world);
  assert.equal((await world.send(ask)).reason, 'permitted');
  const all: string[] = [];
  for (const key of await keys('*')) {
    const type = await redis.admin('TYPE', key);
    all.push(key, await redis.admin(...(type === 'hash' ? ['HGETALL', key] : ['GET', key])));
  }
  const text = all.join('\n');
  const secrets = [ask.headers!.authorization, ask.headers!.dpop, 'billing-agent', 'invoices', 'spiffe'].map(String);
  for (const secret of secrets) assert.ok(!text.includes(secret.slice(0, 60)));
  assert.match(text, /^authz:\{default\}:proof:[\w-]{43}$/m);
  // Whatever the store holds, a stranger's proof and a request without a task are refused before it is asked.
  for (const [denied, reason] of [
    [agentByDpop({ signWith: world.keys.stranger })(world), 'task_proof_signature'],
    [{ ...ask, svid: world.svid('/ns/agents/sa/orchestrator') }, 'task_of_another'],
  ] as const)
    assert.equal((await world.send(denied)).reason, reason);
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

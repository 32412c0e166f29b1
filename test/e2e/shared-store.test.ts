import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../support/redis.ts';
import type { Mutation } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { type Answer, type MeshConfig, World } from '../support/world.ts';
import { agentByDpop, agentByWimse, ledgerReads, readerByToken } from '../support/world-asks.ts';

const skip = noRedis;

interface Fleet {
  readonly redis: Redis;
  readonly worlds: readonly [World, World];
}

/** A store that is old enough for proofs made now: its history began before. */
async function agedRedis(t: TestContext): Promise<Redis> {
  const redis = await Redis.of(t);
  await redis.age('default');
  return redis;
}

const storedIn =
  (redis: Redis, edit: (config: MeshConfig) => void = () => {}) =>
  (config: MeshConfig) => {
    Object.assign(config, { state: { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' } });
    config.limits = { ...config.limits, drainDelay: '0s' };
    config.log = { level: 'info' };
    edit(config);
  };

/** Two sidecars with one store. */
async function fleet(
  t: TestContext,
  options: { redis?: Redis; edit?: (config: MeshConfig) => void } = {},
): Promise<Fleet> {
  const redis = options.redis ?? (await agedRedis(t));
  const start = async () => {
    const world = await World.start({ edit: storedIn(redis, options.edit) });
    t.after(() => world.stop());
    return world;
  };
  return { redis, worlds: [await start(), await start()] };
}

const nonceIn = ({ wire }: Answer): string => {
  const header = wire.denied?.headers.find(({ key }) => key.toLowerCase() === 'dpop-nonce');
  assert.ok(header !== undefined, 'no nonce');
  return header.value;
};

test('a proof that one sidecar accepted is refused by the other; Envoy’s retry there is the same use', {
  skip,
}, async (t) => {
  const { worlds } = await fleet(t);
  const [first, second] = worlds;
  for (const [of, replayed] of [
    [agentByDpop, 'task_proof_replayed'],
    [agentByWimse, 'task_wpt_replayed'],
  ] as const) {
    const ask = { ...of()(first), id: `check-of-${replayed}` };
    assert.equal((await first.send(ask)).reason, 'permitted');
    assert.equal((await second.send(ask)).reason, 'permitted');
    assert.equal((await second.send({ ...ask, id: 'another' })).reason, replayed);
    assert.equal((await first.send({ ...ask, id: 'another' })).reason, replayed);
  }
});

test('without the store a proof is refused in time, and what opens what it opened before is permitted; both stay ready', {
  skip,
}, async (t) => {
  const { redis, worlds } = await fleet(t);
  const [world] = worlds;
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
  await redis.kill();
  await until('the loss', async () => (/^authz_store_up 0$/m.test(await world.status('/metrics')) ? true : null));
  const refused = await world.send(agentByDpop()(world));
  assert.equal(refused.reason, 'state_unavailable');
  assert.equal(refused.wire.denied?.http, 503);
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
  assert.equal((await world.send(readerByToken()(world))).reason, 'state_unavailable');
  assert.match(await world.status('/readyz'), /"ready": ?true/);
  const { state } = JSON.parse(await world.status('/status')) as { state: { store: string; fault: string } };
  assert.equal(state.store, 'redis');
  assert.match(state.fault, /ECONNREFUSED|closed/i);
});

test('after the store has lost everything, a proof from before needs a nonce, and is allowed once with it', {
  skip,
}, async (t) => {
  const { redis, worlds } = await fleet(t);
  const [first, second] = worlds;
  const before = agentByDpop()(first);
  assert.equal((await first.send(before)).reason, 'permitted');
  await redis.admin('FLUSHALL');
  await until('the new history', async () =>
    (await second.send({ ...before, id: 'again' })).reason === 'task_proof_nonce' ? true : null,
  );
  const asked = await until('the same on the other', async () => {
    const answer = await first.send({ ...before, id: 'again' });
    return answer.reason === 'task_proof_nonce' ? answer : null;
  });
  const withNonce = agentByDpop({ claims: { nonce: nonceIn(asked) } })(first);
  assert.equal((await first.send(withNonce)).reason, 'permitted');
  assert.equal((await first.send({ ...withNonce, id: 'again' })).reason, 'task_proof_replayed');
  const wimse = await first.send(agentByWimse()(first));
  assert.equal(wimse.reason, 'task_wpt_before_start');
  assert.ok(first.log.some((line) => line.includes('store began a new history')));
});

test('sidecars that share secrets accept each other’s nonces, also while the secrets are rotated', {
  skip,
}, async (t) => {
  const redis = await agedRedis(t);
  const file = join(redis.dir, 'nonces');
  const [old, next] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64url')];
  writeFileSync(file, `${old}\n`);
  const edit = (config: MeshConfig) => {
    config.task.dpop = { nonce: { required: true, secretFile: file } };
  };
  const { worlds } = await fleet(t, { redis, edit });
  const [first, second] = worlds;
  const proven = (nonce: string): Mutation => ({ claims: { nonce } });
  const allowed = async (from: World, at: World) => {
    const nonce = nonceIn(await from.send(agentByDpop()(from)));
    assert.equal((await at.send(agentByDpop(proven(nonce))(at))).reason, 'permitted');
    return nonce;
  };
  const early = await allowed(first, second);
  for (const lines of [`${old}\n${next}\n`, `${next}\n${old}\n`]) {
    const read = (world: World) => world.log.filter((line) => line.includes('nonce secrets read')).length;
    const counts = worlds.map(read);
    writeFileSync(file, lines);
    await until('both have read', () => (worlds.every((world, n) => read(world) > counts[n]!) ? true : null));
    await allowed(first, second);
    await allowed(second, first);
    assert.equal((await second.send(agentByDpop(proven(early))(second))).reason, 'permitted');
  }
  writeFileSync(file, `${next}\n`);
  await until('the end of the old secret', async () =>
    (await first.send(agentByDpop(proven(early))(first))).reason === 'task_proof_nonce' ? true : null,
  );
  writeFileSync(file, 'too short\n');
  await until('the fault', () =>
    first.log.some((line) => line.includes('nonce secrets could not be read')) ? true : null,
  );
  await allowed(second, first);
});

test('a nonce of one sidecar is of no use at another with secrets of its own', { skip }, async (t) => {
  const { worlds } = await fleet(t, {
    edit: (config) => {
      config.task.dpop = { nonce: { required: true } };
    },
  });
  const [first, second] = worlds;
  const nonce = nonceIn(await first.send(agentByDpop()(first)));
  assert.equal((await second.send(agentByDpop({ claims: { nonce } })(second))).reason, 'task_proof_nonce');
});

test('a sidecar without its store at the start is not ready, says why, and becomes ready when it is there', {
  skip,
}, async (t) => {
  const redis = await agedRedis(t);
  await redis.kill();
  const world = await World.start({ edit: storedIn(redis) });
  t.after(() => world.stop());
  assert.match(await world.status('/readyz'), /the store cannot be used: .*ECONNREFUSED/);
  assert.equal((await world.send(agentByDpop()(world))).reason, 'state_unavailable');
  await redis.start();
  await until('readiness', async () => (/"ready": ?true/.test(await world.status('/readyz')) ? true : null));
});

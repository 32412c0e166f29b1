import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { revocationSchema } from '../../src/state/revocation-entry.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { bookOf, signs } from '../support/redis-books.ts';
import { registryOf } from '../support/redis-registries.ts';
import { storeOptions } from '../support/redis-states.ts';
import { begun, MANAGER, requireRegistration } from '../support/registering.ts';
import { until } from '../support/until.ts';
import { type MeshConfig, World } from '../support/world.ts';
import { agentByTxn, ledgerReads, TTS } from '../support/world-asks.ts';

const skip = noRedis;
const HOUR_MS = 3_600_000;

/** A sidecar with a store, which believes orders and gives none, and another one that takes them. */
async function fleet(t: TestContext, state: Readonly<Record<string, unknown>> = {}) {
  const redis = await Redis.of(t);
  await redis.age('default');
  const world = await World.start({
    prepare: (folder) => {
      writeFileSync(join(folder, 'orders.pem'), signs.trusted[0]!.export({ type: 'spki', format: 'pem' }));
    },
    edit: (config: MeshConfig) => {
      requireRegistration(config);
      const store = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s', ...state };
      Object.assign(config, { state: store, control: { trustedKeys: ['orders.pem'] } });
      config.limits = { ...config.limits, drainDelay: '0s' };
    },
  });
  t.after(() => world.stop());
  const options = storeOptions(redis, { namespace: 'default' });
  const { registry } = await registryOf(t, options, { keys: signs });
  const ask = (id: string) => world.send(agentByTxn({ claims: { txn: id } })(world));
  const becomes = (id: string, reason: string) =>
    until(`${id}: ${reason}`, async () => ((await ask(id)).reason === reason ? true : null));
  return { redis, options, world, registry, ask, becomes };
}

test('a task that begins at another sidecar is permitted, and refused once it is ended there, lapses or is revoked', {
  skip,
}, async (t) => {
  const { options, world, registry, ask, becomes } = await fleet(t);
  assert.equal((await ask('t-1')).reason, 'task_unregistered');
  for (const id of ['t-1', 't-2', 't-4']) await begun(registry, { id });
  await begun(registry, { id: 't-3', leaseMs: 60_000 }, Date.now() - 58_000);
  for (const id of ['t-1', 't-2', 't-3']) await becomes(id, 'permitted');
  await registry.end({ issuer: TTS, id: 't-1' }, MANAGER, 'done', Date.now());
  await becomes('t-1', 'task_ended');
  await becomes('t-3', 'task_lapsed');
  const { book } = await bookOf(t, options, signs);
  const order = revocationSchema.parse({
    id: 'r-1',
    task: { issuer: TTS, id: 't-2' },
    until: new Date(Date.now() + HOUR_MS).toISOString(),
    reason: 'x',
    by: 'x',
  });
  assert.equal((await book.revoke(order, Date.now())).result, 'stored');
  await becomes('t-2', 'revoked_task');
  assert.equal((await ask('t-4')).reason, 'permitted');
  const page = await world.status('/metrics');
  assert.match(page, /^authz_tasks 2$/m);
  assert.match(page, /^authz_tasks_over 2$/m);
  assert.match(page, /^authz_store_tasks 4$/m);
});

test('a sidecar without the key begins nothing, and ends what there is', { skip }, async (t) => {
  const { world, registry, becomes } = await fleet(t);
  await begun(registry, { id: 't-1', leaseMs: 60_000 });
  await becomes('t-1', 'permitted');
  const key = { issuer: TTS, id: 't-1' };
  const begins = world.tasks.register({ ...world.tasks.lookup.find(TTS, 't-1')!, id: 't-2' }, 1000, Date.now());
  assert.equal((await begins).result, 'unsigned');
  assert.equal((await world.tasks.heartbeat(key, 'x', Date.now() + 30_000)).result, 'unsigned');
  assert.equal((await world.tasks.end(key, 'x', 'x', Date.now())).result, 'stored');
  await becomes('t-1', 'task_ended');
  await until('the end elsewhere', () => (registry.lookup.find(TTS, 't-1')?.ended ? true : null));
});

test('where the store does not answer, requests with a task are refused with a reason', { skip }, async (t) => {
  const { redis, world, registry, becomes } = await fleet(t, { maxStale: '1s' });
  await begun(registry, { id: 't-1' });
  await becomes('t-1', 'permitted');
  redis.signal('SIGSTOP');
  await becomes('t-1', 'state_unavailable');
  assert.match(await world.status('/readyz'), /"ready": true/);
  redis.signal('SIGCONT');
  await becomes('t-1', 'permitted');
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
});

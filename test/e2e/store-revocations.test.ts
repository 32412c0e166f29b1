import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { revocationSchema } from '../../src/state/revocation-entry.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { bookOf, signs } from '../support/redis-books.ts';
import { storeOptions } from '../support/redis-states.ts';
import { revocables } from '../support/revocables.ts';
import { at, type Entry, HOUR_MS } from '../support/revoking.ts';
import { until } from '../support/until.ts';
import { type Ask, type MeshConfig, World, workload } from '../support/world.ts';
import { LEDGER, ledgerReads } from '../support/world-asks.ts';

const skip = noRedis;

const orderFrom = (id: string, entry: Entry) =>
  revocationSchema.parse({
    id,
    until: at(Date.now() + HOUR_MS),
    reason: 'tested',
    by: 'security@example.com',
    ...entry,
  });

/** A sidecar with a store, and another one that takes orders. */
async function fleet(t: TestContext, state: Readonly<Record<string, unknown>> = {}) {
  const redis = await Redis.of(t);
  await redis.age('default');
  const world = await World.start({
    prepare: (folder) => {
      writeFileSync(join(folder, 'lifts.pem'), signs.trusted[0]!.export({ type: 'spki', format: 'pem' }));
    },
    edit: (config: MeshConfig) => {
      const store = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s', ...state };
      Object.assign(config, { state: store, control: { trustedKeys: ['lifts.pem'] } });
      config.limits = { ...config.limits, drainDelay: '0s' };
    },
  });
  t.after(() => world.stop());
  const { book } = await bookOf(t, storeOptions(redis, { namespace: 'default' }), signs);
  const becomes = (ask: () => Ask, reason: string) =>
    until(reason, async () => ((await world.send(ask())).reason === reason ? true : null));
  return { redis, world, book, becomes };
}

test('what is revoked at another sidecar is refused by each key kind with its reason, until a signed lift', {
  skip,
}, async (t) => {
  const { world, book, becomes } = await fleet(t);
  for (const [reason, { ask, entry, again }] of Object.entries(revocables)) {
    const sent = ask(world);
    const good = await world.send(sent);
    assert.equal(good.reason, 'permitted', reason);
    const order = orderFrom(`r-${reason}`, entry(world, sent));
    assert.equal((await book.revoke(order, Date.now())).result, 'stored');
    await becomes(() => again(world, sent), reason);
    const refused = await world.send(again(world, sent));
    assert.match(String(refused.audit.detail), new RegExp(`by the revocation ${order.id}`));
    const lift = { id: order.id, reason: 'over', by: 'security@example.com', atMs: Date.now() };
    assert.equal((await book.lift(lift)).result, 'stored');
    // A part of it may be used once.
    await becomes(() => ask(world), 'permitted');
  }
  const changes = world.audit().filter(({ event }) => event === 'revocations-changed');
  assert.deepEqual(changes.at(0)?.added, ['r-revoked_workload']);
  assert.deepEqual(changes.at(-1)?.lifted, ['r-revoked_subject']);
});

test('where the store does not answer, every check is refused with a reason, and the sidecar stays ready', {
  skip,
}, async (t) => {
  const { redis, world, becomes } = await fleet(t, { maxStale: '1s' });
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
  redis.signal('SIGSTOP');
  await becomes(() => ledgerReads()(world), 'state_unavailable');
  const { audit } = await world.send(ledgerReads()(world));
  assert.match(String(audit.detail), /the revocations of the store are \d+ ms old/);
  assert.match(await world.status('/readyz'), /"ready": true/);
  const staleness = /^authz_revocations_staleness_seconds (\S+)$/m;
  assert.ok(Number(staleness.exec(await world.status('/metrics'))?.[1]) > 1);
  redis.signal('SIGCONT');
  await becomes(() => ledgerReads()(world), 'permitted');
  const metrics = await world.status('/metrics');
  assert.match(metrics, /^authz_revocations_staleness_limit_seconds 1$/m);
  assert.match(metrics, /^authz_store_revocations 0$/m);
  assert.match(metrics, /^authz_store_revocations_limit 100000$/m);
});

test('a sidecar that cannot read the revocations once is not ready, and refuses', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.kill();
  const world = await World.start({
    edit: (config: MeshConfig) => {
      Object.assign(config, { state: { store: 'redis', url: `redis://127.0.0.1:${redis.port}` } });
      config.limits = { ...config.limits, drainDelay: '0s' };
    },
  });
  t.after(() => world.stop());
  assert.equal((await world.send(ledgerReads()(world))).reason, 'state_unavailable');
  assert.match(await world.status('/readyz'), /the revocations of the store were not read yet/);
  await redis.start();
  await until('readiness', async () => (/"ready": true/.test(await world.status('/readyz')) ? true : null));
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
});

test('a lift that a key signed which is not trusted here ends nothing, and is told', { skip }, async (t) => {
  const { redis, world, book, becomes } = await fleet(t);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const stranger = { signing: privateKey, trusted: [publicKey] };
  const { book: strange } = await bookOf(t, storeOptions(redis, { namespace: 'default' }), stranger);
  await book.revoke(orderFrom('r-1', { workload: workload(LEDGER) }), Date.now());
  await becomes(() => ledgerReads()(world), 'revoked_workload');
  await until('the revocation there', () => strange.get('r-1'));
  assert.equal((await strange.lift({ id: 'r-1', reason: 'r', by: 'b', atMs: Date.now() })).result, 'stored');
  await until('the count', async () =>
    /^authz_revocation_lifts_rejected_total 1$/m.test(await world.status('/metrics')) ? true : null,
  );
  assert.equal((await world.send(ledgerReads()(world))).reason, 'revoked_workload');
  assert.ok(world.log.some((line) => /"lifts rejected".*"r-1"/.test(line)));
  assert.equal((await book.lift({ id: 'r-1', reason: 'r', by: 'b', atMs: Date.now() })).result, 'stored');
  await becomes(() => ledgerReads()(world), 'permitted');
});

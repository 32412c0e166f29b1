import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { scannedEstate } from '../support/behaviour/scanned-estate.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const skip = noRedis;

/** The estate with a real Redis as its store. */
async function withStore(t: TestContext) {
  const redis = await Redis.start();
  await redis.age('default');
  const state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}` };
  const estate = await scannedEstate('act', { state });
  t.after(async () => {
    await estate.stop();
    await redis.remove();
  });
  const ordered = async () => (await redis.admin('HLEN', 'authz:{default}:revocations')) === '1';
  return { ...estate, redis, ordered };
}

/** After a restart that knows nothing but what the store has. */
async function restartedWithoutBaselines({ sidecar, file }: Awaited<ReturnType<typeof withStore>>): Promise<void> {
  assert.equal(await sidecar.stop(), 0);
  rmSync(file);
  await sidecar.start();
}

test('a quarantine outlives an outage of the store, and a restart of a sidecar that has no baselines any more', {
  skip,
}, async (t) => {
  const world = await withStore(t);
  await world.scan();
  await until('the order', async () => ((await world.ordered()) ? true : null));
  const refused = async (when: string) => {
    const { reason, behaviour } = await world.read('/api/status');
    assert.equal(reason, 'revoked_workload', when);
    return behaviour;
  };
  await refused('at once');
  world.redis.signal('SIGSTOP');
  await refused('while the store is away');
  world.redis.signal('SIGCONT');
  await refused('when it is back');
  await restartedWithoutBaselines(world);
  assert.equal(await refused('after the restart'), undefined, 'nothing was learned, and the store has the order');
});

test('one that crosses while the store is gone is refused here, and reaches the store when it is back', {
  skip,
}, async (t) => {
  const world = await withStore(t);
  await world.redis.kill();
  const lines = await world.scan();
  const crossed = lines.findIndex(({ reason }) => reason === 'revoked_workload');
  assert.ok(crossed > 5, `${crossed}`);
  assert.ok(lines.slice(crossed).every(({ reason }) => reason === 'revoked_workload'));
  await until('the failed order', () => (world.sidecar.log.join().includes('quarantine not ordered') ? true : null));
  await world.redis.start();
  await until('the order', async () => {
    await world.read('/api/hidden0');
    return (await world.ordered()) ? true : null;
  });
  await restartedWithoutBaselines(world);
  assert.equal((await world.read('/api/status')).reason, 'revoked_workload');
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noRedis, Redis } from '../../support/redis.ts';
import { signs } from '../../support/redis-books.ts';
import { requireRegistration } from '../../support/registering.ts';
import { type ShownTask, startTaskWorld, taskOrder } from '../../support/task-calls.ts';
import { until } from '../../support/until.ts';
import { type MeshConfig, World } from '../../support/world.ts';
import { AGENT, agentByTxn } from '../../support/world-asks.ts';

test('a process that serves the control port alone begins and ends tasks for the sidecars of its store', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('default');
  const shared = (config: MeshConfig) => {
    config.state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' };
    config.limits = { ...config.limits, drainDelay: '0s' };
  };
  const control = await startTaskWorld({
    prepare: (folder) =>
      writeFileSync(join(folder, 'orders.pem'), signs.signing!.export({ type: 'pkcs8', format: 'pem' })),
    edit: (config) => {
      shared(config);
      config.listen = { ...config.listen, check: 'off' };
      config.control = { ...config.control, key: './orders.pem' };
    },
  });
  t.after(() => control.stop());
  const sidecar = await World.start({
    prepare: (folder) =>
      writeFileSync(join(folder, 'orders.pub.pem'), signs.trusted[0]!.export({ type: 'spki', format: 'pem' })),
    edit: (config) => {
      shared(config);
      requireRegistration(config);
      config.control = { trustedKeys: ['./orders.pub.pem'] };
    },
  });
  t.after(() => sidecar.stop());
  const becomes = (id: string, reason: string) =>
    until(`${id}: ${reason}`, async () =>
      (await sidecar.send(agentByTxn({ claims: { txn: id } })(sidecar))).reason === reason ? true : null,
    );
  await becomes('t-1', 'task_unregistered');
  const begun = await control.start(AGENT, taskOrder({ id: 't-1' }));
  assert.deepEqual([begun.status, begun.json.covers], [201, 'store'], JSON.stringify(begun.json));
  await becomes('t-1', 'permitted');
  await becomes('t-2', 'task_unregistered');
  const { key } = begun.json.task as ShownTask;
  assert.equal((await control.end(AGENT, key)).status, 200);
  await becomes('t-1', 'task_ended');
  const again = await control.start(AGENT, taskOrder({ id: 't-1' }));
  assert.deepEqual([again.status, again.json.code], [409, 'over']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlFleet } from '../../support/control-fleet.ts';
import { noRedis } from '../../support/redis.ts';
import { requireRegistration } from '../../support/registering.ts';
import { type ShownTask, startTaskWorld, taskOrder } from '../../support/task-calls.ts';
import { until } from '../../support/until.ts';
import { AGENT, agentByTxn } from '../../support/world-asks.ts';

test('a control process extends tasks for the sidecars of its store, and says where it cannot sign, and where nobody knows', {
  skip: noRedis,
}, async (t) => {
  const fleet = await controlFleet(t, { maxStale: '5s' });
  const control = await startTaskWorld(fleet.control());
  t.after(() => control.stop());
  const sidecar = await fleet.sidecar(requireRegistration);
  const check = async (id: string) => (await sidecar.send(agentByTxn({ claims: { txn: id } })(sidecar))).reason;
  const becomes = (id: string, reason: string) =>
    until(reason, async () => ((await check(id)) === reason ? true : null));

  await becomes('t-1', 'task_unregistered');
  const begun = await control.start(AGENT, taskOrder({ id: 't-1', leaseSeconds: 600 }));
  assert.deepEqual([begun.status, begun.json.covers], [201, 'store'], JSON.stringify(begun.json));
  const { key, origin } = begun.json.task as ShownTask;
  assert.equal(origin, 'store');
  await becomes('t-1', 'permitted');
  const beaten = await control.heartbeat(AGENT, key);
  assert.deepEqual([beaten.status, beaten.json.covers], [200, 'store']);
  const lapsing = await control.start(AGENT, taskOrder({ id: 't-2', leaseSeconds: 1 }));
  assert.equal(lapsing.status, 201);
  await becomes('t-2', 'task_lapsed');

  const unsigned = await startTaskWorld(fleet.control(null));
  t.after(() => unsigned.stop());
  const refused = await until('a refusal', async () => {
    const answer = await unsigned.start(AGENT, taskOrder({ id: 't-3' }));
    return answer.status === 503 ? null : answer;
  });
  assert.deepEqual([refused.status, refused.json.code], [422, 'task_unsigned']);
  assert.equal(await check('t-3'), 'task_unregistered');

  await fleet.redis.kill();
  await until('nobody to know any more', async () => {
    const listed = await control.by(AGENT, { path: '/tasks' });
    return listed.status === 503 && listed.json.code === 'state_unavailable' ? true : null;
  });
  const lost = await until('the loss of the store', async () => {
    const answer = await control.start(AGENT, taskOrder({ id: `t-${Math.random()}` }));
    return answer.status === 201 ? null : answer;
  });
  assert.deepEqual([lost.status, lost.json.code], [503, 'state_unavailable']);
});

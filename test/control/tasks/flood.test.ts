import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATOR } from '../../support/control-world.ts';
import { startTaskWorld, taskOrder } from '../../support/task-calls.ts';
import { workload } from '../../support/world.ts';
import { AGENT, agentByTxn, LEDGER } from '../../support/world-asks.ts';

test('a flood of registrations ends at the bound of its workload, and takes no room from the others', async (t) => {
  const world = await startTaskWorld({
    edit: (config) => {
      config.state = { tasks: { perWorkload: 5, all: 8 } };
    },
  });
  t.after(() => world.stop());
  const begin = (id: string, path = AGENT) =>
    world.start(OPERATOR, taskOrder({ id, workloads: [workload(path)], leaseSeconds: 3600 }));
  for (let n = 0; n < 5; n++) assert.equal((await begin(`t-${n}`)).status, 201);
  const sixth = await begin('t-5');
  assert.deepEqual([sixth.status, sixth.json.code], [507, 'full']);
  assert.match(String(sixth.json.detail), /billing-agent has 5 tasks/);
  // What is over is remembered, and gives no room.
  const [first] = await world.tasks(OPERATOR);
  assert.equal((await world.end(OPERATOR, first!.key)).status, 200);
  assert.equal((await begin('t-5')).status, 507);
  for (let n = 0; n < 3; n++) assert.equal((await begin(`l-${n}`, LEDGER)).status, 201);
  const last = await begin('l-3', LEDGER);
  assert.deepEqual([last.status, last.json.code], [507, 'full']);
  assert.match(String(last.json.detail), /there are 8 tasks/);
  // Those that began go on.
  const check = await world.send(agentByTxn({ claims: { txn: 't-4' } })(world));
  assert.equal(check.reason, 'permitted');
  const failed = world.auditLines().findLast(({ event }) => event === 'control-failed');
  assert.equal(failed?.reason, 'full');
});

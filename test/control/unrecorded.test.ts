import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { taskOrder } from '../support/task-calls.ts';
import { workload } from '../support/world.ts';

test('what cannot be recorded is not done', async (t) => {
  const stdout = new PassThrough();
  // Its reader stalls: nothing that is written comes to an end, until it goes on.
  const waiting: (() => void)[] = [];
  let stalled = false;
  stdout._transform = (_chunk, _encoding, done) => {
    if (stalled) waiting.push(done);
    else done();
  };
  const world = await startControlWorld({
    over: 'tls',
    policies: ALL_TO_OPERATOR,
    stdout,
    edit: (config) => {
      config.audit = { ...config.audit, sinks: [{ file: { path: './audit.jsonl' } }, { stdout: {} }] };
    },
  });
  t.after(() => world.stop());
  const svid = world.svid(OPERATOR);
  const body = {
    workload: workload('/ns/payments/sa/ledger'),
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'x',
  };
  const revoke = (id: string) => world.ask({ method: 'POST', path: '/revocations', svid, body: { ...body, id } });
  const begin = (id: string) => world.ask({ method: 'POST', path: '/tasks', svid, body: taskOrder({ id }) });
  const ids = async (path: string) =>
    ((await world.ask({ path, svid })).json.items as { id: string }[]).map(({ id }) => id);
  for (const order of [revoke, begin]) assert.equal((await order('recorded')).status, 201);
  stalled = true;
  for (const order of [revoke, begin]) {
    const refused = await order('unrecorded');
    assert.deepEqual([refused.status, refused.json.code], [503, 'audit_unavailable']);
  }
  stalled = false;
  for (const done of waiting) done();
  for (const path of ['/revocations', '/tasks']) assert.deepEqual(await ids(path), ['recorded']);
});

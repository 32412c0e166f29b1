import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
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
    policies: ALL_TO_OPERATOR,
    stdout,
    edit: (config) => {
      config.audit = { ...config.audit, sinks: [{ file: { path: './audit.jsonl' } }, { stdout: {} }] };
    },
  });
  t.after(() => world.stop());
  const token = world.token(OPERATOR);
  const body = {
    workload: workload('/ns/payments/sa/ledger'),
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'x',
  };
  const order = { method: 'POST', path: '/revocations', token };
  assert.equal((await world.ask({ ...order, body: { ...body, id: 'recorded' } })).status, 201);
  stalled = true;
  const refused = await world.ask({ ...order, body: { ...body, id: 'unrecorded' } });
  assert.deepEqual([refused.status, refused.json.code], [503, 'audit_unavailable']);
  stalled = false;
  for (const done of waiting) done();
  const { json } = await world.ask({ path: '/revocations', token });
  assert.deepEqual(
    (json.items as { id: string }[]).map(({ id }) => id),
    ['recorded'],
  );
});

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { controlFleet } from '../support/control-fleet.ts';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { readEvents } from '../support/event-reader.ts';
import { noRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { workload } from '../support/world.ts';

const LEDGER = '/ns/payments/sa/ledger';

/** A process that serves the control port alone, and a sidecar of the same store. */
async function controlAndSidecar(t: TestContext) {
  const fleet = await controlFleet(t);
  const control = await startControlWorld({ over: 'tls', policies: ALL_TO_OPERATOR, ...fleet.control() });
  t.after(() => control.stop());
  return { fleet, control, sidecar: await fleet.sidecar() };
}

test('a process that serves the control port alone revokes and lifts for the sidecars of its store', {
  skip: noRedis,
}, async (t) => {
  const { fleet, control, sidecar } = await controlAndSidecar(t);
  assert.equal(existsSync(join(control.folder, 'check.sock')), false);
  const svid = control.svid(OPERATOR);
  const check = () => sidecar.send({ svid: sidecar.svid(LEDGER), path: '/api/status' });
  const becomes = (reason: string) => until(reason, async () => ((await check()).reason === reason ? true : null));
  await becomes('permitted');

  const body = {
    id: 'fleet',
    workload: workload(LEDGER),
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'x',
  };
  const headers = { 'idempotency-key': 'fleet' };
  const made = await control.ask({ method: 'POST', path: '/revocations', headers, body, svid });
  assert.deepEqual([made.status, made.json.covers], [201, 'store'], JSON.stringify(made.json));
  await becomes('revoked_workload');

  await until('the decision in the store', async () => {
    const { json } = await control.ask({ path: '/decisions?reason=revoked_workload', svid });
    assert.equal(json.covers, 'all sidecars of the store');
    return (json.items as unknown[]).length > 0 ? true : null;
  });
  const lifted = await control.ask({ method: 'POST', path: '/revocations/fleet/lift', body: { reason: 'x' }, svid });
  assert.equal(lifted.status, 200, JSON.stringify(lifted.json));
  await becomes('permitted');

  await fleet.redis.kill();
  const failed = await until('the loss of the store', async () => {
    const { status, json } = await control.ask({
      method: 'POST',
      path: '/revocations',
      body: { ...body, id: 'lost' },
      svid,
    });
    return status === 201 ? null : { status, json };
  });
  assert.deepEqual([failed.status, failed.json.code], [503, 'state_unavailable']);
});

test('a stream of events tells what other sidecars decided, and ends when its workload is revoked', {
  skip: noRedis,
}, async (t) => {
  const { control, sidecar } = await controlAndSidecar(t);
  const { hostname, port } = new URL(control.control ?? '');
  const svid = control.svid(OPERATOR);
  const asking = request({
    ...{ hostname, port, path: '/events', agent: false, rejectUnauthorized: false },
    ...{ cert: svid.pem, key: svid.pkcs8Pem, headers: { accept: 'text/event-stream' } },
  });
  t.after(() => asking.destroy());
  asking.on('error', () => {});
  asking.end();
  const stream = await readEvents(asking);
  await stream.first('the beginning', ({ name }) => name === 'ready');
  const { decision } = await sidecar.send({ svid: sidecar.svid(LEDGER), path: '/nowhere' });
  await stream.first('the decision', ({ data }) => (data as { readonly decision?: string }).decision === decision);

  const body = { workload: workload(OPERATOR), until: new Date(Date.now() + 3_600_000).toISOString(), reason: 'x' };
  const made = await control.ask({ method: 'POST', path: '/revocations', body, svid });
  assert.equal(made.status, 201, JSON.stringify(made.json));
  assert.equal(await stream.ended(), true);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestCa } from '../support/ca.ts';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { workload } from '../support/world.ts';

const LEDGER = '/ns/payments/sa/ledger';
const READER = '/ns/support/sa/reader';
/** Payments may view what is its own, and nothing else. */
const POLICIES = `${ALL_TO_OPERATOR}
@id("own-team")
permit (principal in Control::Team::"payments", action in Control::Action::"view", resource in Control::Team::"payments");
`;

let world: Awaited<ReturnType<typeof startControlWorld>>;
before(async () => {
  world = await startControlWorld({ policies: POLICIES });
});
after(() => world.stop());

const path = (id: string) => `/workloads/${encodeURIComponent(id)}/behaviour`;
const ask = (id: string, by = OPERATOR) => world.recorded({ path: path(id), token: world.token(by) });

test('what is usual for a workload and what is now are shown side by side, to whoever may view it', async () => {
  for (let n = 0; n < 3; n++) await world.send({ svid: world.svid(LEDGER), path: '/api/invoices/42' });
  const { status, json, line } = await ask(workload(LEDGER));
  assert.equal(status, 200, JSON.stringify(json));
  const { last, days, rates, apis, ...shown } = json;
  assert.ok(Math.abs(Date.parse(String(last)) - Date.now()) < 60_000);
  assert.ok(Number(days) < 1);
  const minute = (rates as { seconds: number; now: number; usual: number }[]).at(-1);
  assert.deepEqual([minute?.seconds, minute?.usual], [60, 60]);
  assert.ok(minute!.now <= 3);
  assert.equal((apis as { usual: number }).usual, 8);
  const calm = { now: 0, requests: 0, usual: 0 };
  assert.deepEqual(shown.refused, calm);
  assert.deepEqual(shown.writes, calm);
  assert.deepEqual([shown.mode, shown.known, shown.requests], ['observe', false, 3]);
  assert.deepEqual([shown.quarantinedUntil, shown.covers], [null, 'this process']);
  assert.deepEqual([line?.call, line?.result], ['workload-behaviour', 'allow']);

  assert.equal((await ask(workload(LEDGER), LEDGER)).status, 200, 'its own team');
  assert.equal((await ask(workload(READER), LEDGER)).status, 403, 'of another team');
});

test('a workload that was not seen, and what is no workload, are not found', async () => {
  for (const id of [workload('/ns/payments/sa/nobody'), 'spiffe://other.example/a', 'x']) {
    const { status, json } = await ask(id);
    assert.deepEqual([status, json.code], [404, 'not_found'], id);
  }
});

test('whoever was proven counts, also where it is refused before it is assessed; whoever was not does not', async () => {
  const requests = async () => Number((await ask(workload(LEDGER))).json.requests);
  const before = await requests();
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const order = { id: 'gone', workload: workload(LEDGER), until, reason: 'tested' };
  const by = { method: 'POST', token: world.token(OPERATOR) };
  assert.equal((await world.recorded({ ...by, path: '/revocations', body: order })).status, 201);
  assert.equal((await world.send({ svid: world.svid(LEDGER), path: '/api/invoices/42' })).reason, 'revoked_workload');
  assert.equal(await requests(), before + 1);
  const forged = TestCa.root('prod.example').svid(workload(LEDGER));
  assert.notEqual((await world.send({ svid: forged, path: '/api/invoices/42' })).reason, 'permitted');
  assert.equal(await requests(), before + 1);
});

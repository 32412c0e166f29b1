import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckClient } from '../support/check-client.ts';
import { startControlWorld } from '../support/control-world.ts';
import { startTlsWorld } from '../support/tls-world.ts';
import { until } from '../support/until.ts';
import { encode, World, type WorldOptions } from '../support/world.ts';
import { AGENT, INVOICE, ledgerReads } from '../support/world-asks.ts';
import { HeldOutput } from '../support/world-sink.ts';

/** The series of a page with their values, comments left out. */
const seriesOf = (page: string): ReadonlyMap<string, number> =>
  new Map(
    page
      .split('\n')
      .filter((line) => line.startsWith('authz_'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );

test('every memory that can fill up shows its level and its limit', async (t) => {
  const world = await World.start();
  t.after(() => world.stop());
  await world.send({ svid: world.svid(AGENT), path: INVOICE });
  const found = seriesOf(await world.status('/metrics'));
  for (const cache of ['certificates', 'proofs', 'counts', 'touched']) {
    assert.ok(found.has(`authz_cache_entries{cache="${cache}"}`), cache);
    assert.ok((found.get(`authz_cache_limit{cache="${cache}"}`) ?? 0) > 0, cache);
  }
});

test('the deadline of a check is shown as it is configured', async (t) => {
  const world = await World.start({ edit: (config) => void Object.assign(config.limits, { deadline: '750ms' }) });
  t.after(() => world.stop());
  assert.equal(seriesOf(await world.status('/metrics')).get('authz_decision_duration_limit_seconds'), 0.75);
});

test('what is left of the sidecar’s own SVID stands beside its lifetime, and neither without one', async (t) => {
  const world = await startTlsWorld({ peers: ['spiffe://prod.example/ns/payments/sa/envoy'] });
  t.after(() => world.stop());
  const found = seriesOf(await world.status('/metrics'));
  const [left = 0, lifetime = 0] = ['expiry', 'lifetime'].map((what) => found.get(`authz_svid_${what}_seconds`));
  assert.ok(left > 0 && lifetime >= left && lifetime < 2 * 86_400, `${left} of ${lifetime}`);
  const plain = await World.start();
  t.after(() => plain.stop());
  const none = seriesOf(await plain.status('/metrics'));
  assert.deepEqual(
    [...none.keys()].filter((name) => /^authz_(control_)?svid_/.test(name)),
    [],
  );
});

test('the certificate of the control port is shown for itself', async (t) => {
  const world = await startControlWorld({ over: 'tls' });
  t.after(() => world.stop());
  const found = seriesOf(await world.status('/metrics'));
  const [left = 0, lifetime = 0] = ['expiry', 'lifetime'].map((what) =>
    found.get(`authz_control_svid_${what}_seconds`),
  );
  assert.ok(left > 0 && lifetime >= left && lifetime < 2 * 86_400, `${left} of ${lifetime}`);
  assert.equal(found.get('authz_svid_expiry_seconds'), undefined);
});

test('an allow that nobody waits for any more is counted', async (t) => {
  const output = new HeldOutput();
  const edit: WorldOptions['edit'] = (config) => void Object.assign(config.audit, { sinks: [{ stdout: {} }] });
  const world = await World.start({ edit, stdout: output });
  t.after(() => world.stop());
  const client = new CheckClient(world.target);
  t.after(() => client.close());
  const counted = async () => seriesOf(await world.status('/metrics')).get('authz_undelivered_total');
  assert.equal(await counted(), 0);
  output.hold();
  const cancel = client.cancellable(encode(ledgerReads()(world)));
  await output.stalled();
  cancel();
  // What comes after it on the same connection is answered once the end of the call is known.
  await client.health();
  output.release();
  await until('the count', async () => ((await counted()) === 1 ? true : null));
});

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Issued } from '../support/ca.ts';
import { type Answer, ask } from '../support/client.ts';
import { Estate, PAYMENTS } from '../support/estate.ts';
import { until } from '../support/until.ts';

for (const envoy of ['tcp', 'uds'] as const) {
  describe(`the sidecar over ${envoy}`, () => outage(envoy));
}

function outage(envoy: 'tcp' | 'uds'): void {
  let estate: Estate;
  let svid: Issued;

  const read = (): Promise<Answer> => ask({ port: estate.envoy.port, svid, host: PAYMENTS, path: '/api/invoices/42' });

  before(async () => {
    estate = await Estate.start({ envoy });
    svid = estate.svid('/ns/payments/sa/ledger');
  });
  after(() => estate?.stop());

  test(`while the sidecar is away Envoy denies, and it serves again after the restart`, async (t) => {
    const first = await read();
    assert.equal(first.status, 200, first.body);
    await estate.sidecar.kill();
    const reached = estate.upstream.seen.length;
    assert.equal((await read()).status, 503);
    assert.equal(estate.upstream.seen.length, reached);

    const start = performance.now();
    await estate.sidecar.start();
    await until('an allow after the restart', async () => ((await read()).status === 200 ? true : null));
    t.diagnostic(`${envoy}: served again ${Math.round(performance.now() - start)} ms after the restart began`);

    const boots = estate.sidecar.audit().filter(({ event }) => event === 'boot');
    assert.equal(boots.length, 2);
  });

  test(`SIGTERM ends the sidecar by itself, and Envoy denies`, async () => {
    assert.equal(await estate.sidecar.stop(), 0);
    assert.equal((await read()).status, 503);
  });
}

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answer, ask, type Shown } from '../support/client.ts';
import { PAYMENTS } from '../support/estate.ts';
import { SpireEstate } from '../support/spire-estate.ts';
import { until } from '../support/until.ts';

const MAX_STALE_MS = 10_000;

describe('a SPIRE agent that goes away', () => {
  let estate: SpireEstate;
  let svid: Shown;

  const read = (): Promise<Answer> => ask({ port: estate.envoy.port, svid, host: PAYMENTS, path: '/api/invoices/42' });
  const ready = async (): Promise<boolean> => (await estate.sidecar.status('/readyz')).status === 200;

  before(async () => {
    estate = await SpireEstate.start({ maxStale: `${MAX_STALE_MS / 1000}s` });
    svid = await estate.ledger.svid();
  });
  after(() => estate?.stop());

  test('B26: is lived with to the configured age, then everything is refused; its return is enough', async (t) => {
    assert.equal((await read()).status, 200);
    const { pid } = estate.sidecar;
    await estate.spire.killAgent();
    const away = performance.now();
    assert.equal((await read()).status, 200);

    // Health says NOT_SERVING in the same second, so that it is the sidecar that refuses, or Envoy on its word.
    const refused = await until('a refusal', async () => {
      const answer = await read();
      return answer.status === 200 ? null : answer;
    });
    const served = performance.now() - away;
    assert.ok(refused.reason === 'identity_bundle_stale' || refused.status === 503, refused.body);
    assert.ok(served <= MAX_STALE_MS + 1000, `${served} ms`);
    await until('not ready', async () => ((await ready()) ? null : true));
    const page = (await (await estate.sidecar.status('/status')).json()) as { missing: string[] };
    assert.match(page.missing.join(), /the bundle of prod.example is stale: UNAVAILABLE/);

    await estate.spire.startAgent();
    const back = performance.now();
    await until('readiness', async () => ((await ready()) ? true : null));
    const recovered = performance.now() - back;
    await until('an allow', async () => ((await read()).status === 200 ? true : null));
    assert.equal(estate.sidecar.pid, pid);
    t.diagnostic(
      `served ${(served / 1000).toFixed(1)} s without the agent (maxStale ${MAX_STALE_MS / 1000} s); ` +
        `ready ${Math.round(recovered)} ms after the agent was healthy again`,
    );
  });
});

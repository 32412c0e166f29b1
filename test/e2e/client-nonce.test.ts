import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { viewHttp1 } from '../support/client-view.ts';
import { DpopClient, type DpopRequest } from '../support/dpop-client.ts';
import type { Envoy } from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { PAYMENTS } from '../support/estate.ts';
import { ids, places, routeTwoHosts, ThiefEstate } from '../support/thief-estate.ts';
import { until } from '../support/until.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/** DPoP nonces (RFC 9449 sections 8 and 9) as a client behind Envoy lives with them. */

const payout = { method: 'GET', path: places.payout } as const;
let upstream: Upstream;
before(async () => {
  upstream = await startUpstream();
});
after(() => upstream.close());

/** The agent as a DPoP client, with a token of its own that is bound to its key. */
function agent({ tokens, svids }: ThiefEstate, envoy: Envoy): DpopClient {
  const send = (request: DpopRequest, headers: Readonly<Record<string, string>>) =>
    viewHttp1({ ...request, headers, port: envoy.port, svid: svids.agent, host: PAYMENTS });
  return new DpopClient({
    token: tokens.keyBound(ids.agent),
    key: tokens.holder,
    origin: `https://${PAYMENTS}`,
    send,
  });
}

for (const version of supportedEnvoys) {
  suite(`behind Envoy ${version}`, () => {
    test('a client learns its nonce from a 401, keeps it, and gets the next one with an allow', async () => {
      const estate = await ThiefEstate.start({ task: { dpop: { nonce: { required: true, lifetime: '12s' } } } });
      const envoy = await estate.base.envoy('test-permissive', upstream, routeTwoHosts, await envoyOf(version));
      try {
        const client = agent(estate, envoy);
        assert.equal((await client.ask(payout)).status, 200);
        assert.deepEqual(
          client.answers.map(({ status }) => status),
          [401, 200],
        );
        const { nonce } = client;
        assert.equal((await client.ask(payout)).status, 200);
        assert.equal(client.answers.length, 3, 'a nonce that holds is asked for once');
        // Once its half-life is over, the next one comes with an answer, before a request is refused for it.
        await until('the next nonce', async () => {
          assert.equal((await client.ask(payout)).status, 200);
          return client.nonce === nonce ? null : true;
        });
        assert.equal((await client.ask(payout)).status, 200);
        assert.equal(upstream.seen.at(-1)?.url, places.payout);
      } finally {
        await envoy.stop();
        await estate.stop();
      }
    });
  });
}

test('after a restart no proof is used a second time, and a client is served at once', async () => {
  const estate = await ThiefEstate.start();
  const envoy = await estate.base.envoy('test-permissive', upstream, routeTwoHosts);
  const { sidecar } = estate.base;
  const send = (headers: Readonly<Record<string, string | readonly string[]>>) =>
    viewHttp1({ ...payout, headers, port: envoy.port, svid: estate.svids.agent, host: PAYMENTS });
  const reasonOf = async (headers: Parameters<typeof send>[0]) => {
    const { status, body } = await send(headers);
    return status === 200 ? 'permitted' : (JSON.parse(body) as { reason: string }).reason;
  };
  try {
    const { tokens } = estate;
    const wpt = tokens.withWpt(ids.agent, { txnToken: tokens.txn(ids.agent) }, places.payout);
    const dpop = tokens.withDpop(tokens.keyBound(ids.agent), places.payout);
    const client = agent(estate, envoy);
    assert.equal((await client.ask(payout)).status, 200);
    const withNonce = client.lastHeaders;
    for (const used of [wpt, dpop]) assert.equal(await reasonOf(used), 'permitted');

    await sidecar.kill();
    await sidecar.start();
    await envoy.clusterHealth('cedar-ext-authz', true);

    assert.equal(await reasonOf(wpt), 'task_wpt_before_start');
    assert.equal(await reasonOf(dpop), 'task_proof_nonce');
    assert.equal(await reasonOf(withNonce), 'task_proof_nonce');
    assert.equal((await client.ask(payout)).status, 200);
    assert.equal(await reasonOf(client.lastHeaders), 'task_proof_replayed');
  } finally {
    await envoy.stop();
    await estate.stop();
  }
});

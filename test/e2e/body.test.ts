import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import type { Issued } from '../support/ca.ts';
import { type Ask, ask, websocketHeaders } from '../support/client.ts';
import { connectionManager, type Envoy } from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { type ConfigOverrides, PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { until } from '../support/until.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/** Which bodies the sidecar sees whole, through a real Envoy: told by what it says of a request that needs an approval. */

const LIMIT = 8192;
const REFUNDS = '/api/refunds';

/** Refunds may be asked for over a WebSocket, too. */
function admitUpgrades(dir: string): ConfigOverrides {
  const file = join(dir, 'inventory.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace('[GET, POST]', '[GET, POST, CONNECT]'));
  return { control: { audience: workload('/control') } };
}

let estate: SidecarEstate;
let upstream: Upstream;
let ledger: Issued;
let envoy: Envoy;
let binary: string;

before(async () => {
  // Where people can be asked, it is told whether their question would be about all of a body.
  const listen = { control: { address: 'unix:./control.sock' } };
  estate = await SidecarEstate.start({ tcp: true, listen, prepare: admitUpgrades });
  upstream = await startUpstream();
  ledger = estate.svid('/ns/payments/sa/ledger');
});
after(async () => {
  await upstream?.close();
  await estate?.stop();
});

type Over = Partial<Ask>;
const refund = async (over: Over, { port } = envoy) =>
  (await ask({ port, svid: ledger, host: PAYMENTS, method: 'POST', path: REFUNDS, ...over })).reason;

/** A body in two chunks, of which the second follows at once, or when the first was answered. */
async function chunked(first: Buffer, second: Buffer): Promise<string> {
  const { pem: cert, pkcs8Pem: key } = ledger;
  const options = { host: '127.0.0.1', port: envoy.port, rejectUnauthorized: false, agent: false, cert, key };
  const sending = request({ ...options, method: 'POST', path: REFUNDS, headers: { host: PAYMENTS } });
  const answered = once(sending, 'response');
  sending.write(first);
  sending.end(second);
  const [response] = (await answered) as [Parameters<typeof text>[0]];
  return (JSON.parse(await text(response)) as { reason: string }).reason;
}

/** A body over HTTP/2, which needs no content-length. */
async function overHttp2(body: Buffer | null): Promise<string> {
  const { pem: cert, pkcs8Pem: key } = ledger;
  const session = connect(`https://127.0.0.1:${envoy.port}`, { cert, key, rejectUnauthorized: false });
  try {
    const pseudo = { ':method': 'POST', ':path': REFUNDS, ':authority': PAYMENTS };
    const stream = session.request(pseudo, { endStream: body === null });
    if (body !== null) stream.end(body);
    return (JSON.parse(await text(stream)) as { reason: string }).reason;
  } finally {
    session.close();
  }
}

for (const version of supportedEnvoys)
  suite(`Envoy ${version}`, () => {
    before(async () => {
      binary = await envoyOf(version);
      envoy = await start(() => {});
    });
    after(() => envoy?.stop());

    test('a body that is shorter than the route states is seen whole, bytes that are no text included', async () => {
      assert.equal(await refund({ body: '{"amount":120}' }), 'approval_required');
      assert.equal(await refund({ body: 'x'.repeat(LIMIT - 1) }), 'approval_required');
      assert.equal(await overHttp2(Buffer.from([0xff, 0x00, 0xfe])), 'approval_required');
    });

    test('a body of the stated size or more is not seen whole', async () => {
      for (const length of [LIMIT, LIMIT + 1, 4 * LIMIT])
        assert.equal(await refund({ body: 'x'.repeat(length) }), 'approval_body_unseen', `${length} bytes`);
      assert.equal(await overHttp2(Buffer.alloc(LIMIT)), 'approval_body_unseen');
      assert.equal(await overHttp2(Buffer.alloc(2 * LIMIT)), 'approval_body_unseen');
    });

    test('a body in chunks is seen whole by the same rule', async () => {
      assert.equal(await chunked(Buffer.from('{"amount":'), Buffer.from('120}')), 'approval_required');
      // The first alone fills what Envoy reads: it says that nothing is missing, and more follows.
      assert.equal(await chunked(Buffer.alloc(LIMIT, 0x20), Buffer.from('more')), 'approval_body_unseen');
    });

    test('without a body there is nothing to see', async () => {
      assert.equal(await refund({}), 'approval_required');
      assert.equal(await refund({ body: '' }), 'approval_required');
      assert.equal(await overHttp2(null), 'approval_required');
      assert.equal(await overHttp2(Buffer.alloc(0)), 'approval_required');
    });

    test('an upgrade is asked for as such: its bytes come after the answer', async () => {
      assert.equal(await refund({ method: 'GET', headers: websocketHeaders }), 'approval_required');
      assert.equal(estate.sidecar.audit().at(-1)?.action, 'CONNECT');
    });

    test('what a client says in the place of Envoy counts for nothing', async () => {
      const headers = { 'x-envoy-auth-partial-body': 'false' };
      assert.equal(await refund({ headers, body: 'x'.repeat(LIMIT) }), 'approval_body_unseen');
      const kept = await start((settings) => {
        delete settings.with_request_body;
        settings.disable_request_body_buffering = true;
      });
      try {
        assert.equal(await refund({ headers }, kept), 'approval_required');
        assert.equal(await refund({ headers, body: '{"amount":120}' }, kept), 'approval_body_unseen');
      } finally {
        await kept.stop();
      }
    });

    test('an Envoy that sends bodies as text shows none', async () => {
      const asText = await start((_settings, filter) => {
        delete filter.with_request_body;
      });
      try {
        assert.equal(await refund({ body: '{"amount":120}' }, asText), 'approval_body_unseen');
        assert.equal(await refund({}, asText), 'approval_required');
      } finally {
        await asText.stop();
      }
    });

    test('elsewhere Envoy waits for no body', async () => {
      const { pem: cert, pkcs8Pem: key } = ledger;
      const session = connect(`https://127.0.0.1:${envoy.port}`, { cert, key, rejectUnauthorized: false });
      try {
        const pseudo = { ':method': 'POST', ':path': `/api/releases?${version}`, ':authority': PAYMENTS };
        const stream = session.request(pseudo, { endStream: false });
        stream.on('error', () => {});
        stream.write('the beginning');
        await until('the request', () => (upstream.seen.at(-1)?.url === `/api/releases?${version}` ? true : null));
      } finally {
        // The service answered already, which ends the stream in one way or another.
        session.destroy();
      }
    });
  });

/** Another Envoy in front of the same service, with other settings of the route whose bodies are read. */
const start = (change: (settings: Record<string, unknown>, filter: Record<string, unknown>) => void): Promise<Envoy> =>
  estate.envoy(
    'tcp',
    upstream,
    (tree) => {
      const { http_filters, route_config } = connectionManager(tree);
      const route = route_config.virtual_hosts[0]!.routes[0] as {
        typed_per_filter_config: Record<string, { check_settings: Record<string, unknown> }>;
      };
      change(
        route.typed_per_filter_config['envoy.filters.http.ext_authz']!.check_settings,
        http_filters[0]!.typed_config,
      );
    },
    binary,
  );

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import type { Issued } from '../support/ca.ts';
import { ask, websocketHeaders } from '../support/client.ts';
import { connectionManager } from '../support/envoy.ts';
import { Estate, PAYMENTS, workload } from '../support/estate.ts';
import { until } from '../support/until.ts';

/** What a connection that stays open, and a tunnel, outlive: docs/connections.md says the same. */

const LEDGER = '/ns/payments/sa/ledger';
const path = '/api/invoices/42';
const HOUR_MS = 3_600_000;
/** The life of a tunnel here; the shipped configurations have 900 s. */
const STREAM_SECONDS = 6;

let estate: Estate;

before(async () => {
  estate = await Estate.start({
    envoy: 'uds',
    prepare: (dir) => {
      writeFileSync(join(dir, 'revocations.yaml'), 'revocations: []\n');
      return { revocations: { file: './revocations.yaml' } };
    },
    edit: (tree) => {
      const { common_http_protocol_options: http } = connectionManager(tree) as unknown as {
        common_http_protocol_options: { max_stream_duration: string };
      };
      http.max_stream_duration = `${STREAM_SECONDS}s`;
    },
  });
});
after(() => estate?.stop());

/** Requests on one connection, which must never be opened anew. */
function onOneConnection(svid: Issued) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let opened = 0;
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (...args) => {
    opened++;
    return connect(...args);
  };
  return {
    reason: async (): Promise<string> => {
      const { status, reason } = await ask({ agent, port: estate.envoy.port, svid, host: PAYMENTS, path });
      assert.equal(opened, 1);
      return reason ?? String(status);
    },
    close: () => agent.destroy(),
  };
}

async function revoke(ids: readonly string[]): Promise<void> {
  const end = new Date(Date.now() + HOUR_MS).toISOString();
  const revocations = ids.map((id, at) => ({
    id: `r-${at}`,
    workload: id,
    until: end,
    reason: 'a test',
    by: 'a test',
  }));
  writeFileSync(join(estate.base.dir, 'revocations.yaml'), JSON.stringify({ revocations }));
  await until('the revocations', async () =>
    (await estate.sidecar.metric('authz_revocations')) === revocations.length ? true : null,
  );
}

test('a certificate that has expired is refused on the connection that it opened', async () => {
  const now = Date.now();
  const connection = onOneConnection(estate.svid(LEDGER, { notBefore: now - HOUR_MS, notAfter: now + 8000 }));
  assert.equal(await connection.reason(), '200');
  await until('the end of the certificate', async () =>
    (await connection.reason()) === 'identity_svid_expired' ? true : null,
  );
  connection.close();
});

test('a revocation holds for the next request of an open connection, and not for a tunnel until it ends', async () => {
  const svid = estate.svid(LEDGER);
  const connection = onOneConnection(svid);
  assert.equal(await connection.reason(), '200');
  const opened = performance.now();
  const tunnel = await openTunnel(svid);
  try {
    assert.equal(await echo(tunnel, 'before'), 'before');
    const ended = once(tunnel, 'close');
    await revoke([workload(LEDGER)]);
    assert.equal(await connection.reason(), 'revoked_workload');
    assert.equal(await echo(tunnel, 'after'), 'after');
    await ended;
    assert.ok(performance.now() - opened >= (STREAM_SECONDS - 1) * 1000);
    await assert.rejects(openTunnel(svid), /403/);
  } finally {
    tunnel.destroy();
    connection.close();
    await revoke([]);
  }
});

async function openTunnel({ pem: cert, pkcs8Pem: key }: Issued): Promise<Duplex> {
  const sending = request({
    host: '127.0.0.1',
    port: estate.envoy.port,
    rejectUnauthorized: false,
    agent: false,
    cert,
    key,
    path,
    headers: { host: PAYMENTS, ...websocketHeaders },
  });
  sending.end();
  return await new Promise((resolve, reject) => {
    sending.once('upgrade', (_, socket) => {
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    sending.once('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
    sending.once('error', reject);
  });
}

async function echo(tunnel: Duplex, text: string): Promise<string> {
  const received = once(tunnel, 'data');
  tunnel.write(text);
  return String((await received)[0]);
}

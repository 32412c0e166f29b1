import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { createServer } from 'node:tls';
import { TestCa } from '../../support/ca.ts';
import { type ConsoleWorld, startConsoleWorld } from '../../support/console-world.ts';
import { closeServer, listenOnLoopback } from '../../support/ports.ts';
import { finish } from '../../support/run.ts';

let world: ConsoleWorld;
before(async () => {
  world = await startConsoleWorld();
});
after(() => world.stop());

const OPENSSL = 'openssl';
const noOpenssl = spawnSync(OPENSSL, ['version']).status === 0 ? false : 'there is no openssl';

/** Whether a server asks its client for a certificate (RFC 8446 section 4.3.2). */
async function asksForCertificate(port: string): Promise<boolean> {
  const { stdout } = await finish('bash', [
    '-c',
    `${OPENSSL} s_client -connect 127.0.0.1:${port} -servername localhost </dev/null`,
  ]);
  assert.match(stdout, /BEGIN CERTIFICATE/);
  return /Requested Signature Algorithms/.test(stdout);
}

test('the listener of people asks for no certificate, and a workload proves nothing there', {
  skip: noOpenssl,
}, async () => {
  const { pem: cert, pkcs8Pem: key } = TestCa.root('x.example', { uris: [] }).issue({ dns: ['localhost'] });
  const other = createServer({ cert, key, requestCert: true, rejectUnauthorized: false });
  const port = await listenOnLoopback(other);
  try {
    assert.equal(await asksForCertificate(String(port)), true, 'one that asks');
  } finally {
    await closeServer(other);
  }
  assert.equal(await asksForCertificate(new URL(world.url).port), false);
});

test('no session proves anybody at the control port, and no token of a workload at the console', async () => {
  const browser = world.browser();
  await world.signInAs(browser, 'anna');
  const id = browser.cookies('localhost').get('__Host-session') ?? '';
  const { hostname, port } = new URL(world.control ?? '');
  const codeAt = async (headers: Record<string, string>) =>
    (JSON.parse((await browser.load(`http://${hostname}:${port}/state`, { headers })).text) as { code?: string }).code;
  assert.equal(await codeAt({ cookie: `__Host-session=${id}` }), 'identity_missing');
  assert.equal(await codeAt({ authorization: `Bearer ${id}` }), 'identity_token_malformed');
  const token = await world.fetchAs(world.browser(), '/state', { headers: { authorization: 'Bearer a.b.c' } });
  assert.equal((JSON.parse(token.text) as { code?: string }).code, 'session_missing');
});

/** A request that says it brings a body, and never does; the server has begun to wait for it. */
async function dawdler(localAddress: string, path: string, type: string): Promise<() => void> {
  const { port } = new URL(world.url);
  const asking = request({
    ...{ host: '127.0.0.1', port, localAddress, method: 'POST', path, servername: 'localhost', agent: false },
    ca: world.authorities,
    headers: { host: `localhost:${port}`, 'content-type': type, 'content-length': 10, expect: '100-continue' },
  });
  asking.on('error', () => {});
  await once(asking, 'continue');
  return () => asking.destroy();
}

test('strangers who send what they send slowly keep nobody from signing in and out', async () => {
  const form = 'application/x-www-form-urlencoded';
  await using slow = new AsyncDisposableStack();
  for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'])
    for (let count = 0; count < 8; count++)
      slow.defer(
        count % 2 === 0
          ? await dawdler(address, '/sign-in/token', 'application/json')
          : await dawdler(address, '/sign-in/back-channel-logout', form),
      );
  const browser = world.browser();
  assert.equal((await world.signInAs(browser, 'anna')).status, 303);
  assert.equal((await world.fetchAs(browser, '/session')).status, 200);
  assert.equal((await world.fetchAs(browser, '/sign-out', { method: 'POST', body: '{}' })).status, 200);
});

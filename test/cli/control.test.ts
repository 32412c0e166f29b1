import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createPlain, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTls, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createSocket, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { pemBundle, TestCa } from '../support/ca.ts';
import { controlCli as cli } from '../support/control-cli.ts';
import { FakeWorkloadApi, jwtBundles, x509Bundles, x509Svid } from '../support/fake-workload-api.ts';
import { newFolder, removeFolders } from '../support/policy-cli.ts';

const folder = newFolder();
const closing: Server[] = [];
after(async () => {
  for (const server of closing) server.close();
  removeFolders();
});

const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const ca = TestCa.root('prod.example');
const SERVER = 'spiffe://prod.example/ns/platform/sa/control';
const CALLER = 'spiffe://prod.example/ns/platform/sa/on-call';
const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const token = file('token', 'aa.bb.cc\n');
const caller = ca.svid(CALLER);
const [cert, key] = [file('tls.crt', caller.pem), file('tls.key', caller.pkcs8Pem)];
const roots = file('ca.pem', pemBundle(ca));

/** A server that is no control API, or whose answers go wrong; `peers`: what the clients showed that sent something. */
async function server(answer: (response: ServerResponse) => unknown, tls?: ServerOptions) {
  const peers: (string | undefined)[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    await text(request);
    peers.push(tls === undefined ? undefined : (request.socket as TLSSocket).getPeerCertificate().subjectaltname);
    answer(response);
  };
  const made = tls === undefined ? createPlain(handle) : createTls(tls, handle);
  made.listen(0, '127.0.0.1');
  closing.push(made);
  await once(made, 'listening');
  return { peers, port: (made.address() as AddressInfo).port };
}

const revoking = ['--reason', 'INC-7', '--until', '2h', '--token-file', token];

test('no answer, half an answer, an endless one and one of another kind end with 2; an order that may be taken says so', async () => {
  const control = (port: number) => ['--control', `http://127.0.0.1:${port}`, '--timeout', '500ms'];
  const order = ['revoke', 'workload', AGENT, ...revoking, '--idempotency-key', 'k-2'];
  const answers: readonly (readonly [(response: ServerResponse) => unknown, RegExp])[] = [
    [() => {}, /no answer within 0\.5 s/],
    [(response) => response.write('{"revocation":'), /no answer within 0\.5 s/],
    [(response) => response.end('<html>'), /it answered 200 without JSON; is a control API there\?/],
    [(response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /it answered 302 without JSON/],
    [(response) => response.end(Buffer.alloc(9 * 1024 * 1024, ' ')), /answered more than 8388608 bytes/],
    [(response) => response.socket!.destroy(), /socket hang up/],
  ];
  for (const [answer, said] of answers) {
    const { port } = await server(answer);
    const { code, stdout, stderr } = await cli([...order, ...control(port)]);
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, said);
    assert.match(stderr, /It is not known whether the order was taken; repeat it with --idempotency-key k-2\n$/);
  }
  const silent = createSocket().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  silent.close();
  await once(silent, 'close');
  const closed = await cli([...order, ...control(port)]);
  assert.equal(closed.code, 2);
  assert.match(closed.stderr, /^http:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED [^\n]+\n$/);
});

test('an answer that says nothing of what was asked ends with 2', async () => {
  const { port } = await server((response) => response.end('{"hops":[{"policies":"x"}]}'));
  const at = ['--control', `http://127.0.0.1:${port}`, '--token-file', token];
  for (const args of [['state'], ['explain', file('request.json', '{}')]]) {
    const { code, stdout, stderr } = await cli([...args, ...at]);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^http:\/\/127\.0\.0\.1:\d+: it answered what is not understood; --json shows it\n$/);
  }
});

/** A server that asks each client for a certificate. */
const mutual = (parts: Parameters<TestCa['svid']>[1] = {}, by = ca): ServerOptions => {
  const own = by.svid(SERVER, parts);
  return { cert: own.pem, key: own.pkcs8Pem, ca: pemBundle(ca), requestCert: true, rejectUnauthorized: true };
};
const good = (response: ServerResponse): unknown => response.end('{"items":[],"next":null}');

test('over TLS the caller shows its certificate, and the server proves its SPIFFE ID or its host before anything is sent', async () => {
  const tls = ['--cert', cert, '--key', key, '--ca', roots];
  const proven = await server(good, mutual());
  const listing = (port: number, ...more: readonly string[]) =>
    cli(['revocations', '--control', `https://127.0.0.1:${port}`, ...tls, ...more]);
  const answer = await listing(proven.port, '--server-id', SERVER);
  assert.deepEqual([answer.code, answer.stdout], [0, 'none\n'], answer.stderr);
  assert.equal(proven.peers[0], `URI:${CALLER}`);

  const other = await listing(proven.port, '--server-id', CALLER);
  assert.equal(other.code, 2);
  assert.match(other.stderr, new RegExp(`the server is ${SERVER}, not ${CALLER}`));
  const unnamed = await listing(proven.port);
  assert.equal(unnamed.code, 2);
  assert.match(unnamed.stderr, /IP: 127\.0\.0\.1 is not in the cert's list/);
  const stranger = await server(good, mutual({}, TestCa.root('prod.example')));
  const false1 = await listing(stranger.port, '--server-id', SERVER);
  assert.equal(false1.code, 2);
  assert.match(false1.stderr, /the server does not prove itself: identity_svid_/);
  const expired = await server(good, mutual({ notAfter: Date.now() - 1000 }));
  const late = await listing(expired.port, '--server-id', SERVER);
  assert.match(late.stderr, /the server does not prove itself: identity_svid_/);
  const named = await server(good, mutual({ dns: ['localhost'] }));
  const web = await cli(['revocations', '--control', `https://localhost:${named.port}`, ...tls]);
  assert.deepEqual([web.code, web.stdout], [0, 'none\n'], web.stderr);
  // The socket of a TLS server on 127.0.0.1 alone may be tried on ::1 first.
  assert.deepEqual(
    [proven.peers.length, stranger.peers.length, expired.peers.length, named.peers.length],
    [1, 0, 0, 1],
  );
});

test('the SPIFFE agent gives the certificate and the authorities', async () => {
  const agent = new FakeWorkloadApi(join(folder, 'agent.sock'));
  await agent.start();
  agent.say('FetchX509SVID', { svids: [x509Svid(CALLER, caller)] });
  agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca] }));
  agent.say('FetchJWTBundles', jwtBundles({ 'prod.example': [] }));
  const { peers, port } = await server(good, mutual());
  const listing = [
    'revocations',
    '--control',
    `https://127.0.0.1:${port}`,
    '--workload-api',
    agent.socket,
    '--timeout',
    '5s',
  ];
  const answer = await cli([...listing, '--server-id', SERVER]);
  assert.deepEqual([answer.code, answer.stdout], [0, 'none\n'], answer.stderr);
  assert.equal(peers[0], `URI:${CALLER}`);
  const foreign = await cli([...listing, '--server-id', 'spiffe://other.example/control']);
  assert.equal(foreign.code, 2);
  assert.match(foreign.stderr, /the SPIFFE agent gives no bundle of other\.example/);
  await agent.stop();
  const absent = await cli([...listing, '--server-id', SERVER]);
  assert.equal(absent.code, 2);
  assert.match(absent.stderr, /the SPIFFE agent gives no SVID: UNAVAILABLE/);
});

test('a command line that would send a secret in the clear, prove nobody or trust anybody is wrong', async () => {
  const at = ['--control', 'https://control.example:9443'];
  const bearer = ['--token-file', token];
  for (const args of [
    ['revocations'],
    ['revocations', ...at],
    ['revocations', '--control', 'http://control.example:9443', ...bearer],
    ['revocations', '--control', 'http://localhost:9443', ...bearer],
    ['revocations', '--control', 'https://user:secret@control.example', ...bearer],
    ['revocations', '--control', 'https://control.example/path', ...bearer],
    ['revocations', '--control', 'http://127.0.0.1:1', '--cert', cert, '--key', key],
    ['revocations', ...at, '--cert', cert],
    ['revocations', ...at, '--workload-api', '/agent.sock'],
    ['revocations', ...at, '--cert', cert, '--key', key, '--server-id', SERVER],
    ['revocations', ...at, '--cert', cert, '--key', key, '--server-id', 'control'],
    ['revocations', '--control', 'unix:///control.sock', '--cert', cert, '--key', key, '--server-id', SERVER],
    ['revocations', ...at, ...bearer, '--timeout', '0s'],
    ['revocations', ...at, ...bearer, '--limit', '0'],
    ['revocations', ...at, ...bearer, '--kind', 'everything'],
    ['decisions', ...at, ...bearer, '--since', 'yesterday'],
    ['lift', ...at, ...bearer, '--reason', 'r'],
    ['lift', 'INC-7', ...at, ...bearer],
    ['revoke', 'workload', AGENT, ...at, ...bearer, '--until', '2h'],
    ['revoke', 'workload', AGENT, ...at, ...bearer, '--reason', 'r'],
    ['revoke', 'workload', AGENT, 'more', ...at, ...revoking],
    ['revoke', 'task', 'T-1', ...at, ...revoking],
    ['revoke', 'everything', ...at, ...revoking],
    ['revoke', 'toString', 'a', 'b', ...at, ...revoking],
  ]) {
    const { code, stdout, stderr } = await cli(args);
    assert.deepEqual([code, stdout], [64, ''], args.join(' '));
    assert.match(stderr, /^.+\n\n(revo|deci|lift)/, args.join(' '));
  }
});

test('a credential that cannot be read ends with 2, and what it holds is not shown', async () => {
  const at = ['--control', 'https://127.0.0.1:1'];
  const secret = file('secret', 'pass word\n');
  for (const args of [
    ['--token-file', '/nowhere'],
    ['--token-file', secret],
    ['--cert', '/nowhere', '--key', key],
    ['--cert', cert, '--key', secret],
    ['--cert', cert, '--key', file('other.key', ca.svid(CALLER).pkcs8Pem)],
    ['--cert', cert, '--key', key, '--ca', secret, '--server-id', SERVER],
  ]) {
    const { code, stdout, stderr } = await cli(['revocations', ...at, ...args]);
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, /^\/[^:]+: /);
    assert.doesNotMatch(stderr, /pass word/);
  }
});

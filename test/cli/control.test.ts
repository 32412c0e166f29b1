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
import { FakeWorkloadApi, jwtBundles, x509Bundles, x509Svid } from '../support/fake-workload-api.ts';
import { newFolder, removeFolders } from '../support/policy-cli.ts';
import { finish } from '../support/run.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const folder = newFolder();
const closing: Server[] = [];
after(async () => {
  for (const server of closing) server.close();
  removeFolders();
});

const cli = (args: readonly string[]) => finish(process.execPath, [main, ...args]);
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

interface Asked {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  readonly peer: string | null;
}

/** A server that records what it was asked, and answers as it is told. */
async function server(
  answer: (asked: Asked, response: ServerResponse) => void,
  at: { readonly socket?: string; readonly tls?: ServerOptions } = {},
) {
  const asks: Asked[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const peer = at.tls === undefined ? null : (request.socket as TLSSocket).getPeerCertificate().subjectaltname;
    const { method, url, headers } = request;
    const asked = {
      line: `${method} ${url}`,
      headers,
      body: body === '' ? null : JSON.parse(body),
      peer: peer ?? null,
    };
    asks.push(asked);
    answer(asked, response);
  };
  const made = at.tls === undefined ? createPlain(handle) : createTls(at.tls, handle);
  if (at.socket === undefined) made.listen(0, '127.0.0.1');
  else made.listen(at.socket);
  closing.push(made);
  await once(made, 'listening');
  return { asks, port: (made.address() as AddressInfo).port };
}

const json = (response: ServerResponse, status: number, value: object): void => {
  const type = status < 300 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(value));
};

const revoking = ['--reason', 'INC-7', '--until', '2h', '--token-file', token];

test('an order goes over a Unix socket with the token, under a key of its own, and its answer is a sentence or JSON', async () => {
  const socket = join(folder, 'control.sock');
  const until = '2026-12-31T00:00:00.000Z';
  const value = {
    revocation: { id: 'INC-7', workload: AGENT, until, reason: 'INC-7', by: CALLER },
    at: '2026-11-30T12:00:00.000Z',
    replicas: 1,
    covers: 'all sidecars of the store',
    hits: { workloads: 1, tasks: 2 },
  };
  const { asks } = await server((_, response) => json(response, 201, value), { socket });
  const before = Date.now();
  const control = ['--control', `unix://${socket}`];
  const taken = await cli(['revoke', 'workload', AGENT, ...revoking, '--id', 'INC-7', ...control]);
  assert.deepEqual([taken.code, taken.stderr], [0, '']);
  assert.equal(
    taken.stdout,
    `revoked INC-7: workload ${AGENT} until ${until}, taken at 2026-11-30T12:00:00.000Z and by 1 replica; covers all sidecars of the store\n` +
      'it hits 1 workload, 2 live tasks\n',
  );
  const [asked] = asks;
  assert.equal(asked?.line, 'POST /revocations');
  assert.equal(asked.headers.authorization, 'Bearer aa.bb.cc');
  assert.equal(asked.headers['content-type'], 'application/json');
  assert.match(String(asked.headers['idempotency-key']), /^[0-9a-f-]{36}$/);
  const { until: end, ...body } = asked.body as { until: string };
  assert.deepEqual(body, { workload: AGENT, id: 'INC-7', reason: 'INC-7' });
  assert.ok(Date.parse(end) >= before + 7_200_000 && Date.parse(end) <= Date.now() + 7_200_000, end);

  const told = await cli([
    'revoke',
    'owner',
    'payments',
    ...revoking,
    '--json',
    '--idempotency-key',
    'k-1',
    ...control,
  ]);
  assert.deepEqual(JSON.parse(told.stdout), value);
  assert.equal(asks[1]?.headers['idempotency-key'], 'k-1');
  const lifted = await cli(['lift', 'INC 7', '--reason', 'over', '--token-file', token, ...control]);
  assert.equal(lifted.code, 0, lifted.stderr);
  assert.match(lifted.stdout, /^lifted INC 7, taken at 2026/);
  assert.deepEqual([asks[2]?.line, asks[2]?.body], ['POST /revocations/INC%207/lift', { reason: 'over' }]);
});

test('each kind of subject is written as a file of revocations writes it', async () => {
  const { asks, port } = await server((_, response) => json(response, 200, { summary: 'refuses 3 workloads' }));
  const control = ['--control', `http://127.0.0.1:${port}`, '--dry-run'];
  const digest = `sha256:${'0'.repeat(64)}`;
  const issuer = 'https://as.example';
  const subjects: readonly (readonly [readonly string[], object])[] = [
    [['under', 'spiffe://prod.example', '--confirm'], { under: 'spiffe://prod.example', confirm: true }],
    [['task', issuer, 'T-1'], { task: { issuer, id: 'T-1' } }],
    [['token', issuer, 'jti-1'], { token: { issuer, jti: 'jti-1' } }],
    [['token', digest], { token: { digest } }],
    [['certificate', digest], { certificate: digest }],
    [['subject', issuer, 'eve'], { subject: { issuer, subject: 'eve' } }],
  ];
  for (const [args, expected] of subjects) {
    const { code, stdout, stderr } = await cli(['revoke', ...args, ...revoking, ...control]);
    assert.deepEqual([code, stdout], [0, 'nothing is changed; it refuses 3 workloads\n'], stderr);
    const { until: _, reason: __, ...body } = asks.at(-1)!.body as Record<string, unknown>;
    assert.deepEqual(body, expected);
    assert.equal(asks.at(-1)!.line, 'POST /revocations?dryRun=true');
  }
});

test('a list is read page by page up to the limit, with its filters, and says whom it covers', async () => {
  const item = (at: number) => ({
    decision: `d-${at}`,
    time: 'T',
    result: 'deny',
    reason: 'policy_no_permit',
    caller: AGENT,
  });
  const { asks, port } = await server(({ line }, response) => {
    const query = new URL(line.split(' ')[1]!, 'http://a').searchParams;
    const from = Number(query.get('cursor') ?? 0);
    const items = Array.from({ length: Math.min(100, Number(query.get('limit'))) }, (_, i) => item(from + i));
    json(response, 200, { items, next: String(from + items.length), covers: 'this process' });
  });
  const listing = ['decisions', '--control', `http://127.0.0.1:${port}`, '--token-file', token];
  const { code, stdout, stderr } = await cli([
    ...listing,
    '--limit',
    '250',
    '--result',
    'deny',
    '--workload',
    AGENT,
    '--json',
  ]);
  assert.equal(code, 0, stderr);
  const told = JSON.parse(stdout) as { items: readonly unknown[] };
  assert.deepEqual(told, {
    items: Array.from({ length: 250 }, (_, at) => item(at)),
    more: true,
    covers: 'this process',
  });
  assert.deepEqual(
    asks.map(({ line }) => line),
    ['limit=100', 'limit=100', 'limit=50'].map(
      (limit, at) =>
        `GET /decisions?${limit}&workload=${encodeURIComponent(AGENT)}&result=deny${at === 0 ? '' : `&cursor=${at}00`}`,
    ),
  );
  const table = await cli([...listing, '--limit', '1']);
  assert.match(
    table.stdout,
    /^time +result +reason +caller +request +decision\nT +deny +policy_no_permit +spiffe:\S+ +\S+ \S+ +d-0\n$/,
  );
  assert.equal(table.stderr, 'covers this process\nthere are more; ask with a higher --limit, or with a filter\n');
});

test('a refusal is a sentence with its code and audit line, without control characters, and exit code 1', async () => {
  const problem = {
    title: 'Not permitted',
    status: 403,
    detail: 'no policy\u001b[2J permits',
    code: 'control_forbidden',
    decision: 'd-9',
  };
  const { port } = await server((_, response) => json(response, 403, problem));
  for (const args of [
    ['revoke', 'workload', AGENT, ...revoking],
    ['workloads', '--token-file', token],
  ]) {
    const { code, stdout, stderr } = await cli([...args, '--control', `http://127.0.0.1:${port}`]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(stderr, 'Not permitted: no policy\\u{1b}[2J permits (control_forbidden, status 403, audit d-9)\n');
  }
  const told = await cli(['workloads', '--token-file', token, '--json', '--control', `http://127.0.0.1:${port}`]);
  assert.deepEqual([told.code, JSON.parse(told.stdout)], [1, problem]);
});

test('no answer, half an answer, an endless one and one of another kind end with 2; an order that may be taken says so', async () => {
  const control = (port: number) => ['--control', `http://127.0.0.1:${port}`, '--timeout', '500ms'];
  const order = ['revoke', 'workload', AGENT, ...revoking, '--idempotency-key', 'k-2'];
  const answers: readonly (readonly [(response: ServerResponse) => void, RegExp])[] = [
    [() => {}, /no answer within 0\.5 s/],
    [(response) => response.write('{"revocation":'), /no answer within 0\.5 s/],
    [(response) => response.end('<html>'), /it answered 200 without JSON; is a control API there\?/],
    [(response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /it answered 302 without JSON/],
    [(response) => response.end(Buffer.alloc(9 * 1024 * 1024, ' ')), /answered more than 8388608 bytes/],
    [(response) => response.socket!.destroy(), /socket hang up/],
  ];
  for (const [answer, said] of answers) {
    const { port } = await server((_, response) => answer(response));
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

/** A server that asks each client for a certificate. */
const mutual = (parts: Parameters<TestCa['svid']>[1] = {}, by = ca): ServerOptions => {
  const own = by.svid(SERVER, parts);
  return { cert: own.pem, key: own.pkcs8Pem, ca: pemBundle(ca), requestCert: true, rejectUnauthorized: true };
};
const good = (_: Asked, response: ServerResponse): void => json(response, 200, { items: [], next: null });

test('over TLS the caller shows its certificate, and the server proves its SPIFFE ID or its host before anything is sent', async () => {
  const tls = ['--cert', cert, '--key', key, '--ca', roots];
  const proven = await server(good, { tls: mutual() });
  const listing = (port: number, ...more: readonly string[]) =>
    cli(['revocations', '--control', `https://127.0.0.1:${port}`, ...tls, ...more]);
  const answer = await listing(proven.port, '--server-id', SERVER);
  assert.deepEqual([answer.code, answer.stdout], [0, 'none\n'], answer.stderr);
  assert.equal(proven.asks[0]?.peer, `URI:${CALLER}`);

  const other = await listing(proven.port, '--server-id', CALLER);
  assert.equal(other.code, 2);
  assert.match(other.stderr, new RegExp(`the server is ${SERVER}, not ${CALLER}`));
  const unnamed = await listing(proven.port);
  assert.equal(unnamed.code, 2);
  assert.match(unnamed.stderr, /IP: 127\.0\.0\.1 is not in the cert's list/);
  const stranger = await server(good, { tls: mutual({}, TestCa.root('prod.example')) });
  const false1 = await listing(stranger.port, '--server-id', SERVER);
  assert.equal(false1.code, 2);
  assert.match(false1.stderr, /the server does not prove itself: identity_svid_/);
  const expired = await server(good, { tls: mutual({ notAfter: Date.now() - 1000 }) });
  const late = await listing(expired.port, '--server-id', SERVER);
  assert.match(late.stderr, /the server does not prove itself: identity_svid_/);
  const named = await server(good, { tls: mutual({ dns: ['localhost'] }) });
  const web = await cli(['revocations', '--control', `https://localhost:${named.port}`, ...tls]);
  assert.deepEqual([web.code, web.stdout], [0, 'none\n'], web.stderr);
  // The socket of a TLS server on 127.0.0.1 alone may be tried on ::1 first.
  assert.deepEqual([proven.asks.length, stranger.asks.length, expired.asks.length, named.asks.length], [1, 0, 0, 1]);
});

test('the SPIFFE agent gives the certificate and the authorities', async () => {
  const agent = new FakeWorkloadApi(join(folder, 'agent.sock'));
  await agent.start();
  agent.say('FetchX509SVID', { svids: [x509Svid(CALLER, caller)] });
  agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca] }));
  agent.say('FetchJWTBundles', jwtBundles({ 'prod.example': [] }));
  const { asks, port } = await server(good, { tls: mutual() });
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
  assert.equal(asks[0]?.peer, `URI:${CALLER}`);
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
    ['revocations', '--control', 'unix:///control.sock', '--cert', cert, '--key', key],
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

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { type Readiness, type StatusOptions, serveStatus } from './status.ts';

async function serve(t: TestContext, change: Partial<StatusOptions> = {}) {
  const failures: unknown[] = [];
  const server = await serveStatus({
    host: '127.0.0.1',
    port: 0,
    readiness: () => ({ ready: true, missing: [] }),
    status: () => ({ revision: 'sha256:01' }),
    metrics: async () => ({ type: 'text/plain; version=0.0.4', body: 'a 1\n' }),
    failed: (path, error) => failures.push([path, error]),
    ...change,
  });
  t.after(() => server.close());
  const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
  return { ask, failures, port: server.port };
}

/** What the server says to these bytes, until it closes the connection. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return said;
}

test('ready is told by status code and says what is missing', async (t) => {
  let readiness: Readiness = { ready: false, missing: ['bundle of a.example'] };
  const { ask } = await serve(t, { readiness: () => readiness });
  const before = await ask('/readyz');
  assert.deepEqual([before.status, await before.json()], [503, readiness]);
  assert.equal((await ask('/healthz')).status, 200);
  readiness = { ready: true, missing: [] };
  assert.equal((await ask('/readyz')).status, 200);
});

test('status and metrics are shown, with a query too', async (t) => {
  const { ask } = await serve(t);
  assert.deepEqual(await (await ask('/status')).json(), { revision: 'sha256:01' });
  const metrics = await ask('/metrics?name[]=a');
  assert.deepEqual([metrics.headers.get('content-type'), await metrics.text()], ['text/plain; version=0.0.4', 'a 1\n']);
});

test('HEAD has the headers of GET and no body; every other method is refused', async (t) => {
  const { ask } = await serve(t);
  const head = await ask('/status', { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  assert.ok(Number(head.headers.get('content-length')) > 0);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const answer = await ask('/status', { method });
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'GET, HEAD']);
  }
});

test('what is not there is not found, whatever the path looks like', async (t) => {
  const { ask } = await serve(t);
  for (const path of ['/', '/status/', '//status', '/STATUS', '/constructor', '/../status/x', '/%73tatus']) {
    assert.equal((await ask(path)).status, 404, path);
  }
});

test('nothing is cached, sniffed or framed', async (t) => {
  const { ask } = await serve(t);
  const { headers } = await ask('/status');
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.match(headers.get('content-security-policy')!, /default-src 'none'/);
});

test('a page that fails tells the log, not the caller', async (t) => {
  const { ask, failures } = await serve(t, {
    status: () => {
      throw new Error('secret detail');
    },
    metrics: () => Promise.reject(new Error('secret detail')),
  });
  for (const path of ['/status', '/metrics']) {
    const answer = await ask(path);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /secret|at /);
  }
  assert.deepEqual(
    failures.map((failure) => (failure as [string])[0]),
    ['/status', '/metrics'],
  );
  assert.equal((await ask('/healthz')).status, 200);
});

test('headers are bounded and nonsense ends the connection, not the server', async (t) => {
  const { ask, port } = await serve(t);
  assert.match(
    await raw(port, `GET /healthz HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1.1 431 /,
  );
  assert.match(await raw(port, 'hello\r\n\r\n'), /^HTTP\/1.1 400 /);
  assert.equal((await ask('/healthz')).status, 200);
});

test('a port that is taken is an error at once', async (t) => {
  const { port } = await serve(t);
  await assert.rejects(serve(t, { port }), /EADDRINUSE/);
});

test('metrics are made once a second at most, however many ask', async (t) => {
  let made = 0;
  const metrics = async () => ({ type: 'text/plain', body: `made ${++made}\n` });
  const { ask } = await serve(t, { metrics });
  const start = performance.now();
  const bodies: string[] = [];
  for (let at = 0; at < 40; at++) bodies.push(await (await ask('/metrics')).text());
  assert.ok(made <= 1 + (performance.now() - start) / 1000, `${made} scrapes`);
  assert.equal(bodies[0], 'made 1\n');
});

test('metrics that could not be made are made anew at once', async (t) => {
  let asked = 0;
  const metrics = async () => {
    if (++asked === 1) throw new Error('broken');
    return { type: 'text/plain', body: 'a 1\n' };
  };
  const { ask } = await serve(t, { metrics });
  assert.deepEqual([(await ask('/metrics')).status, (await ask('/metrics')).status], [500, 200]);
});

/** The end of a connection, be it by a reset. */
async function endOf(socket: Socket): Promise<void> {
  socket.resume().on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
}

test('one address holds few connections at a time, and may come back', async (t) => {
  const { port, ask } = await serve(t);
  const held = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
  const closed = held.map(endOf);
  await Promise.race(closed);
  for (const socket of held) socket.destroy();
  await Promise.all(closed);
  await until('a connection', async () => ((await ask('/healthz')).status === 200 ? true : null));
});

test('an address that asks too often loses its connection, and few of its requests are answered', async (t) => {
  let asked = 0;
  const { port } = await serve(t, { status: () => ++asked });
  const socket = connect(port, '127.0.0.1');
  // What is still on its way when the server closes makes a reset.
  const closed = endOf(socket);
  const start = performance.now();
  socket.write('GET /status HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5000));
  await closed;
  const seconds = 1 + (performance.now() - start) / 1000;
  assert.ok(asked > 0 && asked <= 200 * Math.ceil(seconds), `${asked} answers in ${seconds} s`);
});

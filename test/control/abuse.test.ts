import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { until } from '../support/until.ts';

let world: Awaited<ReturnType<typeof startControlWorld>>;
let port: number;

before(async () => {
  world = await startControlWorld({ policies: ALL_TO_OPERATOR });
  port = Number(new URL(world.control ?? '').port);
});
after(() => world.stop());

/** What a connection gets for these bytes, until the server ends it. */
async function raw(...bytes: readonly string[]): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  for (const part of bytes) socket.write(part);
  await once(socket, 'close');
  return text;
}

const head = (request: string, more = ''): string => `${request} HTTP/1.1\r\nhost: localhost:${port}\r\n${more}`;
const statusOf = (answer: string): number => Number(answer.split(' ')[1]);
const codeOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('{'))).code;

test('slow headers and slow bodies end in time, with a document', async () => {
  const bearer = `authorization: Bearer ${world.token(OPERATOR)}\r\n`;
  const length = 'content-type: application/json\r\ncontent-length: 100\r\n';
  const [headers, body, stranger] = await Promise.all([
    raw(head('GET /state')),
    raw(head('POST /revocations', `${bearer}${length}\r\n`), '{"own'),
    raw(head('POST /revocations', `${length}connection: close\r\n\r\n`), '{"own'),
  ]);
  assert.deepEqual([statusOf(headers), codeOf(headers)], [408, 'timeout']);
  assert.deepEqual([statusOf(body), codeOf(body)], [408, 'timeout']);
  // Of a stranger no body is waited for.
  assert.deepEqual([statusOf(stranger), codeOf(stranger)], [401, 'identity_missing']);
});

test('what is no HTTP gets a document, and no answer leads to another request', async () => {
  for (const [bytes, status, code] of [
    ['\u0016\u0003\u0001 hello', 400, 'malformed'],
    ['GET /state HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n', 400, 'malformed'],
    ['GET /state HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'malformed'],
    [head('GET /state', `x: ${'y'.repeat(20_000)}\r\n\r\n`), 431, 'headers_too_large'],
    [head('POST /revocations', 'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'), 400, 'malformed'],
    [head('CONNECT localhost:443', '\r\n'), 400, 'malformed'],
  ] as const) {
    const answer = await raw(bytes);
    assert.deepEqual([statusOf(answer), codeOf(answer)], [status, code], bytes.slice(0, 60));
    assert.equal(answer.match(/^HTTP\/1\.1 /gm)?.length, 1);
  }
});

test('who still sends headers that are too long gets the answer all the same', async () => {
  // A client that reads once it has sent all: most do.
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let failed: unknown = null;
  socket.on('error', (error) => {
    failed = error;
  });
  const closed = once(socket, 'close');
  socket.pause();
  socket.once('end', () => socket.end());
  socket.write(head('GET /state'));
  for (let part = 0; part < 40; part++) {
    await new Promise((resolve) => socket.write(`x-${part}: ${'y'.repeat(4000)}\r\n`, resolve));
    await new Promise(setImmediate);
  }
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.resume();
  await closed;
  assert.equal(failed, null);
  assert.deepEqual([statusOf(text), codeOf(text)], [431, 'headers_too_large']);
});

test('a connection that was answered before gets a document for what is no request, too', async () => {
  const socket = connect(port, '127.0.0.1');
  socket.write(head('GET /state', '\r\n'));
  const [first] = (await once(socket, 'data')) as [Buffer];
  assert.equal(statusOf(first.toString()), 401);
  socket.write('no request\r\n\r\n');
  const [second] = (await once(socket, 'data')) as [Buffer];
  assert.equal(statusOf(second.toString()), 400);
  // What stands behind a request is no answer to it.
  assert.equal(statusOf(await raw(head('GET /state', '\r\n'), 'no request\r\n\r\n')), 401);
  const bearer = `authorization: Bearer ${world.token(OPERATOR)}\r\n`;
  const chunks = 'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  const broken = await raw(head('POST /revocations', `${bearer}${chunks}`), 'zz\r\n');
  assert.deepEqual([statusOf(broken), codeOf(broken)], [400, 'malformed']);
});

test('who is refused before its body was read gets the answer all the same', async () => {
  for (const body of ['x'.repeat(60_000), 'x'.repeat(3_000_000)]) {
    const { status, json } = await world.ask({ method: 'POST', path: '/revocations', body });
    assert.deepEqual([status, json.code], [401, 'identity_missing']);
  }
});

test('a body without a length is refused', async () => {
  const bearer = `authorization: Bearer ${world.token(OPERATOR)}\r\n`;
  const answer = await raw(
    head('POST /revocations', `${bearer}content-type: application/json\r\nconnection: close\r\n\r\n`),
  );
  assert.deepEqual([statusOf(answer), codeOf(answer)], [411, 'length_required']);
});

test('a caller has so many calls at one time', async () => {
  const token = world.token(OPERATOR);
  const slow = Array.from({ length: 12 }, () => world.ask({ path: '/workloads?reach=true&limit=1', token }));
  const statuses = (await Promise.all(slow)).map(({ status }) => status);
  assert.ok(statuses.includes(200) && statuses.includes(429), String(statuses));
});

test('long texts are cut in the line, and in the answer', async () => {
  const token = world.token(OPERATOR);
  const long = await world.recorded({ path: `/${'x'.repeat(7000)}`, token });
  assert.equal(long.status, 404);
  assert.ok(JSON.stringify(long.line).length < 4000);
  const fields = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`field-${at}-${'y'.repeat(90)}`, 1]));
  const many = await world.recorded({ method: 'POST', path: '/revocations', token, body: fields });
  assert.equal(many.status, 422);
  assert.ok(JSON.stringify(many.json).length < 12_000 && JSON.stringify(many.line).length < 12_000);
});

test('a flood of strangers fills no disk, and takes nobody’s turn: what gets no line is counted in one', async () => {
  const linesBefore = world.auditLines().length;
  const token = world.token(OPERATOR);
  const statuses: number[] = [];
  for (let round = 0; round < 20; round++) {
    // A connection too many is ended at once.
    const answers = await Promise.allSettled(Array.from({ length: 15 }, () => world.ask({ path: '/state' })));
    for (const answer of answers) if (answer.status === 'fulfilled') statuses.push(answer.value.status);
  }
  assert.ok(statuses.every((status) => status === 401 || status === 429));
  const dropped = await until('the line of those that got none', () => {
    const lines = world.auditLines().slice(linesBefore);
    const own = lines.filter(({ event, caller }) => event === 'control' && caller === null).length;
    const counted = lines.reduce(
      (sum, { event, records }) => sum + (event === 'control-dropped' ? Number(records) : 0),
      0,
    );
    return own + counted >= statuses.length ? { own, lines: lines.length } : null;
  });
  assert.ok(dropped.own <= 100, `${dropped.own} lines for ${statuses.length} requests`);
  const known = await until('a turn of its own', async () => {
    const answer = await world.ask({ path: '/state', token });
    return answer.status === 200 ? answer : null;
  });
  assert.equal(known.line?.result, 'allow');
  const metrics = await world.status('/metrics');
  assert.match(metrics, /^authz_control_requests_total\{call="state",status="4xx"\} \d{2,}$/m);
  assert.match(metrics, /^authz_control_lines_dropped_total [1-9]\d*$/m);
});

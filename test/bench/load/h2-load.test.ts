import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import type { CheckResponseMessage, ReceivedCheck } from '../../../src/envoy/api.ts';
import { authorization, encodeByLibrary } from '../../../src/envoy/messages.ts';
import { checkBytes } from '../../support/check-request.ts';
import { closeServer, listenOnLoopback } from '../../support/ports.ts';
import { LoadConnection, windowUpdate } from './h2-load.ts';
import { type Verdict, verdictOf } from './verdict.ts';

const bytesOf = (message: object): Buffer => encodeByLibrary(message as CheckResponseMessage);
const ok = { headers: [], headers_to_remove: [] };
const denied = { status: { code: 403 }, headers: [], body: 'x'.repeat(300) };

test('an allow is status 0 with ok_response alone, a denial another status with denied_response alone', () => {
  const verdicts: readonly (readonly [Verdict, object])[] = [
    ['allow', { status: { code: 0, message: 'permitted' }, ok_response: ok }],
    ['allow', { status: { code: 0 }, ok_response: ok, dynamic_metadata: { fields: {} } }],
    ['deny', { status: { code: 7, message: 'no' }, denied_response: denied }],
    ['none', { status: { code: 7 }, ok_response: ok }],
    ['none', { status: { code: 0 }, denied_response: denied }],
    ['none', { status: { code: 0 } }],
    ['none', {}],
  ];
  for (const [verdict, message] of verdicts)
    assert.equal(verdictOf(bytesOf(message)), verdict, JSON.stringify(message));
  assert.equal(verdictOf(bytesOf({ status: { code: 7 }, denied_response: denied }).subarray(0, 40)), 'none');
});

/** Allows each path that ends in an even digit, with an answer of several frames; other paths are refused, `/error` by gRPC. */
const server = new Server();
let port = 0;
before(async () => {
  server.addService(authorization, {
    Check: ({ request }: ServerUnaryCall<ReceivedCheck, object>, done: sendUnaryData<CheckResponseMessage>) => {
      const path = request.request?.attributes?.request?.http?.path ?? '';
      if (path === '/error') done({ code: 13, details: 'broken' });
      else if (/[02468]$/.test(path)) done(null, { status: { code: 0, message: 'x'.repeat(40_000) }, ok_response: ok });
      else done(null, { status: { code: 7 }, denied_response: denied });
    },
  });
  port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
});
after(() => server.forceShutdown());

test('every answer of many in flight is that of its own check, of whatever size', async () => {
  const connection = await LoadConnection.to(port);
  const ask = (path: string): Promise<Verdict> =>
    new Promise((resolve) => connection.send(checkBytes({ path, headers: { filler: 'x'.repeat(5000) } }), resolve));
  const paths = Array.from({ length: 200 }, (_, n) => (n % 50 === 49 ? '/error' : `/${n}`));
  const verdicts = await Promise.all(paths.map(ask));
  assert.deepEqual(
    verdicts,
    paths.map((path) => (path === '/error' ? 'none' : /[02468]$/.test(path) ? 'allow' : 'deny')),
  );
  connection.close();
  assert.equal(await ask('/2'), 'none', 'nothing is sent on a closed connection');
});

test('no more is sent than the window of the connection holds, and the rest when it grows', async (t) => {
  const message = checkBytes({ headers: { filler: 'x'.repeat(5000) } });
  const [count, length] = [100, message.length + GRPC_HEAD];
  const inWindow = Math.floor(WINDOW / length) * length;
  const all = Promise.withResolvers<void>();
  let [received, atFirst, opening, opened] = [0, 0, false, false];
  const server = createServer((socket) => {
    let rest: Buffer = Buffer.alloc(0);
    let preface = PREFACE_BYTES;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes.subarray(preface)]);
      preface = 0;
      for (let size = sizeOf(rest); rest.length >= size; rest = rest.subarray(size), size = sizeOf(rest))
        if (rest[3] === DATA) received += size - FRAME_HEAD;
      if (!opened) atFirst = received;
      if (received === count * length) all.resolve();
      if (received < inWindow || opening) return;
      opening = true;
      // Whatever is sent too soon comes before.
      setTimeout(() => {
        opened = true;
        socket.write(windowUpdate(count * length));
      }, 50);
    });
  });
  const connection = await LoadConnection.to(await listenOnLoopback(server));
  t.after(async () => {
    connection.close();
    await closeServer(server);
  });
  for (let n = 0; n < count; n++) connection.send(message, () => {});
  await all.promise;
  assert.equal(atFirst, inWindow);
});

/** HTTP/2 by the byte (RFC 9113 sections 3.4 and 4.1). */
const [PREFACE_BYTES, FRAME_HEAD, GRPC_HEAD, WINDOW, DATA] = [24, 9, 5, 65_535, 0];
const sizeOf = (frames: Buffer): number =>
  frames.length < FRAME_HEAD ? Number.POSITIVE_INFINITY : FRAME_HEAD + frames.readUIntBE(0, 3);

test('what is in flight when the server goes away has no answer', async () => {
  const gone = new Server();
  gone.addService(authorization, { Check: () => setImmediate(() => gone.forceShutdown()) });
  const bound = await new Promise<number>((resolve) => {
    gone.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, at) => resolve(at));
  });
  const connection = await LoadConnection.to(bound);
  assert.equal(await new Promise((resolve) => connection.send(checkBytes(), resolve)), 'none');
});

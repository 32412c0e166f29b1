import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { keepAllStreams, keepStreams, StreamTable } from './stream-table.ts';

/** A server that answers each stream by `answer`, and a connection to it. */
async function connected(t: TestContext, answer: (stream: ServerHttp2Stream) => void) {
  const server = createServer();
  server.on('stream', answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [session] = (await once(server, 'session')) as [ServerHttp2Session];
  t.after(() => {
    client.destroy();
    server.close();
  });
  return { server, client, session };
}

async function ask(client: ClientHttp2Session): Promise<void> {
  const stream = client.request();
  stream.resume();
  await once(stream, 'close');
}

/** The table that a session of this Node has. */
function tableOf(session: ServerHttp2Session): unknown {
  const place = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'state')!;
  return (session as unknown as Record<symbol, { streams: unknown }>)[place]!.streams;
}

test('it is a Map', () => {
  const [table, map] = [new StreamTable<string>(), new Map<number, string>()];
  for (const one of [table, map]) {
    for (const id of [3, 1, 5, 4_294_967_295, 2 ** 31 - 1, 1]) one.set(id, `stream ${id}`);
    assert.deepEqual([one.delete(1), one.delete(1), one.delete(7)], [true, false, false]);
  }
  const content = (one: Map<number, string>) => ({
    size: one.size,
    entries: [...one].toSorted(([a], [b]) => a - b),
    keys: [...one.keys()].toSorted((a, b) => a - b),
    values: [...one.values()].toSorted(),
    found: [one.get(3), one.get(1), one.has(5), one.has(1)],
  });
  assert.deepEqual(content(table), content(map));
  const met: number[] = [];
  table.forEach((_, id) => {
    met.push(id);
    table.delete(5);
  });
  assert.ok(!met.includes(5) || met.indexOf(5) === 1);
  table.clear();
  assert.deepEqual(content(table), content(new Map()));
});

test('a session gets it with its first stream, answers, and ends as ever', async (t) => {
  keepAllStreams();
  const held: ServerHttp2Stream[] = [];
  const { server, client, session } = await connected(t, (stream) => {
    if (held.length < 2) held.push(stream);
    else stream.respond({}, { endStream: true });
  });
  const open = [client.request(), client.request()];
  for (const stream of open) stream.on('error', () => {});
  await ask(client);
  await ask(client);
  const table = tableOf(session);
  assert.ok(table instanceof StreamTable);
  assert.equal(table.size, 2);
  // Answers to what is open, and then the end.
  session.close();
  held[0]!.respond({}, { endStream: true });
  await once(open[0]!.resume(), 'close');
  assert.equal(session.destroyed, false);
  const ended = once(session, 'close');
  const cut = once(held[1]!, 'close');
  session.destroy();
  await Promise.all([ended, cut]);
  assert.equal(table.size, 0);
  server.close();
});

test('what keeps its streams elsewhere is left as it is', () => {
  const other = { [Symbol('state')]: { streams: [] } } as unknown as ServerHttp2Session;
  keepStreams(other);
  keepStreams({} as ServerHttp2Session);
  assert.deepEqual(Object.getOwnPropertySymbols(other).length, 1);
});

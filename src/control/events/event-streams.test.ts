import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { readEvents } from '../../../test/support/event-reader.ts';
import { closeServer, listenOnLoopback } from '../../../test/support/ports.ts';
import { until } from '../../../test/support/until.ts';
import { systemClock } from '../../base/clock.ts';
import { EventStreams } from './event-streams.ts';
import { EventFeed } from './feed.ts';
import { type ControlEvent, eventKinds } from './viewer.ts';

const EVENT_CHARS = 60_000;
/** What happened, and was not asked for yet. */
const happened: ControlEvent[] = [];
const whole = { isWhole: true };
const source = async () => {
  const events = happened.splice(0);
  const { isWhole } = whole;
  whole.isWhole = true;
  return { events, isWhole };
};
const feed = new EventFeed(() => [source], systemClock);
const streams = new EventStreams(feed, systemClock);
const responses: ServerResponse[] = [];
const server = createServer(async (message, response) => {
  const { searchParams } = new URL(message.url ?? '', 'http://x');
  const after = searchParams.get('after');
  const rights = { maySee: () => true };
  const by = searchParams.get('by') ?? 'anna';
  const viewer = { by, kinds: new Set(eventKinds), after, rights, again: async () => rights };
  responses.push(response);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  await streams.open(viewer)?.(response);
});
let port = 0;
before(async () => {
  port = await listenOnLoopback(server);
});
after(async () => {
  streams.close();
  server.closeAllConnections();
  await closeServer(server);
});

async function reader(path = '/') {
  const asking = request({ port, path, host: '127.0.0.1', agent: false });
  asking.on('error', () => {});
  asking.end();
  const events = await readEvents(asking);
  left.push(() => asking.destroy());
  await events.first('the beginning', () => true);
  return { ...events, response: responses.at(-1)! };
}

const left: (() => void)[] = [];
afterEach(async () => {
  for (const leave of left.splice(0)) leave();
  await until('no stream to be open', () => (streams.size === 0 ? true : null));
});

let counter = 0;
/** Lets something happen, so much of it that it fills what lies between a server and its reader. */
function happen(count: number): number {
  for (let n = 0; n < count; n++) {
    const data = JSON.stringify({ n: ++counter, filled: 'x'.repeat(EVENT_CHARS) });
    happened.push({ kind: 'decisions', about: () => [{ kind: 'everything' }], data });
  }
  return counter;
}
const isNumber = (n: number) => (event: { readonly data: unknown }) => (event.data as { n?: number }).n === n;

test('a reader who takes nothing is cut off with little that waits for it, and nobody else waits', async () => {
  const [eager, lazy] = [await reader(), await reader()];
  lazy.stopReading();
  const told: number[] = [];
  let waiting = 0;
  let last = 0;
  await until('the lazy one to be cut off', async () => {
    last = happen(10);
    await eager.first('the last event', isNumber(last));
    waiting = Math.max(waiting, lazy.response.writableLength);
    return streams.size === 1 ? true : null;
  });
  for (const { data } of eager.named('decisions')) told.push((data as { n: number }).n);
  assert.deepEqual(
    told,
    Array.from({ length: last }, (_, n) => n + 1),
  );
  assert.ok(waiting < 3 * EVENT_CHARS, `${waiting} bytes waited`);
  assert.equal(lazy.response.destroyed, true);
});

test('who was slower than what is kept is told that something is missing, and goes on from there', async () => {
  const [eager, slow] = [await reader(), await reader()];
  slow.stopReading();
  // What is kept is 4 MiB, and the machine holds a few between the two.
  let last = 0;
  for (let count = 0; count < 6; count++) {
    last = happen(50);
    await eager.first('the last event', isNumber(last));
  }
  slow.readOn();
  await slow.first('that something is missing', ({ name }) => name === 'reset');
  const next = happen(1);
  await slow.first('what comes then', isNumber(next));
  assert.ok(slow.events.findIndex(({ name }) => name === 'reset') < slow.events.findIndex(isNumber(next)));
  assert.equal(eager.named('reset').length, 0);
  const back = await reader(`/?after=${eager.events[1]?.id}`);
  assert.equal(back.events[0]?.name, 'reset', 'it is not kept any longer');
  const { id } = await eager.first('the last event', isNumber(next));
  const good = await reader(`/?after=${id}`);
  assert.equal(good.events[0]?.name, 'ready');
});

test('what a source has lost is told to everybody', async () => {
  const one = await reader();
  whole.isWhole = false;
  const n = happen(1);
  await one.first('the event', isNumber(n));
  assert.deepEqual(
    one.events.map(({ name }) => name),
    ['ready', 'reset', 'decisions'],
  );
});

test('a stream in which nothing happens says that it is there', async () => {
  const one = await reader();
  await until('a comment', () => (one.comments.length > 0 ? true : null));
  assert.deepEqual(
    one.events.map(({ name }) => name),
    ['ready'],
  );
});

test('where a few have all streams, a newcomer gets one of theirs, whose reader can come back', async () => {
  const open: Awaited<ReturnType<typeof reader>>[] = [];
  for (let n = 0; n < 50; n++) open.push(await reader(`/?by=${n >> 2}`));
  assert.equal(streams.size, 50);
  const late = await reader('/?by=late');
  assert.equal(await open[0]!.ended(), true);
  assert.equal(streams.size, 50);
  const n = happen(1);
  await late.first('the event', isNumber(n));
  await open[1]!.first('the event', isNumber(n));
});

test('who is not there when its stream begins takes no place', async () => {
  const one = await reader();
  assert.equal(streams.size, 1);
  one.leave();
  await once(one.response, 'close');
  await until('no stream', () => (streams.size === 0 ? true : null));
});

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { Arrivals, filesOf, webhookServer } from '../../../test/support/notice-world.ts';
import { startOtlpReceiver } from '../../../test/support/otlp-receiver.ts';
import { TestClock } from '../../../test/support/test-clock.ts';
import { until } from '../../../test/support/until.ts';
import { Collector, type CollectorOptions } from './collector.ts';
import { type SpanEvent, SpanQueue } from './queue.ts';
import { exportRequest } from './tracing.ts';

type Answer = (response: ServerResponse) => void;
const answered =
  (status: number, body = '{}', headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);

const wrap = exportRequest('1', 'i');
const span = (name: string) => ({
  json: `{"traceId":"${'1'.repeat(32)}","spanId":"${'2'.repeat(16)}","name":"${name}"}`,
  count: 1,
});

/** The queue of the product before a collector that answers these, one after the other, the last again and again. */
async function queueBefore(
  t: TestContext,
  answers: readonly Answer[],
  options: Partial<CollectorOptions> = {},
  limit = 8,
) {
  let asked = 0;
  const receiver = await startOtlpReceiver((response) => answers[Math.min(asked++, answers.length - 1)]!(response));
  t.after(() => receiver.close());
  const collector = new Collector({
    url: new URL(`${receiver.url}/v1/traces`),
    ca: null,
    client: null,
    headersFile: null,
    ...options,
  });
  const clock = new TestClock();
  const events = new Arrivals<SpanEvent>();
  const queue = new SpanQueue({
    limit,
    send: (spans, signal) => collector.post(wrap(spans), signal),
    clock,
    random: () => 0,
    onEvent: events.push,
  });
  t.after(async () => {
    await queue.stop();
    collector.close();
  });
  const named = () => receiver.spans().map(({ name }) => name);
  return { receiver, queue, clock, events, named };
}

test('spans of one second are one request, with the resource that they come from', async (t) => {
  const { receiver, queue, clock, events, named } = await queueBefore(t, [answered(200)]);
  queue.offer(span('a'));
  queue.offer(span('b'));
  clock.advance(1000);
  assert.deepEqual(await events.next(), { result: 'exported', spans: 2, detail: null });
  assert.deepEqual([receiver.posted.length, named()], [1, ['a', 'b']]);
  assert.equal(receiver.spans()[0]?.service, 'cedar-ext-authz');
  assert.equal(receiver.posted[0]?.headers['content-type'], 'application/json');
});

test('a collector that is busy gets the same again, later each time, and no sooner than it asks', async (t) => {
  const { queue, clock, events, named } = await queueBefore(t, [
    answered(503),
    answered(429, '{}', { 'retry-after': '7' }),
    answered(200),
  ]);
  queue.offer(span('a'));
  clock.advance(1000);
  assert.deepEqual(await events.next(), { result: 'delayed', spans: 0, detail: 'it answered 503' });
  assert.equal(clock.nextIn, 1000);
  clock.advance(1000);
  assert.equal((await events.next()).detail, 'it answered 429');
  assert.equal(clock.nextIn, 7000);
  clock.advance(7000);
  assert.equal((await events.next()).result, 'exported');
  assert.deepEqual(named(), ['a', 'a', 'a']);
});

test('a collector that is away for a minute loses what is older, and gets what is new', async (t) => {
  const { queue, clock, events, named } = await queueBefore(t, [
    ...Array.from({ length: 6 }, () => answered(502)),
    answered(200),
  ]);
  queue.offer(span('old'));
  let given: SpanEvent;
  do {
    await until('a pause', () => clock.nextIn);
    clock.advance(clock.nextIn!);
    given = await events.next();
  } while (given.result === 'delayed');
  assert.deepEqual(given, { result: 'failed', spans: 1, detail: 'it answered 502' });
  queue.offer(span('new'));
  await until('a pause', () => clock.nextIn);
  clock.advance(1000);
  assert.equal((await events.next()).result, 'exported');
  assert.equal(named().at(-1), 'new');
});

for (const [what, answer, detail] of [
  ['a fault of its own', answered(500), 'it answered 500'],
  [
    'a redirect',
    answered(307, '', { location: 'http://127.0.0.1:1/' }),
    'it answered 307, and redirects are not followed',
  ],
  ['no right to it', answered(401), 'it answered 401'],
] as const)
  test(`what is answered with ${what} is not sent again`, async (t) => {
    const { receiver, queue, clock, events } = await queueBefore(t, [answer]);
    queue.offer(span('a'));
    clock.advance(1000);
    assert.deepEqual(await events.next(), { result: 'failed', spans: 1, detail });
    assert.equal(receiver.posted.length, 1);
  });

test('spans that the collector rejects out of a request are counted apart, with its words', async (t) => {
  const body = JSON.stringify({ partialSuccess: { rejectedSpans: '1', errorMessage: 'no such tenant' } });
  const { queue, clock, events } = await queueBefore(t, [answered(200, body)]);
  queue.offer(span('a'));
  queue.offer(span('b'));
  clock.advance(1000);
  assert.deepEqual(
    [await events.next(), await events.next()],
    [
      { result: 'exported', spans: 1, detail: null },
      { result: 'rejected', spans: 1, detail: 'it rejected spans: no such tenant' },
    ],
  );
});

test('of an answer without end no more is read than 64 KiB, and the spans are delivered', async (t) => {
  let written = 0;
  const endless: Answer = (response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed) {
        written += 65_536;
        if (!response.write('x'.repeat(65_536))) return void response.once('drain', more);
      }
    };
    more();
  };
  const { queue, clock, events } = await queueBefore(t, [endless, answered(200)]);
  queue.offer(span('a'));
  clock.advance(1000);
  assert.equal((await events.next()).result, 'exported');
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes`);
  queue.offer(span('b'));
  await until('a pause', () => clock.nextIn);
  clock.advance(1000);
  assert.equal((await events.next()).result, 'exported');
});

test('the queue holds no more than its limit, whatever the collector does; the end takes two seconds at most', async (t) => {
  const { queue, clock, events } = await queueBefore(t, [() => {}], {}, 4);
  queue.offer(span('in flight'));
  clock.advance(1000);
  await until('the request', () => (queue.waiting === 0 ? true : null));
  for (let at = 0; at < 4; at++) queue.offer(span(`${at}`));
  assert.deepEqual([queue.waiting, queue.hasRoom()], [4, false]);
  const begun = performance.now();
  await queue.stop();
  assert.ok(performance.now() - begun < 5000);
  assert.deepEqual(
    events.all.map(({ result, spans }) => [result, spans]),
    [
      ['failed', 1],
      ['dropped', 4],
    ],
  );
  assert.equal(queue.hasRoom(), false);
});

test('what waits at the end is sent at once', async (t) => {
  const { queue, named } = await queueBefore(t, [answered(200)]);
  queue.offer(span('last'));
  await queue.stop();
  assert.deepEqual(named(), ['last']);
});

test('over TLS the collector is proven by its authorities, and gets the headers of a file that is read each time', async (t) => {
  const put = filesOf(t);
  const { url, ca, posted } = await webhookServer(t, () => 200);
  const headersFile = put('headers', '# of the team\nauthorization: Bearer first\n\nx-tenant: payments\n');
  const collector = new Collector({ url, ca: put('ca.pem', ca), client: null, headersFile });
  t.after(() => collector.close());
  const signal = new AbortController().signal;
  assert.equal((await collector.post('{}', signal)).result, 'delivered');
  put('headers', 'authorization: Bearer second\n');
  assert.equal((await collector.post('{}', signal)).result, 'delivered');
  assert.deepEqual(
    posted.all.map(({ headers }) => [headers.authorization, headers['x-tenant']]),
    [
      ['Bearer first', 'payments'],
      ['Bearer second', undefined],
    ],
  );
  const stranger = new Collector({ url, ca: null, client: null, headersFile });
  t.after(() => stranger.close());
  const refused = await stranger.post('{}', signal);
  assert.match(refused.detail ?? '', /leads to no authority that is trusted here/);
  assert.equal(posted.all.length, 2, 'nothing is sent to whoever is not proven');
});

test('a file of headers with a fault is named by its line, never quoted, and nothing is sent', async (t) => {
  const put = filesOf(t);
  for (const [content, detail] of [
    ['authorization Bearer secret', /:1: is no header; write name: value$/],
    ['x: secret\nx: secret', /:2: is a header that stands above already$/],
    ['content-length: 1', /:1: is a header that is written already; remove it$/],
    ['x: se\u0001cret', /:1: is no header/],
    [Array.from({ length: 17 }, (_, at) => `x-${at}: 1`).join('\n'), /more than 16 headers$/],
    [`x: ${'s'.repeat(20_000)}`, /longer than 16384 bytes$/],
  ] as const) {
    const { receiver, queue, clock, events } = await queueBefore(t, [answered(200)], {
      headersFile: put('h', content),
    });
    queue.offer(span('a'));
    clock.advance(1000);
    const event = await events.next();
    assert.match(event.detail ?? '', detail);
    assert.doesNotMatch(event.detail ?? '', /secret/);
    assert.equal(receiver.posted.length, 0);
  }
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { TestCa } from '../../../test/support/ca.ts';
import {
  filesOf,
  newSecret,
  type Posted,
  receiverFor,
  requested,
  webhookServer,
} from '../../../test/support/notice-world.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { sidecars } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import { noticeOf } from './notice.ts';
import type { ReceiverOptions } from './receiver.ts';

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];

/** A server, and a receiver of this process for it. */
async function world(
  t: TestContext,
  answer: () => number | ((response: ServerResponse) => void) = () => 204,
  more: Partial<ReceiverOptions> = {},
) {
  const server = await webhookServer(t, answer);
  return { server, ...receiverFor(t, server.url, server.ca, more) };
}

const verified = (secret: string, { body, headers }: Posted) =>
  new Webhook(secret).verify(body, headers as Record<string, string>) as unknown;

test('a notice is signed, and says no more than it must', async (t) => {
  const { server, receiver, clock, events, secret } = await world(t, () => 200, {
    page: 'https://console.example/#/approvals',
  });
  const notice = requested('r1', clock.now(), HOUR);
  receiver.offer(notice);
  const posted = await server.posted.next();
  assert.deepEqual(verified(secret, posted), {
    type: 'approval.requested',
    timestamp: new Date(clock.now()).toISOString(),
    data: {
      id: 'r1',
      approvals: ['refund-over-500'],
      host: 'payments.internal',
      caller: 'spiffe://prod.example/ns/agents/sa/refund-agent',
      sensitivity: 'high',
      expires: new Date(clock.now() + HOUR).toISOString(),
      page: 'https://console.example/#/approvals',
    },
  });
  assert.equal(posted.url, '/hooks/of-the-team?key=k');
  assert.equal(posted.headers['webhook-id'], notice.id);
  assert.match(notice.id, /^msg_[A-Za-z0-9_-]{43}$/);
  assert.equal(posted.headers['content-type'], 'application/json');
  assert.throws(() => verified(newSecret(), posted), /No matching signature/);
  assert.throws(() => verified(secret, { ...posted, body: posted.body.replace('r1', 'r2') }), /No matching signature/);
  assert.equal((await events.next()).result, 'delivered');
  assert.deepEqual(receiver.status(), { name: 'oncall', host: server.url.host, waiting: 0, disabled: null });
});

test('after a 500 the same notice is sent again, under the same id and signed anew', async (t) => {
  const answers = [500, 404, 204];
  const { server, receiver, clock, events, secret } = await world(t, () => answers.shift()!);
  receiver.offer(requested('r1', clock.now()));
  const first = await server.posted.next();
  assert.deepEqual([(await events.next()).detail, clock.nextIn], ['it answered 500', 5 * SECOND]);
  clock.advance(5 * SECOND);
  const second = await server.posted.next();
  assert.equal((await events.next()).detail, 'it answered 404');
  assert.deepEqual([second.headers['webhook-id'], second.body], [first.headers['webhook-id'], first.body]);
  assert.equal(
    Number(second.headers['webhook-timestamp']) - Number(first.headers['webhook-timestamp']),
    5,
    'the time is that of the attempt',
  );
  assert.deepEqual(verified(secret, second), verified(secret, first));
  clock.advance(5 * MINUTE);
  await server.posted.next();
  assert.deepEqual(await events.next().then(({ result, attempt }) => [result, attempt]), ['delivered', 3]);
});

const delays = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR)];
for (const [jitter, factor] of [
  [0, 1],
  [1, 1.2],
] as const)
  test(`ten attempts are made, each delay longer by ${jitter * 20} percent, then it is given up`, async (t) => {
    const { receiver, clock, events } = await world(t, () => 500, { random: () => jitter });
    receiver.offer(requested('r1', clock.now()));
    for (const delay of delays) {
      assert.equal((await events.next()).result, 'failed');
      clock.advance(delay * factor - 1);
      assert.equal(clock.nextIn, 1);
      clock.advance(1);
    }
    assert.equal((await events.next()).result, 'failed');
    const { result, attempt, detail } = await events.next();
    assert.deepEqual([result, attempt, detail], ['given-up', 10, 'all attempts failed']);
    assert.deepEqual([receiver.status().waiting, clock.nextIn], [0, null]);
  });

test('what expires is tried no more', async (t) => {
  const { receiver, clock, events } = await world(t, () => 500);
  receiver.offer(requested('r1', clock.now(), 10 * MINUTE));
  for (const delay of [5 * SECOND, 5 * MINUTE]) {
    await events.next();
    clock.advance(delay);
  }
  assert.equal((await events.next()).result, 'failed');
  const { result, attempt, detail } = await events.next();
  assert.deepEqual([result, attempt, detail], ['given-up', 3, 'it expires before the next attempt']);
  receiver.offer(requested('r2', clock.now(), 0));
  assert.equal((await events.next()).detail, 'it is expired');
});

test('a redirect is a failure, and is not followed', async (t) => {
  const elsewhere = await webhookServer(t);
  for (const status of [301, 302, 307, 308]) {
    const { server, receiver, clock, events } = await world(
      t,
      () => (response) => response.writeHead(status, { location: elsewhere.url.href }).end(),
    );
    receiver.offer(requested('r1', clock.now()));
    assert.equal((await events.next()).detail, `it answered ${status}, and redirects are not followed`);
    assert.equal(server.posted.all.length, 1);
  }
  assert.equal(elsewhere.posted.all.length, 0);
});

test('a receiver that is gone gets no more: what waits for it is given up', async (t) => {
  const answers = [500, 410];
  const { server, receiver, clock, events } = await world(t, () => answers.shift()!);
  receiver.offer(requested('r1', clock.now()));
  assert.equal((await events.next()).result, 'failed');
  receiver.offer(requested('r2', clock.now()));
  const told = [await events.next(), await events.next(), await events.next()];
  assert.deepEqual(
    told.map(({ result, notice }) => [result, notice.data.id]),
    [
      ['disabled', 'r2'],
      ['given-up', 'r1'],
      ['given-up', 'r2'],
    ],
  );
  receiver.offer(requested('r3', clock.now()));
  assert.equal((await events.next()).result, 'dropped');
  assert.deepEqual([server.posted.all.length, receiver.status().disabled], [2, 'it answered 410']);
  assert.equal(clock.nextIn, null);
});

for (const status of [429, 502, 503, 504])
  test(`a receiver that answers ${status} is left alone for a while, then asked by one at a time`, async (t) => {
    const held: ServerResponse[] = [];
    let answer: number | ((response: ServerResponse) => void) = (response) =>
      response.writeHead(status, { 'retry-after': '60' }).end();
    const { server, receiver, clock, events } = await world(t, () => answer);
    receiver.offer(requested('r1', clock.now()));
    assert.equal((await events.next()).result, 'failed');
    await server.posted.next();
    answer = (response) => held.push(response);
    receiver.offer(requested('r2', clock.now()));
    clock.advance(60 * SECOND - 1);
    assert.deepEqual([server.posted.all.length, clock.nextIn], [1, 1]);
    clock.advance(1);
    assert.match((await server.posted.next()).body, /"r2"/);
    assert.equal(server.posted.all.length, 2, 'the first one, which is due too, waits for the second');
    answer = 204;
    held[0]!.writeHead(204).end();
    assert.equal((await events.next()).result, 'delivered');
    assert.match((await server.posted.next()).body, /"r1"/);
  });

test('a slow receiver holds four connections for 15 s, and up to 256 notices', async (t) => {
  const { server, receiver, clock, events } = await world(t, () => () => {});
  const other = await world(t);
  for (let n = 0; n < 256; n++) receiver.offer(requested(`r${n}`, clock.now()));
  for (let n = 0; n < 4; n++) await server.posted.next();
  receiver.offer(requested('r256', clock.now()));
  const { result, detail, notice } = await events.next();
  assert.deepEqual([result, detail, notice.data.id], ['dropped', '256 notices wait', 'r256']);
  assert.equal(server.posted.all.length, 4);
  other.receiver.offer(requested('r1', other.clock.now()));
  assert.equal((await other.events.next()).result, 'delivered');
  assert.equal(receiver.status().waiting, 256);
  clock.advance(15 * SECOND - 1);
  assert.equal(events.all.length, 1);
  clock.advance(1);
  assert.equal((await events.next()).detail, 'no answer within 15 s');
  assert.equal(receiver.status().waiting, 256);
  await receiver.stop();
  assert.deepEqual([receiver.status().waiting, clock.nextIn], [0, null], 'the end waits for no answer');
  assert.ok(events.all.slice(-256).every((event) => event.result === 'given-up'));
});

test('a receiver is proven by the authorities of the configuration', async (t) => {
  const other = TestCa.root('other.example', { uris: [] });
  const server = await webhookServer(t);
  const wrong = receiverFor(t, server.url, other.certificate.pem);
  wrong.receiver.offer(requested('r1', wrong.clock.now()));
  assert.match((await wrong.events.next()).detail, /certificate leads to no authority that is trusted here/);
  assert.equal(server.posted.all.length, 0);
  const none = receiverFor(t, server.url, '', { ca: null });
  none.receiver.offer(requested('r1', none.clock.now()));
  assert.match((await none.events.next()).detail, /certificate leads to no authority that is trusted here/);
  const right = receiverFor(t, server.url, server.ca);
  right.receiver.offer(requested('r1', right.clock.now()));
  assert.equal((await right.events.next()).result, 'delivered');
});

test('a file that cannot be read is the detail of an attempt', async (t) => {
  const { server, receiver, clock, events } = await world(t, () => 204, { ca: '/nowhere/ca.pem' });
  receiver.offer(requested('r1', clock.now()));
  assert.match((await events.next()).detail, /^\/nowhere\/ca.pem cannot be read/);
  const other = await world(t, () => 204, { secretFiles: ['/nowhere/secret'] });
  other.receiver.offer(requested('r1', clock.now()));
  assert.match((await other.events.next()).detail, /^\/nowhere\/secret: ENOENT/);
  assert.deepEqual([server.posted.all.length, other.server.posted.all.length], [0, 0]);
});

test('no detail says the URL', async (t) => {
  const { receiver, clock, events } = receiverFor(t, new URL('https://127.0.0.1:1/services/T0/B0/secret'), 'none', {
    ca: null,
  });
  receiver.offer(requested('r1', clock.now()));
  assert.doesNotMatch(JSON.stringify([await events.next(), receiver.status()]), /secret|services/);
});

test('while a secret is rotated, the old one and the new one verify', async (t) => {
  const file = filesOf(t);
  const [before, after] = [newSecret(24), newSecret(64)];
  const secretFiles = [file('a', before), file('b', `${after}\r\n`)];
  const { server, receiver, clock, events } = await world(t, () => 204, { secretFiles });
  receiver.offer(requested('r1', clock.now()));
  const posted = await server.posted.next();
  assert.equal(String(posted.headers['webhook-signature']).split(' ').length, 2);
  assert.deepEqual(verified(before, posted), verified(after, posted));
  const third = newSecret();
  writeFileSync(secretFiles[0]!, third);
  receiver.offer(requested('r2', clock.now()));
  const next = await server.posted.next();
  assert.deepEqual(verified(third, next), verified(after, next));
  assert.throws(() => verified(before, next), /No matching signature/);
  await events.next();
  await events.next();
});

test('a secret that cannot be used sends nothing unsigned', async (t) => {
  const file = filesOf(t);
  const good = newSecret();
  for (const bad of [
    '',
    good.slice('whsec_'.length),
    `${good}=`,
    `${good} `,
    newSecret(23),
    newSecret(65),
    `whpk_${good.slice(6)}`,
  ]) {
    const { server, receiver, clock, events } = await world(t, () => 204, { secretFiles: [file('s', bad)] });
    receiver.offer(requested('r1', clock.now()));
    const { result, detail } = await events.next();
    assert.deepEqual([result, server.posted.all.length], ['failed', 0]);
    assert.match(detail, /has no secret in its first line/);
    assert.doesNotMatch(detail, new RegExp(good.slice(6, 20).replace(/[+/]/g, '\\$&')));
    file('s', good);
    clock.advance(5 * SECOND);
    assert.equal((await events.next()).result, 'delivered');
    verified(good, await server.posted.next());
  }
});

test('Slack gets a line of plain text, and people the same once in five minutes', async (t) => {
  const page = 'https://console.example/#/approvals';
  const { server, receiver, clock, events } = await world(t, () => 200, { format: 'slack', secretFiles: [], page });
  const names = ['<!channel> @here & <https://evil.example|look>', 'a\u202eb\u200bc\nd'];
  receiver.offer(requested('r1', clock.now(), HOUR, names));
  const { body, headers } = await server.posted.next();
  const until = new Date(clock.now() + HOUR).toISOString();
  assert.deepEqual(JSON.parse(body), {
    text:
      'Approval requested: &lt;!channel&gt; (at)here &amp; &lt;https://evil.example|look&gt;, a?b?c?d | ' +
      `caller spiffe://prod.example/ns/agents/sa/refund-agent | host payments.internal | sensitivity high | until ${until} | ${page}`,
    mrkdwn: false,
  });
  assert.equal(headers['webhook-signature'], undefined);
  assert.equal((await events.next()).result, 'delivered');
  receiver.offer(requested('r2', clock.now(), HOUR, names));
  assert.equal((await events.next()).result, 'suppressed');
  receiver.offer(requested('r3', clock.now(), HOUR));
  assert.equal((await events.next()).result, 'delivered');
  // A process remembers what is used up to two seconds longer.
  clock.advance(5 * MINUTE + 3 * SECOND);
  receiver.offer(requested('r4', clock.now(), HOUR, names));
  assert.equal((await events.next()).result, 'delivered');
  assert.equal(receiver.status().waiting, 0);
});

test('what people could not be told keeps nobody from telling them the same', async (t) => {
  const answers = [500, 200];
  const { receiver, clock, events } = await world(t, () => answers.shift() ?? 200, {
    format: 'slack',
    secretFiles: [],
  });
  receiver.offer(requested('r1', clock.now(), HOUR));
  assert.equal((await events.next()).result, 'failed');
  receiver.offer(requested('r2', clock.now(), HOUR));
  const { result, notice } = await events.next();
  assert.deepEqual([result, notice.data.id], ['delivered', 'r2']);
  clock.advance(6 * SECOND);
  const again = await events.next();
  assert.deepEqual([again.result, again.notice.data.id], ['suppressed', 'r1'], 'the same was said meanwhile');
  assert.equal(receiver.status().waiting, 0);
});

test('break-glass is told to every receiver, whatever it asked for, and each one', async (t) => {
  const { server, receiver, clock, events } = await world(t, () => 200, {
    format: 'slack',
    secretFiles: [],
    events: ['guardrail.expired'],
  });
  const { data } = requested('r1', clock.now(), HOUR);
  for (const id of ['r1', 'r2']) {
    const times = { atMs: clock.now(), untilMs: clock.now() + HOUR };
    receiver.offer(noticeOf('break_glass.used', [id], times, { ...data, id }));
    assert.match((await server.posted.next()).body, /BREAK-GLASS used/);
    assert.equal((await events.next()).result, 'delivered');
  }
  receiver.offer(requested('r3', clock.now(), HOUR));
  assert.equal(receiver.status().waiting, 0);
});

test('a receiver gets the events that it asked for, of texts that have a bound', async (t) => {
  const { server, receiver, clock } = await world(t, () => 204, { events: ['guardrail.expired'] });
  const times = { atMs: clock.now(), untilMs: clock.now() + HOUR };
  receiver.offer(requested('r1', clock.now()));
  receiver.offer(noticeOf('guardrail.expired', ['no-deletes', 1], times, { id: 'no-deletes' }));
  const { type, data } = JSON.parse((await server.posted.next()).body) as Record<string, unknown>;
  assert.deepEqual([type, data, server.posted.all.length], ['guardrail.expired', { id: 'no-deletes' }, 1]);
  const long = 'x'.repeat(100_000);
  const approvals = Array.from({ length: 1000 }, () => `${'x'.repeat(255)}\ud83d\ude00${long}`);
  const notice = noticeOf('approval.requested', [long], times, {
    id: long,
    approvals,
    caller: long,
    host: long,
    sensitivity: long,
    expires: new Date(0).toISOString(),
  });
  assert.ok(Buffer.byteLength(JSON.stringify(notice)) < 20_000);
  assert.ok(notice.data.approvals!.every((name) => name.isWellFormed()));
});

test('of the processes that share a store one sends each notice, and what one leaves at its end another sends', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.of(t);
  let status = 204;
  const server = await webhookServer(t, () => status);
  const states = await sidecars(t, redis, 2);
  const [one, two] = states.map((state) => receiverFor(t, server.url, server.ca, { state }));
  const notices = Array.from({ length: 20 }, (_, n) => requested(`r${n}`, Date.now()));
  for (const notice of notices) {
    one!.receiver.offer(notice);
    two!.receiver.offer(notice);
  }
  for (const _ of notices) await server.posted.next();
  status = 500;
  one!.receiver.offer(requested('left', Date.now()));
  await lastOf(one!.events, 'failed');
  two!.receiver.offer(requested('left', Date.now()));
  // It is claimed after all others, so they are decided too.
  two!.receiver.offer(requested('last', Date.now()));
  await lastOf(two!.events, 'failed');
  const ids = server.posted.all.map(({ headers }) => headers['webhook-id']);
  assert.deepEqual([ids.length, new Set(ids).size], [22, 22]);
  status = 204;
  await one!.receiver.stop();
  const three = receiverFor(t, server.url, server.ca, { state: states[1]! });
  three.receiver.offer(requested('left', Date.now()));
  assert.deepEqual(await three.events.next().then(({ result, notice }) => [result, notice.data.id]), [
    'delivered',
    'left',
  ]);
});

/** The first event of a kind that has not been taken. */
async function lastOf(events: ReturnType<typeof receiverFor>['events'], result: string) {
  for (;;) {
    const event = events.all.find((each) => each.result === result) ?? (await events.next());
    if (event.result === result) return event;
  }
}

test('while the store is away nothing is sent, and then it is', { skip: noRedis }, async (t) => {
  const redis = await Redis.of(t);
  const [state] = await sidecars(t, redis, 1);
  const { server, receiver, events, clock } = await world(t, () => 204, { state: state! });
  await redis.kill();
  await until('the loss of the store', () => (state!.link === null ? true : null));
  receiver.offer(requested('r1', clock.now()));
  const { result, detail } = await events.next();
  assert.deepEqual([result, server.posted.all.length], ['failed', 0]);
  assert.match(detail, /the store is not reached/);
  await redis.start();
  await until('the store', () => state!.link);
  clock.advance(5 * SECOND);
  assert.equal((await events.next()).result, 'delivered');
});

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { approvalSuite } from '../../../../test/support/approval-suite.ts';
import { ANN, ASKING, approvalOrder, askedFor, yes } from '../../../../test/support/approvals.ts';
import { glassSuite } from '../../../../test/support/glass-suite.ts';
import { lyingStore } from '../../../../test/support/lying-store.ts';
import { noRedis, Redis } from '../../../../test/support/redis.ts';
import { approvalsOf } from '../../../../test/support/redis-approvals.ts';
import { signs } from '../../../../test/support/redis-books.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';
import { until } from '../../../../test/support/until.ts';
import { type ApprovalBook, ASK_MS } from '../../approvals/book.ts';
import type { Script } from '../scripts.ts';
import { ASK, DECIDE } from './scripts.ts';

/** Two processes with one store. */
async function make(t: TestContext): Promise<[ApprovalBook, ApprovalBook]> {
  const redis = await Redis.of(t);
  await redis.age('test');
  const first = await approvalsOf(t, storeOptions(redis), signs);
  const other = await approvalsOf(t, storeOptions(redis), signs);
  return [first.book, other.book];
}

approvalSuite({ name: 'redis', covers: 'store', skip: noRedis, make });
glassSuite('redis', make, noRedis);

const skip = noRedis;
const ELSE = 'the store answered with something else';
const AGAIN = 'the store began a new history; order it again';
const LOST = 'the store lost the request, or holds something else for it; ask again';
const withdrawal = (id: string) => ({ id, kind: 'withdrawn', by: ANN, reason: 'x' }) as const;

/** What the book makes of each of these answers of the store to one script. */
async function told(
  { lie }: Awaited<ReturnType<typeof lyingStore>>,
  script: Script,
  answers: readonly string[],
  ask: () => Promise<{ readonly result: string; readonly detail?: string }>,
): Promise<readonly string[]> {
  const all: string[] = [];
  for (const answer of answers) {
    lie(script, `return ${answer}`);
    const { result, detail } = await ask();
    all.push(`${result}: ${detail}`);
  }
  lie(script, null);
  return all;
}

test('of two processes that ask for the same at one moment, both get the same request', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const [one, other] = [await approvalsOf(t, storeOptions(redis)), await approvalsOf(t, storeOptions(redis))];
  for (const n of [1, 2, 3, 4, 5]) {
    const order = approvalOrder({ path: `/refunds/${n}` });
    const ids = await Promise.all([one, other].map(({ book }) => askedFor(book, order)));
    assert.equal(ids[0], ids[1]);
  }
});

test('what is asked anew by a clock that is behind takes the place of what was spent, and of its grant', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis), signs);
  const { book: late } = await approvalsOf(t, storeOptions(redis));
  const id = await askedFor(book);
  assert.equal((await book.grant(yes(id), Date.now())).result, 'stored');
  const again = await book.ask(approvalOrder(), Date.now() - 4000, id);
  assert.ok(again.result === 'pending' && again.id !== id, JSON.stringify(again));
  await until('the request', () => late.find(again.id));
  assert.equal(late.find(id), null);
  assert.equal(await redis.admin('HLEN', 'authz:{test}:approvals:marks'), '0');
});

test('a store that is gone is asked for nothing, decides nothing, and grants nothing after a while', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis), signs);
  const id = await askedFor(book);
  const waits = await askedFor(book, approvalOrder({ path: '/other' }));
  assert.equal((await book.grant(yes(id), Date.now())).result, 'stored');
  assert.equal(book.grantsOf(approvalOrder().digest, Date.now()).length, 1);
  await redis.kill();
  const { digest } = approvalOrder({ path: '/other' });
  for (const asked of [
    await book.ask(approvalOrder({ path: '/third' }), Date.now()),
    await book.grant(yes(waits, { digest }), Date.now()),
    await book.close(withdrawal(id), Date.now()),
  ])
    assert.equal(asked.result, 'unavailable', JSON.stringify(asked));
  await until('the bound', () => book.unknown(Date.now()));
  assert.deepEqual(book.grantsOf(approvalOrder().digest, Date.now()), []);
});

test('before the store was read once, nothing is asked and nothing is decided', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { endpoint } = storeOptions(redis);
  await redis.kill();
  const { book } = await approvalsOf(t, storeOptions(redis, { endpoint }), signs);
  const unread = /^the approvals of the store were not read yet: /;
  for (const asked of [
    await book.ask(approvalOrder(), Date.now()),
    await book.grant(yes('x'), Date.now()),
    await book.close(withdrawal('x'), Date.now()),
  ])
    assert.ok(asked.result === 'unavailable' && unread.test(asked.detail), JSON.stringify(asked));
});

test('a store that answers in time with something else took nothing, and one that does not answer in time is not waited for', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const liar = await lyingStore(t, redis);
  const { book } = await approvalsOf(t, storeOptions(redis, { endpoint: liar.endpoint }), signs);
  const id = await askedFor(book);
  const ask = () => book.ask(approvalOrder({ path: '/other' }), Date.now());
  const held = 'the store holds something else for this request';
  assert.deepEqual(
    await told(liar, ASK, ['{}', '5', `{'history'}`, `{'skew'}`, `{'held'}`, `{'held', 'x', 'y'}`], ask),
    [
      `unavailable: ${ELSE}`,
      `unavailable: ${ELSE}`,
      `unavailable: ${AGAIN}`,
      'unavailable: the clock here is ahead of that of the store; set both clocks',
      `unavailable: ${held}`,
      `unavailable: ${held}`,
    ],
  );
  const decisions = [
    'unavailable: the store answered with something else',
    `unavailable: ${AGAIN}`,
    `unavailable: ${LOST}`,
    'conflict: it is expired',
    'conflict: somebody else decided meanwhile',
    'full: the store holds 1000 requests, or 16777216 bytes of them',
  ];
  for (const decide of [() => book.grant(yes(id), Date.now()), () => book.close(withdrawal(id), Date.now())])
    assert.deepEqual(
      await told(liar, DECIDE, ['5', `{'history'}`, `{'other'}`, `{'late'}`, `{'changed'}`, `{'full'}`], decide),
      decisions,
    );
  assert.equal(book.find(id)?.grant, null);
  const brief = await approvalsOf(t, storeOptions(redis, { timeoutMs: 200 }));
  redis.signal('SIGSTOP');
  assert.deepEqual(await brief.book.ask(approvalOrder({ path: '/other' }), Date.now()), {
    result: 'unavailable',
    detail: 'the store does not answer in time',
  });
  redis.signal('SIGCONT');
});

test('a request that the store lost, or that another one took the place of, is not granted', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis), signs);
  const id = await askedFor(book);
  await redis.admin('HSET', 'authz:{test}:approvals', approvalOrder().digest, 'something else');
  assert.deepEqual(await book.grant(yes(id), Date.now()), { result: 'unavailable', detail: LOST });
});

test('who has no key grants nothing, nor who has one that nobody trusts, and nobody closes what is unknown', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis));
  const id = await askedFor(book);
  const unsigned = await book.grant(yes(id), Date.now());
  assert.equal(unsigned.result, 'unsigned', JSON.stringify(unsigned));
  const signing = generateKeyPairSync('ed25519').privateKey;
  const { book: stranger } = await approvalsOf(t, storeOptions(redis), { signing, trusted: signs.trusted });
  const refused = await stranger.grant(yes(id), Date.now());
  assert.deepEqual(refused, { result: 'unavailable', detail: 'no trusted key signed what was written' });
  assert.equal(stranger.grantsOf(approvalOrder().digest, Date.now()).length, 0);
  assert.deepEqual(await book.close(withdrawal('unknown'), Date.now()), { result: 'unknown' });
});

test('a process whose clock is ahead of the store asks for nothing', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis));
  assert.deepEqual(await book.ask(approvalOrder(), Date.now() + 60_000), {
    result: 'unavailable',
    detail: 'the clock here is ahead of that of the store; set both clocks',
  });
  assert.equal(await redis.admin('HLEN', 'authz:{test}:approvals'), '0');
});

test('a request that is too long to be shown is not asked for', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis));
  const order = (length: number) => approvalOrder({ path: `/${'x'.repeat(length)}` });
  assert.deepEqual(await book.ask(order(32 * 1024), Date.now()), {
    result: 'unavailable',
    detail: 'the request is too long to be shown to a person',
  });
  assert.equal((await book.ask(order(30 * 1024), Date.now())).result, 'pending');
});

test('a sidecar asks the store for so many at one time, and for more afterwards', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis));
  const order = (n: number) => approvalOrder({ path: `/${n}`, caller: `${ASKING}-${n}` });
  for (const first of [0, 16]) {
    const many = await Promise.all(Array.from({ length: 17 }, (_, n) => book.ask(order(first + n), Date.now())));
    assert.deepEqual(
      many.filter(({ result }) => result !== 'pending'),
      [{ result: 'unavailable', detail: '16 requests are being asked for' }],
    );
  }
});

test('one request that comes a hundred times at one moment is asked for once, and each learns of it', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis), signs);
  const asked = await Promise.all(Array.from({ length: 100 }, () => book.ask(approvalOrder(), Date.now())));
  const ids = new Set(asked.map((one) => (one.result === 'pending' ? one.id : one.result)));
  assert.deepEqual([...ids], [[...book.all()][0]?.id]);
});

test('a caller that asks for a hundred things at one moment leaves the others their place', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis), signs);
  const of = (caller: string, n: number) => book.ask(approvalOrder({ caller, path: `/refunds/${n}` }), Date.now());
  const flood = Array.from({ length: 100 }, (_, n) => of(ASKING, n));
  const others = await Promise.all(['a', 'b', 'c'].map((name) => of(`${ASKING}-${name}`, 1)));
  assert.deepEqual(
    others.map(({ result }) => result),
    ['pending', 'pending', 'pending'],
  );
  const results = (await Promise.all(flood)).map(({ result }) => result);
  assert.deepEqual([results.slice(0, 5), new Set(results.slice(5))], [Array(5).fill('pending'), new Set(['full'])]);
});

test('a full store is asked for nothing, by number or by bytes, and is asked again once there is room', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis));
  const result = async () => (await book.ask(approvalOrder(), Date.now())).result;
  const fill = "for n = 1, 1000 do redis.call('HSET', KEYS[1], 'x' .. n, '') end";
  await redis.admin('EVAL', fill, '1', 'authz:{test}:approvals');
  assert.equal(await result(), 'full');
  await redis.admin('HDEL', 'authz:{test}:approvals', 'x1');
  await redis.admin('HSET', 'authz:{test}:approvals:meta', 'bytes', String(16 * 2 ** 20 - 100));
  assert.equal(await result(), 'full');
  await redis.admin('HSET', 'authz:{test}:approvals:meta', 'bytes', '0');
  assert.equal(await result(), 'pending');
});

test('a request that the store lost does not wait beside itself when it is asked for again', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const first = await approvalsOf(t, storeOptions(redis));
  const order = (n: number) => approvalOrder({ path: `/${n}` });
  for (let n = 0; n < 5; n++) await askedFor(first.book, order(n));
  await first.stop();
  await redis.admin('HDEL', 'authz:{test}:approvals', order(0).digest);
  const { book } = await approvalsOf(t, storeOptions(redis));
  await until('what was read', () => ([...book.all()].length === 4 ? true : null));
  assert.equal((await book.ask(order(5), Date.now())).result, 'full');
  assert.equal((await book.ask(order(0), Date.now())).result, 'pending');
});

test('what nobody answered in time waits no more', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await approvalsOf(t, storeOptions(redis));
  const past = Date.now() - ASK_MS;
  for (let n = 0; n < 5; n++) await askedFor(book, approvalOrder({ path: `/${n}` }), past);
  assert.equal((await book.ask(approvalOrder(), Date.now())).result, 'pending');
});

test('of many checks that ask for the same at one moment, one asks the store', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { endpoint, lie } = await lyingStore(t, redis);
  const { book } = await approvalsOf(t, storeOptions(redis, { endpoint }));
  lie(ASK, "redis.call('INCR', 'asked') return {'crowded'}");
  const many = await Promise.all(Array.from({ length: 40 }, () => book.ask(approvalOrder(), Date.now())));
  assert.ok(many.every(({ result }) => result === 'full'));
  assert.equal(await redis.admin('GET', 'asked'), '1');
});

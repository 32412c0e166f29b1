import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { orderOf } from '../../../test/support/orders.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { answers, bookOf, type SidecarBook, signs } from '../../../test/support/redis-books.ts';
import { storeOptions } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import { Wire } from '../../../test/support/wire.ts';
import { systemClock } from '../../base/clock.ts';
import { RedisBook } from './book.ts';

const skip = noRedis;
const MAX_STALE_MS = 2000;
const META = 'authz:{test}:revocations:meta';

/** Asks again and again until `over`; gives every answer that was neither the revocation nor a refusal. */
function watched({ asked }: SidecarBook, order: ReturnType<typeof orderOf>) {
  const wrong: string[] = [];
  const timer = setInterval(() => {
    const answer = asked(order);
    if (answer === null) wrong.push(`let pass at ${new Date().toISOString()}`);
  }, 5);
  return {
    stop: () => {
      clearInterval(timer);
      return wrong;
    },
  };
}

async function two(t: TestContext, redis: Redis) {
  const one = await bookOf(t, storeOptions(redis), signs);
  const other = await bookOf(t, storeOptions(redis));
  const order = orderOf('r-1');
  assert.equal((await one.book.revoke(order, Date.now())).result, 'stored');
  await answers(other, order, 'r-1');
  return { one, other, order };
}

for (const [what, fault] of [
  ['FLUSHALL', (redis: Redis) => redis.admin('FLUSHALL')],
  ['SWAPDB', (redis: Redis) => redis.admin('SWAPDB', '0', '1')],
  [
    'a restart without a file',
    async (redis: Redis) => {
      await redis.kill();
      await redis.start();
    },
  ],
] as const)
  test(`after ${what} a revocation holds, and is written back for those who start later`, { skip }, async (t) => {
    const redis = await Redis.of(t);
    await redis.age('test');
    const { one, other, order } = await two(t, redis);
    const watches = [one, other].map((book) => watched(book, order));
    await fault(redis);
    await until('the revocation in the store', async () =>
      (await redis.admin('HGET', 'authz:{test}:revocations', 'r-1')).includes('tested') ? true : null,
    );
    const late = await bookOf(t, storeOptions(redis));
    const lateWatch = watched(late, order);
    for (const book of [one, other, late]) await answers(book, order, 'r-1');
    assert.deepEqual(
      [...watches, lateWatch].flatMap(({ stop }) => stop()),
      [],
    );
    // What was lifted does not come back, though the lift was lost too.
    assert.equal((await one.book.lift({ id: 'r-1', reason: 'r', by: 'b', atMs: Date.now() })).result, 'stored');
    for (const book of [one, other, late]) await answers(book, order, null);
    const resyncs = ({ events }: SidecarBook) => events.filter(({ kind }) => kind === 'resync').length;
    const before = [one, other, late].map(resyncs);
    await fault(redis);
    for (const [at, book] of [one, other, late].entries()) {
      await until('a full read', () => (resyncs(book) > before[at]! ? true : null));
      await answers(book, order, null);
    }
  });

for (const [what, stage] of [
  [
    'stopped',
    async (t: TestContext) => {
      const redis = await Redis.of(t);
      return {
        redis,
        options: storeOptions(redis),
        begin: () => redis.signal('SIGSTOP'),
        end: () => redis.signal('SIGCONT'),
      };
    },
  ],
  [
    'that takes questions and answers nothing',
    async (t: TestContext) => {
      const redis = await Redis.of(t);
      const wire = await Wire.to(() => redis.port);
      t.after(() => wire.close());
      const endpoint = { kind: 'tcp', host: '127.0.0.1', port: wire.port } as const;
      return {
        redis,
        options: storeOptions(redis, { endpoint }),
        begin: () => {
          wire.mode = 'hold';
        },
        end: () => {
          wire.mode = 'pass';
          wire.cut();
        },
      };
    },
  ],
] as const)
  test(`with a store ${what} a sidecar answers nothing once what it knows is too old, and goes on afterwards`, {
    skip,
  }, async (t) => {
    const { redis, options, begin, end } = await stage(t);
    await redis.age('test');
    const sidecar = await bookOf(t, options);
    const order = orderOf('r-1');
    assert.equal(sidecar.asked(order), null);
    begin();
    await until('a refusal', () => (/ms old: /.test(sidecar.asked(order) ?? '') ? true : null));
    assert.ok(sidecar.book.stalenessMs(Date.now())! > MAX_STALE_MS);
    end();
    await answers(sidecar, order, null);
  });

test('who cannot hear of a revocation lets nothing pass that it forbids, once it is older than the bound', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const wire = await Wire.to(() => redis.port);
  t.after(() => wire.close());
  const one = await bookOf(t, storeOptions(redis));
  const endpoint = { kind: 'tcp', host: '127.0.0.1', port: wire.port } as const;
  const deaf = await bookOf(t, storeOptions(redis, { endpoint }));
  wire.mode = 'hold';
  const order = orderOf('r-1');
  assert.equal((await one.book.revoke(order, Date.now())).result, 'stored');
  const ordered = Date.now();
  await until('the bound', () => (Date.now() - ordered > MAX_STALE_MS ? true : null));
  const watch = watched(deaf, order);
  await until('a refusal', () => (deaf.asked(order) !== null ? true : null));
  wire.mode = 'pass';
  wire.cut();
  await answers(deaf, order, 'r-1');
  assert.deepEqual(watch.stop(), []);
});

test('a clock that is set back makes nothing younger, and one that jumps ahead makes it old', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  let ahead = 0;
  const { book } = await bookOf(t, storeOptions(redis), signs, { ...systemClock, now: () => Date.now() + ahead });
  redis.signal('SIGSTOP');
  ahead = -3_600_000;
  await until('a refusal', () => book.unknown(Date.now() + ahead));
  redis.signal('SIGCONT');
  await until('the store', () => (book.unknown(Date.now() + ahead) === null ? true : null));
  ahead = 3_600_000;
  assert.match(book.unknown(Date.now() + ahead)!, /ms old/);
  await until('the store', () => (book.unknown(Date.now() + ahead) === null ? true : null));
});

for (const [what, alsoDeleted] of [
  ['', []],
  [', their notes deleted', ['authz:{test}:revocations:log']],
] as const)
  test(`numbers that are set back${what} hide no later revocation`, { skip }, async (t) => {
    const redis = await Redis.of(t);
    await redis.age('test');
    const { one, other } = await two(t, redis);
    const resyncs = () => other.events.filter(({ kind }) => kind === 'resync').length;
    const before = resyncs();
    const script = "redis.call('HINCRBY', KEYS[1], 'seq', -1) for n = 2, #KEYS do redis.call('DEL', KEYS[n]) end";
    await redis.admin('EVAL', script, String(1 + alsoDeleted.length), META, ...alsoDeleted);
    await until('a full read', () => (resyncs() > before ? true : null));
    const second = orderOf('r-2');
    assert.equal((await one.book.revoke(second, Date.now())).result, 'stored');
    await answers(other, second, 'r-2');
  });

test('what disappears from the store without a word is soon missed, and written back', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  await two(t, redis);
  await redis.admin('HDEL', 'authz:{test}:revocations', 'r-1');
  await until('what was written back', async () =>
    (await redis.admin('HGET', 'authz:{test}:revocations', 'r-1')) === '' ? null : true,
  );
});

test('where another server is the primary, it is the one that is followed, though the old one answers too', {
  skip,
}, async (t) => {
  const [redis, next] = [await Redis.of(t), await Redis.of(t)];
  for (const each of [redis, next]) await each.age('test');
  const { state } = await bookOf(t, storeOptions(redis));
  let primary = storeOptions(redis).endpoint;
  const moved = await RedisBook.start({
    ...state.followed,
    primary: () => primary,
    liftKeys: () => signs,
    onEvent: () => {},
  });
  t.after(() => moved.stop());
  const teller = await bookOf(t, storeOptions(next));
  const order = orderOf('r-1');
  assert.equal((await teller.book.revoke(order, Date.now())).result, 'stored');
  assert.equal(moved.get('r-1'), null);
  primary = storeOptions(next).endpoint;
  await until('the revocation', () => moved.get('r-1'));
});

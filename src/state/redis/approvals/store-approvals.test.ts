import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approvalSuite } from '../../../../test/support/approval-suite.ts';
import { ASKING, approvalOrder } from '../../../../test/support/approvals.ts';
import { noRedis, Redis } from '../../../../test/support/redis.ts';
import { approvalsOf } from '../../../../test/support/redis-approvals.ts';
import { signs } from '../../../../test/support/redis-books.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';

approvalSuite({
  name: 'redis',
  covers: 'store',
  skip: noRedis,
  make: async (t) => {
    const redis = await Redis.of(t);
    await redis.age('test');
    const first = await approvalsOf(t, storeOptions(redis), signs);
    const other = await approvalsOf(t, storeOptions(redis), signs);
    return [first.book, other.book];
  },
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

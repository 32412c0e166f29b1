import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { lyingStore } from '../../../test/support/lying-store.ts';
import { orderOf } from '../../../test/support/orders.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { answers, bookOf, signs } from '../../../test/support/redis-books.ts';
import { claimOn, sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import { Fault } from '../../base/fault.ts';
import type { ClaimResult } from '../model.ts';
import { PAGE, PURGE } from './record-scripts.ts';
import { RESTORE, REVOKE } from './revocation-scripts.ts';
import { ADOPT, CLAIM, LOOK, TOUCHED } from './scripts.ts';

const skip = noRedis;
const ELSE = 'the store answered with something else';
const MOVED = 'the store began a new history: it was emptied, restarted, or another server took over';
const SKEW = 'the clock of the store differs by more than 5000 ms';

const BROKEN = "redis.error_reply('ERR broken')";

/** A store that can lie, with the options to reach it. */
async function liar(t: TestContext) {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { endpoint, lie } = await lyingStore(t, redis);
  return { redis, lie, options: storeOptions(redis, { endpoint }) };
}

test('a store that answers a claim with something else has not taken it', { skip }, async (t) => {
  const { options, lie } = await liar(t);
  const { state } = await sidecarState(t, options);
  for (const [told, detail] of [
    [`{'replayed', 9}`, 'the store answered about another key'],
    [`{'spent'}`, 'the store answered about another key'],
    [`{'taken'}`, ELSE],
    ['{}', ELSE],
    ['5', ELSE],
    [`{'history'}`, MOVED],
    [`{'skew', 5}`, SKEW],
    [`{'ended'}`, 'the window ended by the clock of the store'],
    [BROKEN, 'ERR broken'],
  ] as const) {
    lie(CLAIM, `return ${told}`);
    assert.deepEqual(await claimOn(state, 'proof'), { result: 'unavailable', detail } satisfies ClaimResult, told);
  }
  lie(CLAIM, null);
  assert.equal((await claimOn(state, 'proof')).result, 'fresh');
});

test('a store that answers with something else than what was opened tells nothing of it', { skip }, async (t) => {
  const { options, lie } = await liar(t);
  const { state } = await sidecarState(t, options);
  for (const [told, detail] of [
    [`{'touched'}`, ELSE],
    [`{'touched', {0, '-'}, {0, '-'}}`, ELSE],
    [`{'touched', {'0', '-'}}`, ELSE],
    [`{'touched', {0, 5}}`, ELSE],
    [`{'touched', 'x'}`, ELSE],
    [`{'opened', {0, '-'}}`, ELSE],
    ['5', ELSE],
    [`{'history'}`, MOVED],
    [`{'skew', 5}`, SKEW],
    [BROKEN, 'ERR broken'],
  ] as const) {
    lie(TOUCHED, `return ${told}`);
    const touched = await state.touched(['a']);
    assert.ok(touched instanceof Fault && touched.detail === detail, `${told}: ${JSON.stringify(touched)}`);
  }
  lie(TOUCHED, null);
  assert.deepEqual(await state.touched(['a']), [{ sensitivity: 0, version: '', apis: new Set() }]);
});

test('a store that answers an order with something else has not taken it, and lifts nothing', { skip }, async (t) => {
  const { options, lie } = await liar(t);
  const one = await bookOf(t, options, signs);
  const order = orderOf('r-1');
  for (const [told, detail] of [
    [`{'stored'}`, ELSE],
    [`{'stored', 'nothing'}`, ELSE],
    [`{'unchanged', '9 1 ["x"]'}`, ELSE],
    [`{'done'}`, ELSE],
    ['5', ELSE],
    [`{'history'}`, 'the store began a new history; order it again'],
    [`{'skew'}`, 'the clock here is ahead of that of the store; set both clocks'],
    [BROKEN, 'ERR broken; it may have been taken, and may be ordered again'],
  ] as const) {
    lie(REVOKE, `return ${told}`);
    assert.deepEqual(await one.book.revoke(order, Date.now()), { result: 'unavailable', detail }, told);
    assert.equal(one.asked(order), null);
  }
  lie(REVOKE, null);
  assert.equal((await one.book.revoke(order, Date.now())).result, 'stored');
  for (const [told, result] of [
    [`{'stored'}`, 'unavailable'],
    [`{'history'}`, 'unavailable'],
    [`{'full'}`, 'full'],
    ['{}', 'unavailable'],
  ] as const) {
    lie(RESTORE, `return ${told}`);
    const lifted = await one.book.lift({ id: 'r-1', reason: 'r', by: 'b', atMs: Date.now() });
    assert.equal(lifted.result, result, told);
    assert.equal(one.asked(order), 'r-1');
  }
});

test('a store that answers as another one in the middle of a full read is not believed to have told everything', {
  skip,
}, async (t) => {
  const { redis, options, lie } = await liar(t);
  const teller = await bookOf(t, storeOptions(redis), signs);
  const order = orderOf('r-1');
  assert.equal((await teller.book.revoke(order, Date.now())).result, 'stored');
  lie(PAGE, PAGE.text.replace("known or ''", "id .. ' 5'"));
  const late = await bookOf(t, options);
  await until('the fault', () => (/the history changed while it was read/.test(late.asked(order) ?? '') ? true : null));
  assert.equal(late.book.stalenessMs(Date.now()), null);
  lie(PAGE, null);
  await answers(late, order, 'r-1');
});

test('a store that takes nothing back is told of, and gets it later', { skip }, async (t) => {
  const { redis, options, lie } = await liar(t);
  const one = await bookOf(t, options, signs);
  const order = orderOf('r-1');
  assert.equal((await one.book.revoke(order, Date.now())).result, 'stored');
  const told = () => one.events.flatMap((event) => (event.kind === 'not restored' ? [event.detail] : []));
  const lose = async (): Promise<void> => {
    await redis.admin('HDEL', 'authz:{test}:revocations', 'r-1');
    // Sidecars miss a change, and read everything.
    await redis.admin('HINCRBY', 'authz:{test}:revocations:meta', 'seq', '5');
  };
  for (const [answer, detail] of [
    [BROKEN, 'ERR broken; it may have been taken, and may be ordered again'],
    [`{'full'}`, 'the store holds 100000 revocations, or 67108864 bytes of them'],
    ['{}', ELSE],
  ] as const) {
    lie(RESTORE, `return ${answer}`);
    await lose();
    await until(detail, () => (told().includes(detail) ? true : null));
    assert.equal(one.asked(order), 'r-1');
  }
  lie(RESTORE, null);
  await lose();
  await until('what was written back', async () =>
    (await redis.admin('HGET', 'authz:{test}:revocations', 'r-1')) === '' ? null : true,
  );
});

test('a store that cannot be purged now is purged later', { skip }, async (t) => {
  const { redis, options, lie } = await liar(t);
  let purges = 0;
  const after = (milliseconds: number, run: () => void) => {
    const isPurge = milliseconds > 10_000;
    const timer = setTimeout(
      () => {
        if (isPurge) purges++;
        run();
      },
      isPurge ? 50 : milliseconds,
    );
    return () => clearTimeout(timer);
  };
  lie(PURGE, `return ${BROKEN}`);
  const { book } = await bookOf(t, options, signs, { now: Date.now, after });
  await book.revoke(orderOf('old', { untilMs: Date.now() - 120_000 }), Date.now());
  await until('purges', () => (purges > 2 ? true : null));
  lie(PURGE, null);
  await until('the purge', async () => ((await redis.admin('HLEN', 'authz:{test}:revocations')) === '0' ? true : null));
});

test('a history goes on without being asked for anew; one that cannot begin is why nothing is claimed', {
  skip,
}, async (t) => {
  const { redis, options, lie } = await liar(t);
  const { state } = await sidecarState(t, options);
  const before = state.history();
  lie(ADOPT, `return ${BROKEN}`);
  const { answeredAtMs } = state.status();
  await until('two looks', () => (state.status().answeredAtMs! > answeredAtMs! + 600 ? true : null));
  assert.deepEqual([state.status().fault, state.status().connects], [null, 1]);
  await redis.admin('DEL', 'authz:{test}:history');
  await until('the loss', () => (/ERR broken/.test(state.status().fault ?? '') ? true : null));
  const refused = await claimOn(state, 'proof');
  assert.ok(refused.result === 'unavailable' && /ERR broken/.test(refused.detail), JSON.stringify(refused));
  const unreached = await state.touched(['a']);
  assert.ok(unreached instanceof Fault && /^the store is not reached: .*ERR broken/.test(unreached.detail));
  lie(ADOPT, null);
  await until('the store', () => (state.status().fault === null ? true : null));
  assert.notEqual(state.history().id, before.id);
});

test('with more in the store than it may hold nobody knows what is revoked', { skip }, async (t) => {
  const { redis, options, lie } = await liar(t);
  const fill = `for n = 1, 200001 do
    redis.call('HSET', KEYS[1], n, ARGV[1] .. ' 5 ["' .. n .. '","workload spiffe://prod.example/' .. n .. '",null,"r","b"]')
  end`;
  await redis.admin('EVAL', fill, '1', 'authz:{test}:revocations', String(Date.now() + 3_600_000));
  // Sooner: in pages of so many.
  lie(PAGE, PAGE.text.replace("'COUNT', ARGV[2]", "'COUNT', 20000"));
  const { book, asked } = await bookOf(t, options, signs);
  const overflowed = 'the store holds more revocations than it may';
  const isTold = () => (asked(orderOf('r')) === overflowed && book.stalenessMs(Date.now()) !== null ? true : null);
  await until('the overflow', isTold, 100_000);
  assert.equal(asked(orderOf('r')), overflowed);
});

test('a server that does not say what it is is not used, until it does', { skip }, async (t) => {
  const { options, lie } = await liar(t);
  lie('INFO', `return 'uptime_in_seconds:5'`);
  const { state } = await sidecarState(t, options);
  assert.match(state.status().fault ?? '', /the answer to INFO is not that of Redis or Valkey$/);
  assert.equal((await claimOn(state, 'proof')).result, 'unavailable');
  lie('INFO', null);
  await until('the store', () => (state.status().fault === null ? true : null));
  assert.equal((await claimOn(state, 'proof')).result, 'fresh');
});

test('a server that becomes one that cannot be used is left, once it is asked again what it is', {
  skip,
}, async (t) => {
  const { options, lie } = await liar(t);
  let passed = 0;
  const { state } = await sidecarState(t, options, () => passed);
  assert.equal(state.status().fault, null);
  lie('INFO', `return 'uptime_in_seconds:5'`);
  // The clocks of both go on by more than the time between two questions.
  passed = 31_000;
  lie(LOOK, LOOK.text.replace('return {known', `now = now + ${passed} return {known`));
  await until('the fault', () => (/not that of Redis/.test(state.status().fault ?? '') ? true : null));
});

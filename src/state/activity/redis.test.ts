import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { denial, good, permit, proven, readAll, storedActivity } from '../../../test/support/activity.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { claimOn, sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { TestClock } from '../../../test/support/test-clock.ts';
import { until } from '../../../test/support/until.ts';
import { Fault } from '../../base/fault.ts';
import { type ActivityLimits, BAD_CURSOR, type DecisionFilter, MAX_TASKS } from './model.ts';
import { MAX_WAITING_DECISIONS } from './outbox.ts';
import { MAX_LOOKED_AT } from './paging.ts';
import type { RedisActivity } from './redis.ts';
import { activityLoads } from './size.ts';

const skip = noRedis;
/** What one sidecar writes and reads. */
async function sidecar(t: TestContext, redis: Redis, more: Partial<ActivityLimits> = {}) {
  const { state } = await sidecarState(t, storeOptions(redis));
  return { state, ...storedActivity(t, state, more) };
}

/** Waits until everything that waits is written. */
const written = (...all: readonly RedisActivity[]) =>
  until('the write', () => (all.every(({ writer }) => writer.isIdle && writer.fault === null) ? true : null));

const all = (activity: RedisActivity, filter: DecisionFilter, limit: number) =>
  readAll((cursor) => activity.decisions(filter, limit, cursor));

const id = (name: string) => `spiffe://prod.example/${name}`;
const HOUR_MS = 3_600_000;
const MAX_BYTES = 8 * 2 ** 20;

const usedBytes = async (redis: Redis): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(await redis.admin('INFO', 'memory'))![1]);

test('what several sidecars kept is one list for each, newest first, page by page', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const [one, other, reader] = await Promise.all([sidecar(t, redis), sidecar(t, redis), sidecar(t, redis)]);
  const kept = Array.from({ length: 700 }, (_, n) =>
    (n % 7 === 0 ? permit : denial)({ decision: `d-${n}`, sidecar: `s-${n % 2}`, timeMs: Date.now() }),
  );
  for (const [n, summary] of kept.entries()) (n % 2 === 0 ? one : other).activity.keep(summary);
  await written(one.activity, other.activity);
  const { items, pages } = await all(reader.activity, {}, 90);
  const denials = kept.filter(({ result }) => result === 'deny').length;
  assert.equal(items.length, denials + 50);
  assert.equal(new Set(items.map(({ decision }) => decision)).size, items.length);
  assert.ok(pages.length === Math.ceil(items.length / 90) && pages.every((page) => page.length <= 90));
  for (const by of ['s-0', 's-1'])
    for (const result of ['deny', 'allow']) {
      const numbers = items
        .filter((item) => item.sidecar === by && item.result === result)
        .map(({ decision }) => Number(decision.slice(2)));
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => b - a),
      );
    }
  for (const item of items) assert.deepEqual(item, kept[Number(item.decision.slice(2))]);
  assert.deepEqual(await redis.admin('XLEN', 'authz:{test}:allows'), String(50));
});

test('processes that keep less or more than another one say so, until all keep the same', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  const [one, other] = [new TestClock(Date.now()), new TestClock(Date.now())];
  const first = storedActivity(t, state, {}, one);
  const same = storedActivity(t, state, {}, other);
  const AGREED = 'authz:{test}:activity';
  const warning = (sidecar: typeof first, clock: TestClock, text: string | null) => {
    clock.advance(30_000);
    return until(`the warning ${text}`, () => (sidecar.activity.writer.warning === text ? true : null));
  };
  await until('a look', async () => {
    for (const clock of [one, other]) clock.advance(30_000);
    return (await redis.admin('GET', AGREED)) === '' ? null : true;
  });
  assert.deepEqual([first.seen.warnings, same.seen.warnings], [[], []]);
  const own = 'denials 3000, allows 50, oneAllowIn 10, workloads 100';
  const text = `state.activity is not the same in all processes of the store: ${own} here, `;
  const third = new TestClock(Date.now());
  const less = storedActivity(t, state, { denials: 10 }, third);
  const lower = own.replace('3000', '10');
  await warning(less, third, `${text.replace('3000', '10')}${own} elsewhere`);
  assert.equal(await redis.admin('GET', AGREED), lower);
  await warning(first, one, `${text}${lower} elsewhere`);
  await less.activity.writer.stop(0);
  await warning(first, one, null);
  await redis.admin('SETRANGE', AGREED, '20000000', 'x');
  await warning(same, other, `${text}something else elsewhere`);
  assert.deepEqual(first.seen.warnings, [`${text}${lower} elsewhere`]);
});

test('a list is narrowed, and a filter that matches nothing is bounded in work', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { activity } = await sidecar(t, redis);
  activity.keep(denial({ decision: 'a', timeMs: Date.now() - HOUR_MS }));
  activity.keep(denial({ decision: 'b', timeMs: Date.now(), caller: id('other') }));
  activity.keep(permit({ decision: 'c', timeMs: Date.now() }));
  await written(activity);
  const ids = async (filter: DecisionFilter) =>
    (await all(activity, filter, 10)).items.map(({ decision }) => decision).join('');
  assert.equal(await ids({ workload: id('other') }), 'b');
  assert.equal(await ids({ reason: 'permitted' }), 'c');
  assert.equal(await ids({ result: 'deny' }), 'ba');
  assert.equal(await ids({ result: 'deny', sinceMs: Date.now() - HOUR_MS / 2 }), 'b');
  assert.equal(await ids({ sinceMs: Date.now() + HOUR_MS }), '');
  for (let n = 0; n < 2 * MAX_LOOKED_AT; n++) {
    activity.keep(denial());
    if (n % 1000 === 0) await written(activity);
  }
  await written(activity);
  const { pages, items } = await all(activity, { reason: 'nothing' }, 10);
  assert.deepEqual([items.length, pages.length], [0, 3]);
  for (const cursor of ['', 'x', '1-1', '1-1.2-2.3-3'])
    assert.equal(await activity.decisions({}, 1, cursor), BAD_CURSOR);
  assert.equal(await activity.allLastUses(1, 'YQ=='), BAD_CURSOR);
});

test('last uses of several sidecars are one: the latest, all credentials, all live tasks; by name, page by page', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  const [one, other] = await Promise.all([sidecar(t, redis), sidecar(t, redis)]);
  const now = Date.now();
  const task = (name: string, seconds: number) => ({
    issuer: 'prod.example',
    id: name,
    expiresAt: Math.floor(now / 1000) + seconds,
  });
  one.activity.recorder.allow(proven('b', 'x509-svid', 'new owner'), task('first', 60), now);
  await written(one.activity);
  other.activity.recorder.allow(proven('b', 'jwt-svid', 'old owner'), task('second', 90), now - 5000);
  other.activity.recorder.allow(proven('b'), task('first', 120), now - 5000);
  for (const name of ['d', 'a', 'c']) other.activity.recorder.deny(proven(name), name, now);
  await written(other.activity);
  const uses = await one.activity.lastUses([id('b'), id('unknown')]);
  assert.ok(!(uses instanceof Fault));
  const { credentials, tasks, ...b } = uses.get(id('b'))!;
  assert.equal(uses.size, 1);
  assert.deepEqual(b, { workload: id('b'), owner: 'new owner', lastMs: now });
  assert.deepEqual(credentials.toSorted(), ['jwt-svid', 'x509-svid']);
  const until = (seconds: number) => task('', seconds).expiresAt * 1000;
  assert.deepEqual(tasks, [
    { issuer: 'prod.example', id: 'first', untilMs: until(120) },
    { issuer: 'prod.example', id: 'second', untilMs: until(90) },
  ]);
  const { pages } = await readAll((cursor) => one.activity.allLastUses(3, cursor));
  assert.deepEqual(
    pages.map((page) => page.map(({ workload }) => workload.at(-1)).join('')),
    ['abc', 'd'],
  );
  const later = await one.activity.allLastUses(3, null, 2);
  assert.deepEqual(typeof later === 'object' && 'names' in later && later.names.map((name) => name.at(-1)), ['c', 'd']);
  const a = good(await one.activity.allLastUses(1, null)).items[0];
  assert.deepEqual(a, { workload: id('a'), owner: 'billing', lastMs: now, credentials: ['x509-svid'], tasks: [] });
});

test('of the live tasks of all sidecars, those that end last are kept, and none that has ended', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  const [one, other] = await Promise.all([sidecar(t, redis), sidecar(t, redis)]);
  const now = Date.now();
  const ended = { issuer: 'i', id: 'ended', untilMs: now - 1 };
  const before = { owner: 'old', lastMs: 1, tasks: [ended], credentials: ['x'.repeat(100), ...'abcdefghijkl'] };
  await redis.admin('HSET', 'authz:{test}:uses', id('a'), JSON.stringify(before));
  for (const [n, { activity }] of [one, other].entries()) {
    for (let at = 0; at < 12; at++) {
      const task = { issuer: 'i', id: `${n}-${at}`, expiresAt: Math.floor(now / 1000) + 60 + at };
      activity.recorder.allow(proven('a'), task, now);
    }
    await written(activity);
  }
  await redis.admin('HSET', 'authz:{test}:uses', id('b'), JSON.stringify(before));
  one.activity.recorder.allow(proven('b'), null, now);
  await written(one.activity);
  assert.ok(!(await redis.admin('HGET', 'authz:{test}:uses', id('b'))).includes('ended'));
  const raw = await redis.admin('HGET', 'authz:{test}:uses', id('a'));
  const { tasks, credentials } = JSON.parse(raw) as { tasks: { id: string }[]; credentials: string[] };
  const last = [...Array(8).keys()].flatMap((at) => [`0-${at + 4}`, `1-${at + 4}`]);
  assert.deepEqual(tasks.map((task) => task.id).toSorted(), last.toSorted());
  assert.deepEqual(credentials, ['x509-svid', ...'abcdefg']);
});

test('after a write that failed, what waits is left alone for two seconds', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  const clock = new TestClock(Date.now());
  const { activity, seen } = storedActivity(t, state, {}, clock);
  await redis.admin('SET', 'authz:{test}:denials', 'no stream');
  activity.keep(denial());
  clock.advance(1000);
  await until('the fault', () => (seen.failures === 1 ? true : null));
  activity.keep(denial());
  clock.advance(1000);
  await redis.admin('PING');
  assert.deepEqual([activity.writer.waiting, seen.failures], [1, 1]);
  clock.advance(1000);
  await until('the next attempt', () => (seen.failures === 2 ? true : null));
  assert.deepEqual([activity.writer.waiting, seen.faults.length, seen.dropped], [0, 1, 2]);
});

test('of more workloads than are kept, those that were used last stay, on the store too', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { activity } = await sidecar(t, redis, { workloads: 20 });
  for (let n = 0; n < 60; n++) {
    activity.recorder.allow(proven(`w-${n}`), null, Date.now() + n);
    if (n % 20 === 19) await written(activity);
  }
  const { items } = await readAll((cursor) => activity.allLastUses(7, cursor));
  const names = items.map(({ workload }) => Number(workload.split('-')[1]));
  assert.deepEqual(
    names.toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, n) => n + 40),
  );
  for (const key of ['uses:names', 'uses:times']) assert.equal(await redis.admin('ZCARD', `authz:{test}:${key}`), '20');
  assert.equal(await redis.admin('HLEN', 'authz:{test}:uses'), '20');
  assert.deepEqual(activity.writer.counts, { denials: 0, allows: 0, workloads: 20 });
});

test('a store that is stopped holds up neither checks nor memory; what waits is bounded, and written when it answers', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  const { activity, state, seen } = await sidecar(t, redis);
  activity.keep(denial({ decision: 'before' }));
  await written(activity);
  redis.signal('SIGSTOP');
  // All of it returns at once: there is nothing to wait for.
  for (let n = 0; n < 3 * MAX_WAITING_DECISIONS; n++) activity.keep(denial({ decision: `d-${n}` }));
  for (let n = 0; n < 1000; n++) activity.recorder.allow(proven(`w-${n}`), null, Date.now());
  assert.equal(activity.writer.waiting, MAX_WAITING_DECISIONS);
  await until('a failed write', () => (seen.faults.length > 0 ? true : null));
  assert.ok(activity.writer.waiting <= MAX_WAITING_DECISIONS);
  assert.ok(seen.dropped >= 2 * MAX_WAITING_DECISIONS);
  const fault = await activity.decisions({}, 10, null);
  assert.ok(fault instanceof Fault && /no answer|not reached|closed/.test(fault.detail));
  assert.ok((await activity.lastUses([id('a')])) instanceof Fault);
  assert.ok((await activity.allLastUses(10, null)) instanceof Fault);
  redis.signal('SIGCONT');
  await until('the store', () => (state.status().fault === null ? true : null));
  await written(activity);
  const newest = good(await activity.decisions({}, 1, null)).items[0];
  assert.equal(newest?.decision, `d-${3 * MAX_WAITING_DECISIONS - 1}`);
  assert.ok((activity.writer.counts?.workloads ?? 0) > 0);
});

test('a store that is nearly full takes nothing for lists, and claims go on', { skip }, async (t) => {
  const redis = await Redis.of(t, { config: [`maxmemory ${MAX_BYTES}`] });
  const { activity, state, seen } = await sidecar(t, redis);
  let fillers = 0;
  while ((await usedBytes(redis)) < 0.92 * MAX_BYTES)
    await redis.admin('SETRANGE', `filler-${fillers++}`, '200000', 'x');
  activity.keep(denial());
  activity.recorder.allow(proven('a'), null, Date.now());
  await until('the fault', () => (seen.faults.length > 0 ? true : null));
  assert.deepEqual(
    [seen.faults, seen.dropped],
    [['the memory of the store is nearly used up: nothing is kept for lists'], 1],
  );
  assert.equal((await claimOn(state, 'proof')).result, 'fresh');
  assert.deepEqual(good(await activity.decisions({}, 10, null)).items, []);
  for (let n = 0; n < fillers; n++) await redis.admin('DEL', `filler-${n}`);
  activity.keep(denial({ decision: 'after' }));
  await written(activity);
  assert.equal(good(await activity.decisions({}, 10, null)).items[0]?.decision, 'after');
  const uses = await activity.lastUses([id('a')]);
  assert.ok(!(uses instanceof Fault) && uses.size === 1);
});

test('the largest entries take no more of the store than is stated', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const most: ActivityLimits = { denials: 1000, allows: 10, oneAllowIn: 10_000, workloads: 4000 };
  const { activity } = await sidecar(t, redis, most);
  const long = (n: number, length: number) => `${n}-${'x'.repeat(length)}`;
  for (let n = 0; n < 1200; n++) {
    const [text, resource] = [long(n, 150), { id: long(n, 240), api: long(n, 150) }];
    activity.keep(denial({ caller: id(long(n, 480)), owner: text, host: text, resource, sidecar: long(n, 100) }));
    if (n % 400 === 0) await written(activity);
  }
  await written(activity);
  for (let n = 0; n < 200; n++) {
    const agent = proven(long(n, 2000), 'oidc', 'o'.repeat(256));
    for (let at = 0; at < 20; at++) {
      const task = { issuer: `https://${'i'.repeat(40)}`, id: long(at, 37), expiresAt: Date.now() / 1000 + 600 + at };
      activity.recorder.allow(agent, task, Date.now());
    }
  }
  await written(activity);
  assert.deepEqual(activity.writer.counts, { denials: 1000, allows: 0, workloads: 200 });
  const loads = new Map(activityLoads(activity.writer.counts!, most));
  for (const [kind, names] of [
    ['denials', ['denials']],
    ['workloads', ['uses', 'uses:names', 'uses:times']],
  ] as const) {
    const keys = names.map((name) => redis.admin('MEMORY', 'USAGE', `authz:{test}:${name}`, 'SAMPLES', '0'));
    const taken = (await Promise.all(keys)).reduce((sum, bytes) => sum + Number(bytes), 0);
    const stated = loads.get(kind)!.bytes;
    t.diagnostic(`${kind}: ${taken} of ${stated} bytes`);
    assert.ok(taken > 0.6 * stated && taken <= stated);
  }
  const [use] = good(await activity.allLastUses(1, null)).items;
  assert.ok(use!.tasks.length > 8 && use!.tasks.length < MAX_TASKS, String(use!.tasks.length));
});

test('what somebody else wrote into the lists is left out, or makes reading and writing fail, and nothing else', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  const { activity, state, seen } = await sidecar(t, redis);
  activity.keep(denial({ decision: 'good' }));
  activity.recorder.allow(proven('a'), null, Date.now());
  await written(activity);
  const junk = [
    'no JSON',
    '[]',
    '{}',
    '{"decision":1}',
    JSON.stringify({ ...denial(), result: 'maybe' }),
    `{"a":"${'x'.repeat(1e5)}"}`,
  ];
  for (const text of junk) await redis.admin('XADD', 'authz:{test}:denials', '*', 'd', text);
  await redis.admin('XADD', 'authz:{test}:denials', '*', 'other', 'x');
  assert.deepEqual(
    (await all(activity, {}, 2)).items.map(({ decision }) => decision),
    ['good'],
  );
  const long = `${id('long')}${'x'.repeat(1000)}`;
  for (const [name, text] of [
    [long, '{"lastMs":1}'],
    [id('2'), JSON.stringify({ lastMs: 1, more: 'x'.repeat(5000) })],
    ['spiffe://prod.example/0', 'no JSON'],
    ['spiffe://prod.example/1', '{"lastMs":"x"}'],
    [id('a'), `{"lastMs":1,"tasks":[1,{"issuer":1},{"issuer":"i","id":"t","untilMs":"x"}],"credentials":[[1]]}`],
  ] as const) {
    await redis.admin('HSET', 'authz:{test}:uses', name, text);
    await redis.admin('ZADD', 'authz:{test}:uses:names', '0', name);
  }
  const shown = (await readAll((cursor) => activity.allLastUses(1, cursor))).items;
  assert.deepEqual(shown, [{ workload: id('a'), owner: null, lastMs: 1, credentials: [], tasks: [] }]);
  await redis.admin('XADD', 'authz:{test}:denials', '9999999999999999999-1', 'd', JSON.stringify(denial()));
  assert.ok((await activity.decisions({}, 1, null)) instanceof Fault);
  await redis.admin('DEL', 'authz:{test}:denials');
  const now = Date.now() + 60_000;
  activity.recorder.allow(proven('a'), null, now);
  await written(activity);
  assert.equal(
    ((await activity.lastUses([id('a')])) as ReadonlyMap<string, { lastMs: number }>).get(id('a'))?.lastMs,
    now,
  );
  await redis.admin('DEL', 'authz:{test}:allows');
  await redis.admin('SET', 'authz:{test}:allows', 'no stream');
  activity.keep(permit());
  await until('the fault', () => (seen.faults.length > 0 ? true : null));
  assert.match(seen.faults.join(), /WRONGTYPE/);
  assert.ok((await activity.decisions({}, 1, null)) instanceof Fault);
  assert.equal((await claimOn(state, 'proof')).result, 'fresh');
});

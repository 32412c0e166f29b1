import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denial, good, permit, proven, readAll } from '../../../test/support/activity.ts';
import { MemoryActivity } from './memory.ts';
import { type ActivityLimits, BAD_CURSOR, type DecisionFilter } from './model.ts';
import { MAX_LOOKED_AT } from './paging.ts';

const NOW = Date.UTC(2026, 10, 30);
const limits: ActivityLimits = { denials: 5000, allows: 50, oneAllowIn: 10, workloads: 100 };

function memory(more: Partial<ActivityLimits> = {}) {
  const omitted: string[] = [];
  const activity = new MemoryActivity({
    limits: { ...limits, ...more },
    onOmitted: (what) => omitted.push(what),
    now: () => NOW,
  });
  return { activity, omitted };
}

const all = (activity: MemoryActivity, filter: DecisionFilter, limit: number) =>
  readAll((cursor) => activity.decisions(filter, limit, cursor));

test('decisions come newest first, denials and allows as one list, page by page, each once', async () => {
  const { activity } = memory();
  const kept = Array.from({ length: 60 }, (_, n) =>
    (n % 3 === 0 ? permit : denial)({ decision: `d-${n}`, timeMs: NOW + n }),
  );
  for (const summary of kept) activity.keep(summary);
  for (const limit of [1, 7, 20, 60, 100]) {
    const { items, pages } = await all(activity, {}, limit);
    assert.deepEqual(items, kept.toReversed());
    assert.ok(pages.every((page) => page.length <= limit));
  }
  const empty = good(await memory().activity.decisions({}, 10, null));
  assert.deepEqual(empty, { items: [], next: null });
});

test('what is kept while pages are read changes no page', async () => {
  const { activity } = memory();
  for (let n = 0; n < 10; n++) activity.keep(denial({ decision: `d-${n}` }));
  const first = good(await activity.decisions({}, 4, null));
  for (let n = 10; n < 20; n++) activity.keep(denial({ decision: `d-${n}` }));
  const second = good(await activity.decisions({}, 10, first.next));
  const ids = [...first.items, ...second.items].map(({ decision }) => decision);
  assert.deepEqual(ids, ['d-9', 'd-8', 'd-7', 'd-6', 'd-5', 'd-4', 'd-3', 'd-2', 'd-1', 'd-0']);
});

test('a list is narrowed by workload, reason, result and time', async () => {
  const { activity } = memory();
  activity.keep(denial({ decision: 'a', timeMs: NOW }));
  activity.keep(denial({ decision: 'b', timeMs: NOW + 1, caller: 'spiffe://prod.example/other' }));
  activity.keep(denial({ decision: 'c', timeMs: NOW + 2, reason: 'policy_error' }));
  activity.keep(permit({ decision: 'd', timeMs: NOW + 3 }));
  const ids = async (filter: DecisionFilter) =>
    (await all(activity, filter, 10)).items.map(({ decision }) => decision).join('');
  assert.equal(await ids({ workload: 'spiffe://prod.example/other' }), 'b');
  assert.equal(await ids({ reason: 'policy_error' }), 'c');
  assert.equal(await ids({ result: 'allow' }), 'd');
  assert.equal(await ids({ result: 'deny' }), 'cba');
  assert.equal(await ids({ sinceMs: NOW + 2 }), 'dc');
  assert.equal(await ids({ result: 'deny', sinceMs: NOW + 1, reason: 'policy_forbidden' }), 'b');
  assert.equal(await ids({ workload: 'spiffe://prod.example/' }), '');
});

test('a filter that matches nothing looks at so many entries, and goes on', async () => {
  const { activity } = memory();
  for (let n = 0; n < 3 * MAX_LOOKED_AT; n++) activity.keep(denial());
  const { pages, items } = await all(activity, { reason: 'nothing' }, 10);
  assert.deepEqual([items.length, pages.length], [0, 3]);
});

test('the newest are kept, denials and allows each within their own number', async () => {
  const { activity } = memory({ denials: 3, allows: 2 });
  activity.keep(permit({ decision: 'allow' }));
  for (let n = 0; n < 10; n++) activity.keep(denial({ decision: `d-${n}` }));
  const { items } = await all(activity, {}, 10);
  assert.deepEqual(
    items.map(({ decision }) => decision),
    ['d-9', 'd-8', 'd-7', 'allow'],
  );
  assert.deepEqual(activity.counts, { denials: 3, allows: 1, workloads: 0 });
  const { activity: none } = memory({ denials: 0 });
  none.keep(denial());
  assert.deepEqual((await all(none, {}, 10)).items, []);
});

test('what is kept is bounded in bytes too', async () => {
  const { activity } = memory({ denials: 100 });
  const long = 'x'.repeat(256);
  for (let n = 0; n < 200; n++) activity.keep(denial({ host: long, owner: long, resource: { id: long, api: long } }));
  const { denials } = activity.counts;
  assert.ok(denials > 50 && denials < 90, String(denials));
  assert.equal((await all(activity, {}, 500)).items.length, denials);
});

test('a page that begins where entries were dropped meanwhile ends', async () => {
  const { activity } = memory({ denials: 10 });
  for (let n = 0; n < 10; n++) activity.keep(denial());
  const { next } = good(await activity.decisions({}, 5, null));
  for (let n = 0; n < 10; n++) activity.keep(denial());
  assert.deepEqual(good(await activity.decisions({}, 5, next)), { items: [], next: null });
});

test('a cursor that no list gave is refused', async () => {
  const { activity } = memory();
  for (const cursor of ['', '1', '1-2', 'x.y', '1-2.3', `${'9'.repeat(17)}-0.`, '1-2.3-4.5', ' 1-2.'])
    assert.equal(await activity.decisions({}, 1, cursor), BAD_CURSOR, cursor);
  for (const cursor of ['', '=', 'YQ==', Buffer.from('a'.repeat(1000)).toString('base64url')])
    assert.equal(await activity.allLastUses(1, cursor), BAD_CURSOR, cursor);
});

test('last uses: when, by which credentials, in which live tasks; page by page in the order of their names', async () => {
  const { activity } = memory();
  const { recorder } = activity;
  const task = { issuer: 'prod.example', id: 'task-7', expiresAt: NOW / 1000 + 60 };
  recorder.allow(proven('b'), task, NOW - 2000);
  recorder.deny(proven('b', 'jwt-svid'), 'b', NOW - 1000);
  recorder.allow(proven('b'), { ...task, expiresAt: NOW / 1000 + 90 }, NOW - 500);
  recorder.allow(proven('b'), { ...task, id: 'ends', expiresAt: NOW / 1000 }, NOW - 400);
  for (const name of ['d', 'a', 'c']) recorder.allow(proven(name), null, NOW);
  const b = {
    workload: 'spiffe://prod.example/b',
    owner: 'billing',
    lastMs: NOW - 400,
    credentials: ['x509-svid', 'jwt-svid'],
    tasks: [{ issuer: 'prod.example', id: 'task-7', untilMs: NOW + 90_000 }],
  };
  const uses = await activity.lastUses(['spiffe://prod.example/b', 'spiffe://prod.example/unknown']);
  assert.deepEqual([...uses], [['spiffe://prod.example/b', b]]);
  recorder.allow(proven('b', 'oidc'), { ...task, id: 'later' }, NOW - 300);
  assert.deepEqual([...uses], [['spiffe://prod.example/b', b]]);
  recorder.allow(proven('b'), null, NOW - 400);
  const { pages } = await readAll((cursor) => activity.allLastUses(3, cursor));
  assert.deepEqual(
    pages.map((page) => page.map(({ workload }) => workload.at(-1)).join('')),
    ['abc', 'd'],
  );
  const later = await activity.allLastUses(3, null, 2);
  assert.deepEqual(typeof later === 'object' && 'names' in later && later.names.map((name) => name.at(-1)), ['c', 'd']);
});

test('nothing is kept and nobody noted where that is asked for', async () => {
  const { activity, omitted } = memory({ denials: 0, allows: 0, workloads: 0 });
  assert.equal(activity.recorder.allow(proven('a'), null, NOW), false);
  for (let n = 0; n < 100; n++) assert.equal(activity.recorder.deny(proven('a'), 'a', NOW), null);
  assert.deepEqual(activity.counts, { denials: 0, allows: 0, workloads: 0 });
  assert.deepEqual(omitted, []);
  const { activity: denials } = memory({ allows: 0 });
  assert.equal(denials.recorder.allow(proven('a'), null, NOW), false);
  assert.equal(denials.recorder.deny(proven('a'), 'a', NOW), 0);
});

test('of more workloads than are kept, those that were used last stay', async () => {
  const { activity } = memory({ workloads: 3 });
  for (const [at, name] of ['a', 'b', 'c', 'a', 'd'].entries())
    activity.recorder.allow(proven(name), null, NOW + at * 60_000);
  const { items } = good(await activity.allLastUses(10, null));
  assert.deepEqual(
    items.map(({ workload }) => workload.at(-1)),
    ['a', 'c', 'd'],
  );
});

test('live tasks of a workload, and of all together, are bounded: those that end last stay', async () => {
  const { activity, omitted } = memory({ workloads: 20 });
  const taskAt = (n: number) => ({ issuer: 'prod.example', id: `t-${n}`, expiresAt: NOW / 1000 + n });
  for (let n = 1; n <= 20; n++) activity.recorder.allow(proven('a'), taskAt(n), NOW - 1);
  activity.recorder.allow(proven('a'), taskAt(1), NOW - 1);
  const [use] = (await activity.lastUses(['spiffe://prod.example/a'])).values();
  assert.deepEqual(
    new Set(use?.tasks.map(({ id }) => id)),
    new Set(Array.from({ length: 16 }, (_, n) => `t-${n + 5}`)),
  );
  for (let n = 1; n <= 30; n++) activity.recorder.allow(proven(`w-${n % 10}`), taskAt(n), NOW - 1);
  assert.deepEqual(omitted, Array(6).fill('task'));
  activity.recorder.uses.sweep(NOW + 60_000);
  activity.recorder.allow(proven('b'), taskAt(1), NOW - 1);
  assert.equal(omitted.length, 6);
});

test('of each workload the first allow is kept, then one in so many, and at most one a second', () => {
  const { activity } = memory();
  const kept = (name: string, count: number, step: number, from = 0) =>
    Array.from({ length: count }, (_, n) => activity.recorder.allow(proven(name), null, NOW + from + n * step))
      .map((one, n) => (one ? n : -1))
      .filter((n) => n !== -1);
  assert.deepEqual(kept('a', 35, 1000), [0, 10, 20, 30]);
  assert.deepEqual(kept('b', 35, 1000), [0, 10, 20, 30]);
  assert.deepEqual(kept('c', 2500, 1), [0, 1000, 2000]);
});

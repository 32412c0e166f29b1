import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TASKS } from './model.ts';
import { Uses } from './uses.ts';

const NOW = Date.UTC(2026, 10, 30);
const MINUTE_MS = 60_000;

function uses(workloads = 100) {
  const told: string[] = [];
  const omitted = { tasks: 0 };
  const all = new Uses({
    workloads,
    oneAllowIn: 1,
    onUse: ({ workload }) => told.push(workload),
    onTaskOmitted: () => omitted.tasks++,
  });
  const seen = (name: string, nowMs = NOW, credential = 'x509-svid') => all.seen(name, 'team', credential, nowMs);
  return { all, seen, told, omitted };
}

const task = (id: string, seconds: number, issuer = 'prod.example') => ({
  issuer,
  id,
  expiresAt: NOW / 1000 + seconds,
});

test('a use is reported when something of it is new, and once a minute', () => {
  const { all, seen, told } = uses();
  const reports = (run: () => unknown) => {
    told.length = 0;
    run();
    return told.length;
  };
  assert.equal(
    reports(() => seen('a')),
    1,
  );
  assert.equal(
    reports(() => seen('a', NOW + MINUTE_MS - 1)),
    0,
  );
  assert.equal(
    reports(() => seen('a', NOW + MINUTE_MS)),
    1,
  );
  assert.equal(
    reports(() => seen('a', NOW - MINUTE_MS)),
    1,
  );
  assert.equal(
    reports(() => seen('a', NOW - MINUTE_MS, 'oidc')),
    1,
  );
  const use = seen('a', NOW);
  const note = (...of: Parameters<typeof task>) => reports(() => all.noteTask(use, task(...of)));
  assert.equal(note('t', 60), 1);
  assert.equal(note('t', 60), 0);
  assert.equal(note('t', 30), 0);
  assert.equal(note('t', 90), 1);
  assert.equal(note('ended', 0), 0);
  assert.equal(note('t', 60, 'https://other.example'), 1);
  assert.deepEqual(
    use.tasks.map(({ issuer, id, untilMs }) => [issuer, id, untilMs - NOW]),
    [
      ['prod.example', 't', 90_000],
      ['https://other.example', 't', 60_000],
    ],
  );
});

test('ended tasks make room for new ones, and so do workloads that are dropped', () => {
  const { all, seen, omitted } = uses(10);
  const first = seen('first');
  for (let n = 0; n < MAX_TASKS; n++) all.noteTask(first, task(`t-${n}`, 60));
  seen('first', NOW + MINUTE_MS);
  all.noteTask(first, task('new', 61));
  assert.deepEqual(
    first.tasks.map(({ id }) => id),
    ['new'],
  );
  for (let n = 0; n < 200; n++) all.noteTask(seen(`w-${n}`), task('t', 60));
  assert.equal(omitted.tasks, 0);
  assert.equal(all.size, 10);
});

test('names behind one are looked up in their order, and no more than are asked for', async () => {
  const { all, seen } = uses(10_000);
  for (let n = 0; n < 5000; n++) seen(`w-${(n * 7919) % 5000}`.padEnd(8, '-'));
  const names = Array.from({ length: 5000 }, (_, n) => `w-${n}`.padEnd(8, '-')).toSorted();
  assert.deepEqual(await all.namesBehind('', 100), names.slice(0, 100));
  assert.deepEqual(await all.namesBehind(names[99]!, 7), names.slice(100, 107));
  const looking = all.namesBehind('', 5000);
  for (const name of names) seen(name, NOW + MINUTE_MS);
  assert.deepEqual(await looking, names);
});

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { signs } from '../../../test/support/redis-books.ts';
import { KEPT_MS, registration } from '../../../test/support/registering.ts';
import type { Registration } from './registry.ts';
import { readMark, writeMark } from './task-mark.ts';
import { type LostTask, TaskMirror } from './task-mirror.ts';
import { fieldOf, readRecord, signedRecord } from './task-record.ts';

const MINUTE_MS = 60_000;
const NAMESPACE = 'test';
const NOW = Date.now();
const key = signs.signing!;
const stranger = generateKeyPairSync('ed25519').privateKey;

const signed = (over: Partial<Registration> = {}, more: Partial<{ keptMs: number; atMs: number }> = {}, by = key) =>
  signedRecord(NAMESPACE, registration(over), { keptMs: KEPT_MS, atMs: NOW, ...more }, by);

test('a record says what no order could, and is none, though its key signed it', () => {
  assert.equal(readRecord(signed())?.task.id, 't-42');
  const bad: readonly object[] = [
    { id: 'a b' },
    { owner: 5 },
    { workloads: [] },
    { workloads: [5] },
    { workloads: Array.from({ length: 17 }, (_, n) => `spiffe://prod.example/${n}`) },
    { parent: { issuer: 5, id: 't-1' } },
    { endsAtMs: 1.5 },
    { endsAtMs: -1 },
    { leaseMs: 1.5 },
    { budgets: { calls: -1, writes: null, resources: null } },
    { budgets: { calls: null, writes: 'x', resources: null } },
    { reason: 5 },
  ];
  for (const over of bad) assert.equal(readRecord(signed(over)), null, JSON.stringify(over));
});

test('a lease goes on where the one before ended, of a task that has leases, whoever signed it', async () => {
  const record = readRecord(signed({ leaseMs: MINUTE_MS }))!;
  const lapses = NOW + MINUTE_MS;
  const lease = { kind: 'lease', atMs: lapses - 1, beforeMs: lapses, untilMs: lapses + 1000, by: 'x' } as const;
  const read = (of = record, mark: Parameters<typeof writeMark>[2] = lease) =>
    readMark(NAMESPACE, of, writeMark(NAMESPACE, of, mark, key), signs.trusted);
  assert.equal((await read())?.mark.kind, 'lease');
  // One given before the first has begun to matter would say that there was another.
  assert.equal(await read(record, { ...lease, atMs: NOW, beforeMs: lapses - 1, untilMs: lapses - 1 }), null);
  const without = readRecord(signed())!;
  assert.equal(await read(without, { ...lease, untilMs: lease.atMs }), null);
});

/** What a mirror knows, by a clock that stands still. */
function mirrored(nowMs = NOW) {
  const mirror = new TaskMirror({
    namespace: NAMESPACE,
    trustedKeys: () => signs.trusted,
    most: 100,
    now: () => nowMs,
  });
  const lost: LostTask[] = [];
  const take = (record: string | null, mark: string | null = null) => mirror.take([{ record, mark }], lost);
  return { mirror, take, lost };
}

test('what is not there, or is over and forgotten, is not learned; what cannot be read is counted', async () => {
  const { mirror, take } = mirrored();
  await take(null);
  assert.equal(mirror.unreadable, 0);
  await take('x');
  assert.equal(mirror.unreadable, 1);
  const past = { endsAtMs: NOW - MINUTE_MS };
  await take(signed(past, { keptMs: MINUTE_MS, atMs: NOW - 2 * MINUTE_MS }));
  assert.equal(mirror.size, 0);
  await take(signed(past, { keptMs: MINUTE_MS + 1, atMs: NOW - 2 * MINUTE_MS }));
  assert.equal(mirror.size, 1);
});

test('what is read again as it was is not written back', async () => {
  const { take, lost } = mirrored();
  const text = signed({ leaseMs: MINUTE_MS });
  const record = readRecord(text)!;
  await take(text);
  await take(text);
  const end = writeMark(NAMESPACE, record, { kind: 'end', atMs: NOW, openMs: NOW, by: 'b', reason: 'r' }, key);
  await take(text, end);
  await take(text, end);
  assert.deepEqual(lost, []);
  await take(text);
  assert.deepEqual(lost, [{ field: fieldOf(record.task), record: text, mark: end }]);
});

test('an end stays, whatever lease comes after it; another end is as good', async () => {
  const { mirror, take, lost } = mirrored();
  const text = signed({ leaseMs: MINUTE_MS });
  const record = readRecord(text)!;
  const beforeMs = NOW + MINUTE_MS;
  await take(text);
  const end = { kind: 'end', atMs: NOW, openMs: NOW, by: 'b', reason: 'r' } as const;
  await take(text, writeMark(NAMESPACE, record, end, key));
  const known = mirror.table.find(record.task.issuer, record.task.id);
  assert.ok(known?.ended);
  const lease = { kind: 'lease', atMs: NOW, beforeMs, untilMs: beforeMs, by: 'x' } as const;
  await take(text, writeMark(NAMESPACE, record, lease, key));
  assert.equal(mirror.table.find(record.task.issuer, record.task.id), known);
  assert.equal(lost.length, 1);
  await take(text, writeMark(NAMESPACE, record, { ...end, by: 'another' }, key));
  assert.equal(mirror.table.find(record.task.issuer, record.task.id), known);
  assert.equal(lost.length, 1);
});

test('what no trusted key signed is told once', async () => {
  const { take } = mirrored();
  const forged = signed({}, {}, stranger);
  assert.deepEqual((await take(forged)).rejected, ['t-42']);
  assert.deepEqual((await take(forged)).rejected, []);
  assert.deepEqual((await take(signed({ reason: 'another' }, {}, stranger))).rejected, ['t-42']);
});

test('what a full read did not find is written back, unless nobody has to remember it any more', async () => {
  const { mirror, take } = mirrored();
  const text = signed();
  const { keptUntilMs } = readRecord(text)!.task;
  await take(text);
  mirror.beginPass();
  assert.equal(mirror.endPass(keptUntilMs - 1).length, 1);
  mirror.beginPass();
  assert.deepEqual(mirror.endPass(keptUntilMs), []);
  mirror.beginPass();
  await take(text);
  assert.deepEqual(mirror.endPass(NOW), []);
});

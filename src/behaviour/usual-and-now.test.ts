import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usualAndNow } from './usual-and-now.ts';
import { WorkloadBook } from './workload-book.ts';

test('what is usual and what is now stand side by side, and looking changes nothing', () => {
  const book = new WorkloadBook(1, 1);
  const who = { id: 'spiffe://prod.example/a', trustDomain: 'prod.example', groups: [] };
  let now = Date.UTC(2026, 0, 5);
  const ask = (api: string, afterMs: number, writes = false) => {
    now += afterMs;
    const assessed = book.assess(who, { api, isNewApi: false, writes, client: null }, now);
    book.learn(assessed, 'allowed', now);
    return assessed.known.baseline!;
  };
  for (let n = 0; n < 2500; n++) ask(`host/api${n % 3}`, 300_000);
  for (let n = 0; n < 12; n++) ask(`host/hidden${n}`, 500, true);
  const baseline = ask('host/api0', 500);
  const before = baseline.toBytes();
  const shown = usualAndNow(baseline, now);
  assert.deepEqual(baseline.toBytes(), before);
  assert.ok(shown.known);
  assert.deepEqual([shown.requests, shown.lastMs, Math.floor(shown.days)], [2513, now, 8]);
  assert.deepEqual(
    shown.rates.map(({ seconds, usual }) => [seconds, usual]),
    [
      [1, 10],
      [10, 20],
      [60, 60],
    ],
  );
  assert.equal(shown.rates[2]!.now, 14);
  assert.ok(Math.abs(shown.apis.now - 13) < 1);
  assert.deepEqual([shown.novel.now, shown.novel.requests], [12, 13]);
  assert.deepEqual([shown.writes.now, shown.writes.requests], [12, 13]);
  assert.deepEqual(shown.refused, { now: 0, requests: 0, usual: 0 });
  const later = usualAndNow(baseline, now + 3_600_000);
  assert.deepEqual([later.rates.map((rate) => rate.now), later.apis.now], [[0, 0, 0], 0]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ASKING, approvalOrder } from '../../../test/support/approvals.ts';
import { AlikeTally } from './alike.ts';
import { requestAskedFor } from './decisions.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The beginning of an hour. */
const NOW = 500_000 * HOUR_MS;
const asked = (tally: AlikeTally, atMs: number, order = approvalOrder()) =>
  tally.count(requestAskedFor('A'.repeat(22), order, atMs), undefined);

test('an hour is counted for 23 more, whatever comes late, and says since when all are counted', () => {
  const tally = new AlikeTally(NOW - DAY_MS);
  const one = requestAskedFor('B'.repeat(22), approvalOrder(), NOW);
  const { digest, approvals } = one.order;
  const grant = { id: one.id, digest, approvals, uses: 1, untilMs: NOW + HOUR_MS, grantedAtMs: NOW, by: ['ann'] };
  tally.count({ ...one, grant }, undefined);
  asked(tally, NOW + HOUR_MS - 1);
  asked(tally, NOW - DAY_MS);
  asked(tally, NOW - HOUR_MS);
  const at = (nowMs: number) => tally.of(approvalOrder(), nowMs);
  assert.deepEqual(at(NOW), { asked: 3, granted: 1, sinceMs: NOW - 23 * HOUR_MS });
  assert.deepEqual(at(NOW + 24 * HOUR_MS - 1), { asked: 2, granted: 1, sinceMs: NOW });
  assert.deepEqual(at(NOW + 24 * HOUR_MS), { asked: 0, granted: 0, sinceMs: NOW + HOUR_MS });
  asked(tally, NOW + DAY_MS);
  const { asked: count, granted } = at(NOW + DAY_MS);
  assert.deepEqual([count, granted], [1, 0], 'in the place of the same hour of yesterday');
});

test('of so many kinds it is counted, and the oldest that nobody asked for is forgotten first', () => {
  const tally = new AlikeTally(NOW);
  const order = (n: number) => approvalOrder({ caller: `${ASKING}-${n}` });
  const count = (n: number) => tally.of(order(n), NOW).asked;
  for (let n = 0; n < 2000; n++) asked(tally, NOW, order(n));
  assert.equal(count(0), 1);
  asked(tally, NOW, order(2000));
  assert.deepEqual([count(0), count(1), count(1999), count(2000)], [1, 0, 1, 1]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hitBy, orderOf } from '../../test/support/orders.ts';
import { OrderedRevocation } from './ordered-revocation.ts';
import { RevocationTable } from './revocation-table.ts';

const NOW = Date.now();
const HOUR_MS = 3_600_000;
const made = (n: number, more = {}) => new OrderedRevocation(orderOf(`r-${n}`, { untilMs: NOW + HOUR_MS, ...more }), n);
const finds = (table: RevocationTable, one: OrderedRevocation, nowMs = NOW) =>
  table.find(hitBy(one), nowMs)?.id ?? null;

test('a table holds what was added and not dropped, through growth and moves, in any order', () => {
  const table = new RevocationTable();
  const held = new Map<number, OrderedRevocation>();
  // Of such lengths that blocks are filled, emptied and moved together.
  const reason = (n: number) => 'é'.repeat((n * 7919) % 2000);
  for (let n = 0; n < 6000; n++) {
    const one = made(n, { reason: reason(n) });
    assert.equal(table.see(one, 1), false);
    table.add(one, 1);
    held.set(n, one);
    const drop = (n * 31) % 6000;
    if (n % 3 > 0 && held.has(drop)) {
      table.remove(held.get(drop)!);
      held.delete(drop);
    }
  }
  for (let n = 0; n < 6000; n++) {
    const one = made(n, { reason: reason(n) });
    assert.equal(finds(table, one), held.has(n) ? one.id : null);
    assert.equal(table.get(one.id)?.record ?? null, held.get(n)?.record ?? null);
    assert.equal(table.see(one, 2), held.has(n));
  }
  assert.equal(table.size, held.size);
  assert.deepEqual(
    [...table.values()].map(({ record }) => record).toSorted(),
    [...held.values()].map(({ record }) => record).toSorted(),
  );
  for (const one of held.values()) table.remove(one);
  assert.deepEqual([table.size, table.empty, [...table.values()]], [0, true, []]);
});

test('all contents of an id count, and each is dropped alone', () => {
  const table = new RevocationTable();
  const [one, other] = [made(1), made(1, { subject: 'workload x' })];
  table.add(one, 1);
  table.add(other, 1);
  assert.deepEqual([finds(table, one), finds(table, other)], ['r-1', 'r-1']);
  assert.equal(table.ofId('r-1').length, 2);
  table.remove(one);
  assert.deepEqual([finds(table, one), finds(table, other)], [null, 'r-1']);
  assert.equal(table.get('r-1')?.subject, 'workload x');
});

test('what has ended hits nothing, is not counted, and is forgotten', () => {
  const table = new RevocationTable();
  const [ended, live] = [made(1, { untilMs: NOW - 1 }), made(2)];
  const upTo = made(3, { issuedUpToMs: NOW });
  for (const one of [ended, live, upTo]) table.add(one, 1);
  assert.deepEqual([finds(table, ended), finds(table, live), table.inForce(NOW)], [null, 'r-2', 2]);
  const issued = (seconds: number) => table.find([{ ...hitBy(upTo)[0]!, issuedAt: NOW / 1000 + seconds }], NOW)?.id;
  assert.deepEqual([issued(-60), issued(4), issued(6)], ['r-3', 'r-3', undefined]);
  table.see(live, 2);
  assert.deepEqual(
    [...table.unseen(2, NOW)].map(({ id }) => id),
    ['r-3'],
  );
  table.dropEnded(NOW);
  assert.deepEqual([...table.values()].map(({ id }) => id).toSorted(), ['r-2', 'r-3']);
});

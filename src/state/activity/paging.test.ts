import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denial, good } from '../../../test/support/activity.ts';
import { encodeSummary } from './entry.ts';
import { MAX_LOOKED_AT, pageOf, type Source } from './paging.ts';
import { Ring } from './ring.ts';

/** A list of so many denials, and what is read of it. */
function counted(entries: number) {
  const ring = new Ring(entries, Number.POSITIVE_INFINITY);
  for (let n = 1; n <= entries; n++) ring.add(n, encodeSummary(denial({ decision: String(n) })));
  const reads: number[] = [];
  const source: Source = {
    read: (before, count) => {
      const read = ring.read(before, count);
      reads.push(read.length);
      return read;
    },
  };
  return { sources: { deny: source, allow: { read: () => [] } }, reads, ring };
}

test('a list gives as many as are asked for, from the place on', () => {
  const { ring } = counted(10);
  const decisions = (read: ReturnType<Ring['read']>) => read.map(({ summary }) => summary?.decision).join(' ');
  assert.equal(decisions(ring.read(null, 3)), '10 9 8');
  assert.equal(decisions(ring.read([4, 0], 2)), '3 2');
  assert.equal(decisions(ring.read([1, 0], 2)), '');
});

test('a page reads no more than it shows and looks at, and reads nothing again', async () => {
  const { sources, reads } = counted(3000);
  const whole = good(await pageOf(sources, {}, 10, null));
  assert.deepEqual([whole.items.length, reads.splice(0)], [10, [11]]);
  good(await pageOf(sources, {}, 500, null));
  assert.deepEqual(reads.splice(0), [200, 200, 200]);
  good(await pageOf(sources, { reason: 'nothing' }, 10, null));
  assert.ok(reads.splice(0).reduce((sum, count) => sum + count, 0) <= MAX_LOOKED_AT + 200);
  const { sources: few, reads: of } = counted(3);
  good(await pageOf(few, { reason: 'nothing' }, 10, null));
  assert.deepEqual(of, [3]);
});

test('a page has at least one item and at most 500, whatever is asked for', async () => {
  const { sources } = counted(600);
  for (const [limit, shown] of [
    [0, 1],
    [-5, 1],
    [Number.NaN, 1],
    [2.9, 2],
    [1e9, 500],
  ] as const)
    assert.equal(good(await pageOf(sources, {}, limit, null)).items.length, shown);
});

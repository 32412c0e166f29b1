import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairPlaces } from './fair-places.ts';

function places(all: number, one: number) {
  const lost: string[] = [];
  const fair = new FairPlaces<string>({ all, one }, (held) => lost.push(held));
  const take = (holder: string, count = 1): number =>
    Array.from({ length: count }, (_, at) => fair.take(holder, `${holder}${at}`)).filter(Boolean).length;
  return { fair, lost, take };
}

test('a holder has so many places, and gets back what it gave back', () => {
  const { fair, take } = places(10, 3);
  assert.equal(take('a', 5), 3);
  fair.leave('a', 'a0');
  fair.leave('a', 'a0');
  assert.deepEqual([fair.size, fair.isHolder('a')], [2, true]);
  assert.equal(take('a'), 1);
  for (const held of fair.held()) fair.leave('a', held);
  assert.deepEqual([fair.size, fair.isHolder('a')], [0, false]);
});

test('where all places are taken, a newcomer gets the oldest one of whoever has the most', () => {
  const { fair, lost, take } = places(8, 4);
  assert.deepEqual([take('a', 4), take('b', 4)], [4, 4]);
  assert.deepEqual([take('c', 4), lost], [2, ['a0', 'b0']]);
  assert.deepEqual([take('a'), take('b')], [0, 0], 'three have two or three of eight: nobody has too many');
  assert.equal(fair.size, 8);
  assert.equal(take('d'), 1);
  assert.equal(lost.length, 3);
});

test('who holds one place keeps it, however many come', () => {
  const { fair, lost, take } = places(8, 4);
  take('a', 4);
  take('b', 4);
  const came = Array.from({ length: 100 }, (_, n) => take(`other ${n} `)).reduce((sum, got) => sum + got, 0);
  assert.equal(came, 6);
  assert.deepEqual(new Set(lost), new Set(['a0', 'a1', 'a2', 'b0', 'b1', 'b2']));
  assert.ok(fair.isHolder('a') && fair.isHolder('b'));
});

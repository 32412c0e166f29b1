import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Visitors } from './visitors.ts';

function visitors() {
  const clock = { now: 0 };
  return { clock, all: new Visitors({ connections: 2, asksPerSecond: 5 }, () => clock.now) };
}

test('an address has its own connections, and gets them back', () => {
  const { all } = visitors();
  assert.deepEqual([all.connects('a'), all.connects('a'), all.connects('a')], [true, true, false]);
  assert.equal(all.connects('b'), true);
  all.left('a');
  assert.equal(all.connects('a'), true);
});

test('an address asks so often in a second, refused connections included', () => {
  const { all, clock } = visitors();
  for (let at = 0; at < 5; at++) assert.equal(all.asks('a'), true);
  assert.deepEqual([all.asks('a'), all.connects('a'), all.asks('b')], [false, false, true]);
  clock.now = 1000;
  assert.deepEqual([all.connects('a'), all.asks('a')], [true, true]);
});

test('10,000 addresses leave no more than is remembered, and take no connection from those that hold one', () => {
  const { all } = visitors();
  assert.deepEqual([all.connects('a'), all.connects('a')], [true, true]);
  for (let at = 0; at < 10_000; at++) assert.equal(all.asks(`other ${at}`), true);
  assert.equal(all.connects('a'), false);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Visitors } from './visitors.ts';

function visitors(most = 64) {
  const clock = { now: 0 };
  const visitors = new Visitors({ all: most, connections: 2, asksPerSecond: 5 }, () => clock.now);
  const ended: string[] = [];
  const visit = (name: string) => ({ destroy: () => ended.push(name) });
  const all = {
    asks: (address: string) => visitors.asks(address),
    connects: (address: string, connection = visit(address)) => visitors.connects(address, connection),
    left: (address: string, connection: ReturnType<typeof visit>) => visitors.left(address, connection),
  };
  return { clock, all, ended, visit };
}

test('an address has its own connections, and gets them back', () => {
  const { all, visit } = visitors();
  const first = visit('a');
  assert.deepEqual([all.connects('a', first), all.connects('a'), all.connects('a')], [true, true, false]);
  assert.equal(all.connects('b'), true);
  all.left('a', first);
  assert.equal(all.connects('a'), true);
});

test('where a few addresses have all connections, a newcomer gets one of theirs', () => {
  const { all, ended } = visitors(4);
  for (const address of ['a', 'a', 'b', 'b']) assert.equal(all.connects(address), true);
  assert.deepEqual([all.connects('c'), all.connects('d'), all.connects('e')], [true, true, false]);
  assert.deepEqual(ended, ['a', 'b']);
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

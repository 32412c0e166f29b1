import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { TestClock } from '../../test/support/test-clock.ts';
import { Fault } from '../base/fault.ts';
import { Refresher } from './refresher.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A refresher of whatever `serve` was called with last, read every ten minutes, and how often it was read. */
function started() {
  const clock = new TestClock();
  const seen: (string | Fault)[] = [];
  let next: string | Fault = 'first';
  const refresher = new Refresher<string>({
    clock,
    read: () => Promise.resolve(next),
    onRead: (read) => seen.push(read),
    refreshMs: () => 10 * MINUTE,
    maxStaleMs: HOUR,
    leastMs: 1000,
  });
  const serve = (value: string | Fault): void => {
    next = value;
  };
  /** Lets the time pass, and what it starts in the background end. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await turn();
  };
  return { clock, refresher, seen, serve, pass };
}

test('a bad read keeps what the last good one gave, until that is too old', async () => {
  const { clock, refresher, serve } = started();
  assert.equal(refresher.state(clock.now()), 'absent');
  await refresher.refresh();
  serve(new Fault('broken'));
  clock.jump(HOUR);
  await refresher.refresh();
  assert.deepEqual([refresher.last, refresher.fault, refresher.state(clock.now())], ['first', 'broken', 'fresh']);
  assert.equal(refresher.state(clock.now() + 1), 'stale');
  serve('second');
  await refresher.refresh();
  assert.deepEqual([refresher.last, refresher.fault, refresher.state(clock.now())], ['second', null, 'fresh']);
});

test('after a suspend the next step of the timer reads, not the end of the whole delay', async () => {
  const { clock, refresher, seen, pass } = started();
  await refresher.refresh();
  clock.jump(9 * MINUTE);
  await pass(0);
  assert.equal(seen.length, 1);
  clock.jump(2 * MINUTE);
  await pass(10_000);
  assert.equal(seen.length, 2);
});

test('many that ask within the least time get one read at its end', async () => {
  const { refresher, seen, pass } = started();
  await refresher.refresh();
  for (let i = 0; i < 100; i++) {
    refresher.refreshSoon();
    await pass(9);
  }
  assert.equal(seen.length, 1);
  await pass(100);
  assert.equal(seen.length, 2);
});

test('stopped, it reads no more, and reports nothing of a read that was under way', async () => {
  const { clock, refresher, seen } = started();
  const underWay = refresher.refresh();
  await refresher.stop();
  await underWay;
  await refresher.refresh();
  refresher.refreshSoon();
  assert.deepEqual([seen, clock.nextIn], [[], null]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inflight } from './inflight.ts';

const times = (count: number, run: (at: number) => unknown) => Array.from({ length: count }, (_, at) => run(at));
const entered = (all: readonly unknown[]): number => all.filter((one) => one !== null).length;

test('a caller has eight calls at one time, and as many again as it ended', () => {
  const inflight = new Inflight();
  const leave = inflight.enter('a', false);
  assert.equal(entered(times(9, () => inflight.enter('a', false))), 7);
  leave?.();
  assert.equal(entered(times(2, () => inflight.enter('a', false))), 1);
  assert.equal(inflight.size, 8);
});

test('a few callers with all that they may have leave places to others, one to each', () => {
  const inflight = new Inflight();
  assert.equal(entered(times(40, (at) => inflight.enter(`busy-${at % 4}`, false))), 24);
  assert.notEqual(inflight.enter('operator', false), null);
  assert.equal(inflight.enter('operator', false), null);
  assert.equal(entered(times(20, (at) => inflight.enter(`other-${at}`, false))), 7);
  assert.equal(inflight.size, 32);
});

test('any number of agents that want a token leave places to those who want none', () => {
  const inflight = new Inflight();
  assert.equal(entered(times(100, (at) => inflight.enter(`agent-${at}`, true))), 24);
  assert.notEqual(inflight.enter('operator', false), null);
});

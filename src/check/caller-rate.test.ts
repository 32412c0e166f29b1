import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallerRate } from './caller-rate.ts';

const WINDOW_MS = 1000;
const often = (rate: CallerRate, caller: string, nowMs: number, times: number) =>
  Array.from({ length: times }, () => rate.admits(caller, nowMs)).filter(Boolean).length;

test('a caller may so often in each window, and takes nothing from another', () => {
  const rate = new CallerRate(3, WINDOW_MS);
  assert.equal(often(rate, 'a', 5000, 10), 3);
  assert.equal(often(rate, 'b', 5000, 10), 3);
  assert.equal(often(rate, 'a', 5999, 10), 0);
  assert.equal(often(rate, 'a', 6000, 10), 3);
});

test('a clock that goes back begins a new window', () => {
  const rate = new CallerRate(3, WINDOW_MS);
  assert.equal(often(rate, 'a', 5000, 10), 3);
  assert.equal(often(rate, 'a', 4000, 10), 3);
});

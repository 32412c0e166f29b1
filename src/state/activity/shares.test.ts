import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Shares } from './shares.ts';

const NOW = Date.UTC(2026, 10, 30);

test('a flood takes its own share, the next that is kept says how many were left out, and others keep theirs', () => {
  const shares = new Shares(10_000);
  const flood = Array.from({ length: 5000 }, (_, n) => shares.take('flood', NOW + n));
  assert.equal(flood.filter((omitted) => omitted !== null).length, 100);
  assert.deepEqual(flood.slice(0, 100), Array(100).fill(0));
  assert.equal(shares.take('other', NOW + 5000), 0);
  assert.equal(shares.take('flood', NOW + 30_000), 4900);
  assert.equal(shares.take('flood', NOW + 30_001), null);
  assert.equal(shares.take('flood', NOW + 120_000), 1);
});

test('over a day a flood takes no more than one in 30 s', () => {
  const shares = new Shares(10_000);
  let kept = 0;
  for (let second = 0; second < 86_400; second++)
    for (let n = 0; n < 3; n++) if (shares.take('flood', NOW + second * 1000 + n) !== null) kept++;
  assert.ok(kept >= 100 + 2879 && kept <= 100 + 2881, String(kept));
});

test('a share that rests is whole again, and no larger', () => {
  const shares = new Shares(2000);
  const burst = (at: number) =>
    Array.from({ length: 50 }, () => shares.take('a', at)).filter((one) => one !== null).length;
  assert.equal(burst(NOW), 20);
  assert.equal(burst(NOW + 20 * 30_000), 20);
  assert.equal(burst(NOW + 1e9), 20);
});

test('a share grows by one in 30 s exactly, from when it was first used on', () => {
  const shares = new Shares(2000);
  const burst = (at: number) =>
    Array.from({ length: 50 }, () => shares.take('a', at)).filter((one) => one !== null).length;
  assert.equal(burst(NOW), 20);
  assert.deepEqual(
    [45, 60, 90, 119].map((seconds) => burst(NOW + seconds * 1000)),
    [1, 1, 1, 0],
  );
  const later = NOW + 1_000_000_000 + 29_000;
  assert.deepEqual(
    [0, 29, 30].map((seconds) => burst(later + seconds * 1000)),
    [20, 0, 1],
  );
});

test('all shares together take no more than so many in one second', () => {
  const shares = new Shares(10_000);
  const kept = (at: number) =>
    Array.from({ length: 2000 }, (_, n) => shares.take(`w-${n}`, at + (n % 1000))).filter((one) => one !== null).length;
  assert.equal(kept(NOW), 500);
  assert.equal(kept(NOW + 1000), 500);
});

test('a clock that goes back takes nothing from anybody', () => {
  const shares = new Shares(2000);
  for (let n = 0; n < 30; n++) shares.take('a', NOW);
  assert.equal(shares.take('b', NOW - 1e9), 0);
  assert.equal(shares.take('a', NOW - 1e9), null);
  assert.equal(shares.take('a', NOW - 1e9 + 30_000), 11);
});

test('so many names are remembered, whatever comes', () => {
  const shares = new Shares(2000);
  for (let n = 0; n < 20; n++) shares.take('a', NOW);
  assert.equal(shares.take('a', NOW), null);
  for (let n = 0; n < 5000; n++) shares.take(`w-${n}`, NOW + 1000 + n * 10);
  assert.equal(shares.take('a', NOW + 1001), null);
  for (let n = 0; n < 12_000; n++) shares.take(`x-${n}`, NOW + 2000);
  assert.equal(shares.take('a', NOW + 3000), 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedMemory } from './bounded-memory.ts';

test('what was not asked for the longest is forgotten first', () => {
  const memory = new BoundedMemory<number>(30);
  for (const [at, key] of ['a', 'b', 'c'].entries()) memory.set(key, at, 10);
  assert.equal(memory.get('a'), 0);
  memory.set('d', 3, 10);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => memory.get(key)),
    [0, undefined, 2, 3],
  );
  assert.deepEqual([memory.size, memory.bytes], [3, 30]);
});

test('a key counts once, by its last value', () => {
  const memory = new BoundedMemory<string>(30);
  memory.set('a', 'first', 20);
  memory.set('b', 'other', 10);
  memory.set('a', 'second', 15);
  assert.deepEqual([memory.get('a'), memory.get('b'), memory.bytes], ['second', 'other', 25]);
  memory.delete('a');
  memory.delete('a');
  assert.deepEqual([memory.size, memory.bytes], [1, 10]);
  memory.clear();
  assert.deepEqual([memory.size, memory.bytes], [0, 0]);
});

test('what is larger than the whole memory is not remembered, and evicts nothing', () => {
  const memory = new BoundedMemory<string>(30);
  memory.set('a', 'small', 10);
  for (const bytes of [31, Number.NaN]) memory.set('b', 'large', bytes);
  assert.deepEqual([memory.get('a'), memory.get('b')], ['small', undefined]);
});

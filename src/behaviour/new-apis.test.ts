import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NewApis } from './new-apis.ts';

const HOUR = 3_600_000;

test('an api is new for a day after it came with the inventory, and none is that was there from the beginning', () => {
  const apis = new NewApis(new Set(['a']));
  apis.load(new Set(['a', 'b']), 0);
  assert.deepEqual(
    ['a', 'b', 'c'].map((api) => apis.has(api, HOUR)),
    [false, true, false],
  );
  assert.equal(apis.has('b', 25 * HOUR), false);
  apis.load(new Set(['a']), HOUR);
  assert.equal(apis.has('b', HOUR), false, 'it is gone');
  apis.load(new Set(['a', 'b']), 2 * HOUR);
  assert.equal(apis.has('b', 3 * HOUR), true, 'and came back');
});

test('the first inventory of all is new to nobody', () => {
  const apis = new NewApis(new Set());
  apis.load(new Set(['a']), 0);
  assert.equal(apis.has('a', 0), false);
});

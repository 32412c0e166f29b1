import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainNumber } from './facts.ts';

test('B42: only plain decimal digits inside the safe range are a number', () => {
  for (const [text, number] of [
    ['0', 0],
    ['7', 7],
    ['100', 100],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const) {
    assert.equal(plainNumber(text), number, text);
  }
  for (const text of ['', ' ', '0x10', '1e1', '12abc', '-0', '-1', '+1', '01', '1.0', ' 7', '9007199254740993', '١']) {
    assert.equal(plainNumber(text), null, JSON.stringify(text));
  }
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { TextDigests } from './text-digests.ts';

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

test('a digest is that of its text, asked for again and beside texts that look alike', () => {
  const digests = new TextDigests(64 * 1024);
  const end = 'x'.repeat(200);
  const texts = [
    '',
    'a',
    'ä€😀',
    '\ud800',
    `a${end}`,
    `b${end}`,
    `a${end}y`,
    `a${'x'.repeat(139)}z${'x'.repeat(60)}`,
    end,
  ];
  for (let round = 0; round < 3; round++) {
    for (const text of texts) {
      assert.equal(digests.of(text), digestOf(text), JSON.stringify(text));
      assert.equal(digests.of(`${text}`), digestOf(text));
    }
  }
});

test('what does not fit is not remembered, and has its digest all the same', () => {
  const digests = new TextDigests(1024);
  for (const text of ['y'.repeat(2000), 'short', 'y'.repeat(2000)]) assert.equal(digests.of(text), digestOf(text));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Seal } from './seal.ts';

const SECRET = 'a-secret-of-32-characters-or-more';

test('what was sealed opens with the same secret, for the same purpose and about the same thing alone', () => {
  const seal = new Seal(SECRET, 'a');
  const sealed = seal.seal('text ✓', 'about');
  assert.equal(seal.open(sealed, 'about'), 'text ✓');
  assert.equal(new Seal(SECRET, 'a').open(sealed, 'about'), 'text ✓');
  assert.notEqual(seal.seal('text ✓', 'about'), sealed);
  assert.equal(seal.open(sealed, 'other'), null);
  assert.equal(new Seal(SECRET, 'b').open(sealed, 'about'), null);
  assert.equal(new Seal(`${SECRET}!`, 'a').open(sealed, 'about'), null);
});

test('what was changed, cut or never sealed does not open', () => {
  const seal = new Seal(SECRET, 'a');
  const bytes = Buffer.from(seal.seal('text', ''), 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    assert.equal(seal.open(changed.toString('base64url'), ''), null, String(at));
    assert.equal(seal.open(bytes.subarray(0, at).toString('base64url'), ''), null, String(at));
  }
});

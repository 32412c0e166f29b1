import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwk, makeKey } from '../../test/support/tokens.ts';
import { Fault } from '../base/fault.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { TokenFault } from './jws-fault.ts';
import { KeySet, type KeySetKind, parseJwks } from './key-set.ts';

const a = makeKey('ES256', 'a');
const b = makeKey('ES256', 'b');
const r = makeKey('RS256', 'a');

const set = (jwks: readonly unknown[], kind: KeySetKind = 'jwks') => KeySet.of(jwks as JsonValue[], kind);
const bytes = (text: string) => Buffer.from(text);

test('B28: in a SPIFFE bundle only use jwt-svid makes a JWT key; the Workload API states none; a JWKS says sig or none', () => {
  const keys = ['jwt-svid', 'x509-svid', 'sig', undefined].map((use) => jwk(makeKey('ES256', String(use)), { use }));
  const kids = (kind: KeySetKind) => set(keys, kind).keys.map((key) => key.kid);
  assert.deepEqual(kids('spiffe-bundle'), ['jwt-svid']);
  assert.deepEqual(kids('workload-api'), ['jwt-svid', 'undefined']);
  assert.deepEqual(kids('jwks'), ['sig', 'undefined']);
});

test('an ignored key is listed with its reason, and spoils no other', () => {
  const { keys, ignored } = set([{ kty: 'oct', k: 'AA', kid: 'h' }, jwk(a), jwk(b, { use: 'enc' }), 7]);
  assert.deepEqual(
    keys.map((key) => key.kid),
    ['a'],
  );
  assert.deepEqual(
    ignored.map(({ index, kid }) => [index, kid]),
    [
      [0, 'h'],
      [2, 'b'],
      [3, null],
    ],
  );
});

test('B32: without a kid each key that fits is a candidate, four at most', () => {
  const candidates = set([jwk(a), jwk(b), jwk(r)]).candidates(null, 'ES256');
  assert.ok(!(candidates instanceof TokenFault));
  assert.deepEqual(
    candidates.map((key) => key.kid),
    ['a', 'b'],
  );
  const many = set(Array.from({ length: 5 }, () => jwk(makeKey('ES256')))).candidates(null, 'ES256');
  assert.ok(many instanceof TokenFault && many.kind === 'key_unknown');
});

test('B32: one kid on two key types: the algorithm tells them apart', () => {
  const candidates = set([jwk(r), jwk(a)]).candidates('a', 'ES256');
  assert.ok(!(candidates instanceof TokenFault));
  assert.equal(candidates.length, 1);
  assert.ok(candidates[0]?.supports('ES256'));
});

test('B32: a kid that no key carries is unknown, also when the keys carry none', () => {
  for (const keys of [[jwk(a)], [jwk(a, { kid: undefined })]]) {
    const candidates = set(keys).candidates('b', 'ES256');
    assert.ok(candidates instanceof TokenFault && candidates.kind === 'key_unknown');
  }
});

test('a set holds 256 keys at most', () => {
  const { keys, ignored } = set(Array.from({ length: 300 }, (_, i) => jwk(a, { kid: `k${i}` })));
  assert.deepEqual([keys.length, ignored.length], [256, 44]);
});

test('a JWKS document', () => {
  assert.ok(parseJwks(bytes(JSON.stringify({ keys: [jwk(a)] }))) instanceof KeySet);
  const bad: readonly [string, RegExp][] = [
    ['<html></html>', /strict JSON/],
    ['{"keys":[],"keys":[]}', /repeated/],
    ['{}', /no keys array/],
    ['[]', /no keys array/],
    ['{"keys":{}}', /no keys array/],
    ['{"keys":[]}', /keys is empty/],
    ['{"keys":[{"kty":"oct","k":"AA"}]}', /no usable key/],
  ];
  for (const [text, pattern] of bad) {
    const read = parseJwks(bytes(text));
    assert.ok(read instanceof Fault, text);
    assert.match(read.detail, pattern);
  }
});

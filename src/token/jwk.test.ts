import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jwk, makeKey, makeRsaKey, thumbprint } from '../../test/support/tokens.ts';
import { Fault } from '../base/fault.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { PublicJwk } from './jwk.ts';
import { hasRocaFingerprint } from './jwk-roca.ts';
import { standardAlgorithms } from './jws-algorithms.ts';

const ec = jwk(makeKey('ES256', 'ec'));
const rsa = jwk(makeKey('RS256', 'rsa'));
const ed = jwk(makeKey('EdDSA', 'ed'));

const read = (members: Readonly<Record<string, unknown>>) => PublicJwk.read(members as JsonValue);

function fault(members: Readonly<Record<string, unknown>>): string {
  const key = read(members);
  assert.ok(key instanceof Fault, 'the key was accepted');
  return key.detail;
}

function key(members: Readonly<Record<string, unknown>>): PublicJwk {
  const found = read(members);
  assert.ok(found instanceof PublicJwk, found instanceof Fault ? found.detail : '');
  return found;
}

test('sound keys are read, and verify just the algorithms of their type and curve', () => {
  assert.deepEqual(
    standardAlgorithms.filter((algorithm) => key(ec).supports(algorithm)),
    ['ES256'],
  );
  assert.deepEqual(
    standardAlgorithms.filter((algorithm) => key(rsa).supports(algorithm)),
    ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  );
  assert.ok(key(ed).supports('EdDSA') && !key(ec).supports('EdDSA'));
});

test('alg in the JWK leaves this one algorithm', () => {
  const only = key({ ...rsa, alg: 'PS256' });
  assert.ok(only.supports('PS256') && !only.supports('RS256'));
});

test('the thumbprint is that of RFC 7638, and of the worked vector for DPoP', () => {
  const maker = makeKey('ES256');
  assert.equal(key(jwk(maker)).thumbprint, thumbprint(maker));
  const vector = key({
    kty: 'EC',
    crv: 'P-256',
    x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
    y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
  });
  assert.equal(vector.thumbprint, '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
});

const badKeys: readonly [string, Readonly<Record<string, unknown>>, RegExp][] = [
  ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }, /private member k/],
  ['a private key', { ...ec, d: 'AAAA' }, /private member d/],
  ['an unknown kty', { ...ec, kty: 'XX' }, /kty/],
  ['another type than its members', { ...ec, kty: 'RSA' }, /Base64urlUInt/],
  ['no coordinate', { ...ec, y: undefined }, /x or y/],
  ['a padded coordinate', { ...ec, x: `${ec.x}=` }, /x or y/],
  ['a point off the curve', { ...ec, y: ec.x }, /not on its curve/],
  ['the coordinates of another curve', { ...ec, crv: 'P-384' }, /x or y/],
  ['a curve that JWS has no algorithm of ours for', { ...ec, crv: 'secp256k1' }, /crv/],
  ['an algorithm of another curve', { ...ec, alg: 'ES384' }, /does not fit/],
  ['an encryption algorithm', { ...rsa, alg: 'RSA-OAEP' }, /no signature algorithm/],
  ['an algorithm named like a property', { ...ec, alg: 'toString' }, /no signature algorithm/],
  ['an algorithm in a list', { ...ec, alg: ['ES256'] }, /alg is not a string/],
  ['key_ops without verify', { ...ec, key_ops: ['sign'] }, /key_ops/],
  ['key_ops as text', { ...ec, key_ops: 'verify' }, /key_ops/],
  ['a kid that is a number', { ...ec, kid: 7 }, /kid/],
  ['a use that is a list', { ...ec, use: ['sig'] }, /use/],
  ['RSA of 1024 bits', jwk(makeRsaKey(1024)), /1024 bits/],
  ['an exponent of 3', jwk(makeRsaKey(2048, 3)), /exponent/],
  ['an exponent of 1', { ...rsa, e: 'AQ' }, /exponent/],
  ['an even exponent', { ...rsa, e: 'AQAC' }, /exponent/],
  ['an enormous exponent', { ...rsa, e: 'AQAAAAAAAAAAAQ' }, /exponent/],
  ['a modulus with a leading zero byte', { ...rsa, n: `AA${rsa.n}` }, /Base64urlUInt/],
  ['an even modulus', { ...rsa, n: `${String(rsa.n).slice(0, -1)}A` }, /even/],
  ['a modulus of the ROCA generator', { ...rsa, n: rocaModulus() }, /ROCA/],
  ['a modulus of 16384 bits', { ...rsa, n: Buffer.alloc(2048, 0xff).toString('base64url') }, /more than 8192/],
  ['Ed25519 with half a key', { ...ed, x: 'AAAA' }, /32 bytes/],
  ['Ed448', { ...ed, crv: 'Ed448' }, /crv/],
];
for (const [what, members, pattern] of badKeys) test(`no key: ${what}`, () => assert.match(fault(members), pattern));

test('a number, null or an array is no key', () => {
  for (const value of [7, null, []]) assert.ok(PublicJwk.read(value) instanceof Fault);
});

test('whatever stands in a JWK, it is a key or a fault, never a throw', () => {
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc.constantFrom('RSA', 'EC', 'OKP', 'P-256', 'Ed25519', 'AQAB'),
  );
  const members = fc.record(
    Object.fromEntries(['kty', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use', 'kid', 'key_ops'].map((name) => [name, value])),
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.constantFrom(ec, rsa, ed), members, (good, changed) => {
      const found = read({ ...good, ...changed });
      assert.ok(found instanceof PublicJwk || found instanceof Fault);
    }),
    { numRuns: 500 },
  );
});

test('an ordinary modulus does not carry the ROCA fingerprint', () => {
  assert.ok(!hasRocaFingerprint(BigInt(`0x${Buffer.from(String(rsa.n), 'base64url').toString('hex')}`)));
});

/** 2048 bits of the form that the broken generator gives its primes: a power of 65537 modulo every small prime. */
function rocaModulus(): string {
  const oddPrimes = Array.from({ length: 83 }, (_, i) => 2 * i + 3).filter((n) =>
    [3, 5, 7, 11].every((p) => n === p || n % p),
  );
  const product = oddPrimes.reduce((all, prime) => all * BigInt(prime), 1n);
  const even = (1n << 2047n) / product + 1n;
  const modulus = product * (even + (even % 2n)) + 65537n ** 5n;
  return Buffer.from(modulus.toString(16), 'hex').toString('base64url');
}

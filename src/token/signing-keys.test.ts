import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { Fault } from '../base/fault.ts';
import { parseJwks } from './key-set.ts';
import { readSigningKeys, type SigningKeys } from './signing-keys.ts';

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const pem = (key: KeyObject, type: 'pkcs8' | 'sec1' = 'pkcs8') => key.export({ format: 'pem', type }) as string;
const jwk = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });
const jwks = (...keys: object[]) => JSON.stringify({ keys });
const [one, two] = [ec('P-256'), ec('P-256')];

function keysOf(text: string): SigningKeys {
  const read = readSigningKeys(text);
  if (read instanceof Fault) assert.fail(read.detail);
  return read;
}

test('the first key of a file signs, and all of them are published, without anything private', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  for (const text of [
    `${pem(one)}${pem(two, 'sec1')}${pem(rsa)}`,
    jwks(jwk(one, { kid: 'a' }), jwk(two, { kid: 'b', alg: 'ES256' }), jwk(rsa, { kid: 'c' })),
  ]) {
    const keys = keysOf(text);
    assert.equal(keys.jwks.keys.length, 3);
    const set = parseJwks(Buffer.from(JSON.stringify(keys.jwks)));
    assert.ok(!(set instanceof Fault) && set.ignored.length === 0);
    const { protectedHeader } = await jwtVerify(
      await keys.sign('txntoken+jwt', { sub: 'a' }),
      createLocalJWKSet(keys.jwks as unknown as JSONWebKeySet),
    );
    assert.deepEqual(protectedHeader, { alg: 'ES256', typ: 'txntoken+jwt', kid: keys.jwks.keys[0]?.kid });
  }
});

test('a key is named by its thumbprint where it has no name, whatever the file is', () => {
  assert.equal(keysOf(pem(one)).jwks.keys[0]?.kid, keysOf(jwks(jwk(one))).jwks.keys[0]?.kid);
});

const faults: readonly (readonly [name: string, text: string, fault: RegExp])[] = [
  ['nothing', '', /no private key/],
  ['an empty set', '{"keys":[]}', /no private key/],
  [
    'a public key',
    one.export({ format: 'pem', type: 'pkcs8' }).toString().replaceAll('PRIVATE', 'PUBLIC'),
    /something else/,
  ],
  [
    'a certificate beside a key',
    `${pem(one)}-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----`,
    /something else/,
  ],
  ['one key twice', `${pem(one)}${pem(one)}`, /one kid/],
  ['a weak RSA key', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), /2048/],
  ['an Ed25519 key', pem(generateKeyPairSync('ed25519').privateKey), /none of ES256/],
  ['an alg that does not fit', jwks(jwk(one, { alg: 'ES384' })), /none of/],
  ['a JWK without its private member', jwks({ ...jwk(one), d: undefined }), /no private key/],
  ['nine keys', Array.from({ length: 9 }, () => pem(ec('P-256'))).join(''), /more than 8/],
  ['no JSON', '{', /not strict JSON/],
];
for (const [name, text, fault] of faults) {
  test(`a file of signing keys with ${name} is a fault`, () => {
    keysOf(pem(one));
    const read = readSigningKeys(text);
    assert.ok(read instanceof Fault);
    assert.match(read.detail, fault);
  });
}

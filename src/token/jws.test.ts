import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  dpopProof,
  jwk,
  leftOverBits,
  type Mutation,
  makeKey,
  mint,
  otherSignature,
  type SigningKey,
  thumbprint,
  wit,
  wpt,
} from '../../test/support/tokens.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { PublicJwk } from './jwk.ts';
import { UnverifiedJws } from './jws.ts';
import { standardAlgorithms } from './jws-algorithms.ts';
import type { JwsProfile } from './jws-compact.ts';
import { TokenFault, type TokenFaultKind } from './jws-fault.ts';
import { KeySet } from './key-set.ts';
import { TokenVerifier, type VerifiedJws, verifyProof } from './verifier.ts';

const now = Date.UTC(2026, 0, 1);
const signer = makeKey('ES256', 'k1');
const stranger = makeKey('ES256', 'k1');
const rsa = makeKey('RS256', 'r1');
const profile: JwsProfile = { algorithms: standardAlgorithms, types: ['at+jwt', null] };
const keys = set(signer, rsa);

function set(...members: SigningKey[]): KeySet {
  return KeySet.of(
    members.map((key) => jwk(key) as JsonValue),
    'jwks',
  );
}

async function verify(token: string, rules: JwsProfile = profile, from: KeySet = keys) {
  const first = await verifyBy(tokens, token, rules, from);
  assert.deepEqual(await verifyBy(tokens, token, rules, from), first, 'what is remembered changes the answer');
  return first;
}

/** Shared by all tests: what it remembers of one token must not make another good. */
const tokens = new TokenVerifier();

async function verifyBy(verifier: TokenVerifier, token: string, rules: JwsProfile, from: KeySet) {
  const unverified = verifier.read(token);
  return unverified instanceof TokenFault ? unverified : verifier.verify(unverified, rules, from, now);
}

const good = (mutation: Mutation = {}, key = signer) => mint(key, { typ: 'at+jwt' }, { sub: 'x' }, mutation);

async function verified(token: string, rules?: JwsProfile, from?: KeySet): Promise<VerifiedJws> {
  const jws = await verify(token, rules, from);
  assert.ok(!(jws instanceof TokenFault), jws instanceof TokenFault ? `${jws.kind}: ${jws.detail}` : '');
  return jws;
}

async function refused(token: string, kind: TokenFaultKind, rules?: JwsProfile, from?: KeySet): Promise<void> {
  const jws = await verify(token, rules, from);
  assert.ok(jws instanceof TokenFault, 'the token was accepted');
  assert.equal(jws.kind, kind, jws.detail);
}

test('every accepted algorithm verifies, and only under its own key', async () => {
  for (const algorithm of [...standardAlgorithms, 'EdDSA'] as const) {
    const [right, wrong] = [makeKey(algorithm, 'k'), makeKey(algorithm, 'k')];
    const rules: JwsProfile = { algorithms: [algorithm], types: ['at+jwt'] };
    const jws = await verified(good({}, right), rules, set(right));
    assert.equal(jws.claims.sub, 'x');
    assert.equal(jws.keyThumbprint, thumbprint(right));
    await refused(good({}, right), 'signature', rules, set(wrong));
  }
});

test('EdDSA is refused where it is not configured', async () => {
  const ed = makeKey('EdDSA', 'e');
  await refused(good({}, ed), 'algorithm', profile, set(ed));
});

test('S2: another spelling of a good token is refused', async () => {
  await verified(good());
  const spellings: Readonly<Record<string, (token: string) => string>> = {
    padding: (token) => `${token}==`,
    'newline at the end': (token) => `${token}\n`,
    'space at the front': (token) => ` ${token}`,
    'newline inside': (token) => token.replace('.', '.\n'),
    'left-over bits': leftOverBits,
    'padding in the header': (token) => token.replace('.', '=.'),
    'four parts': (token) => `${token}.`,
    'five parts': (token) => `${token}.a.b`,
    'two parts': (token) => token.slice(0, token.lastIndexOf('.')),
    'JSON serialisation': (token) => JSON.stringify({ payload: token.split('.')[1], signatures: [] }),
    empty: () => '',
    'a NUL': (token) => `${token}\u0000`,
  };
  for (const [, respell] of Object.entries(spellings)) await refused(good({ respell }), 'malformed');
  // base64 and base64url differ only where a token holds '-' or '_'.
  const dashed = Array.from({ length: 64 }, () => good()).find((token) => /[-_]/.test(token)) ?? '';
  await verified(dashed);
  await refused(dashed.replaceAll('-', '+').replaceAll('_', '/'), 'malformed');
});

test('S2: a token signed anew, or with s turned into n − s, has the digest of the first', async () => {
  const first = await verified(good());
  for (const again of [good(), good({ respell: otherSignature })]) {
    assert.equal((await verified(again)).digest, first.digest);
  }
  assert.notEqual((await verified(good({ claims: { sub: 'y' } }))).digest, first.digest);
});

test('the digest depends on the key too: two issuers never share a token', async () => {
  const text = mint(stranger, { typ: 'at+jwt', kid: 'k1' }, { sub: 'x' });
  assert.notEqual((await verified(text, profile, set(stranger))).digest, (await verified(good())).digest);
});

/** The text that anybody can fetch, used as if it were a shared secret. */
const publicPem = createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'pem' });

const mutations: readonly [string, TokenFaultKind, Mutation][] = [
  ['B31: alg none without a signature', 'algorithm', { header: { alg: 'none' }, signature: () => Buffer.alloc(0) }],
  ['B31: alg none with a signature', 'algorithm', { header: { alg: 'none' } }],
  ['B31: alg NONE', 'algorithm', { header: { alg: 'NONE' } }],
  [
    'B31: HS256 over the public key',
    'algorithm',
    { header: { alg: 'HS256' }, signature: (signed) => createHmac('sha256', publicPem).update(signed).digest() },
  ],
  ['B31: crit', 'malformed', { header: { crit: ['x-bind'], 'x-bind': 1 } }],
  ['B31: crit and b64', 'malformed', { header: { crit: ['b64'], b64: false } }],
  ['B31: b64 alone', 'malformed', { header: { b64: false } }],
  ['B31: a key in the header', 'malformed', { header: { jwk: stranger.publicJwk }, signWith: stranger }],
  ['B31: null for a key in the header', 'malformed', { header: { jwk: null } }],
  ['B31: jku', 'malformed', { header: { jku: 'http://127.0.0.1:1/jwks' } }],
  ['B31: x5u', 'malformed', { header: { x5u: 'http://127.0.0.1:1/x' } }],
  ['B31: x5c', 'malformed', { header: { x5c: ['AAAA'] } }],
  ['B31: a kid that looks like a path', 'key_unknown', { header: { kid: '../../dev/null' } }],
  ['a kid that is a property of every object', 'key_unknown', { header: { kid: '__proto__' } }],
  ['a kid that is a number', 'malformed', { header: { kid: 1 } }],
  ['alg missing', 'malformed', { header: { alg: undefined } }],
  ['alg as an array', 'malformed', { header: { alg: ['ES256'] } }],
  ['alg in lower case', 'algorithm', { header: { alg: 'es256' } }],
  ['an algorithm that the key has not', 'algorithm', { header: { alg: 'ES384' } }],
  ['typ of another kind of token', 'type', { header: { typ: 'dpop+jwt' } }],
  ['typ with a Kelvin sign', 'malformed', { header: { typ: 'at\u212ajwt' } }],
  ['typ as a number', 'malformed', { header: { typ: 1 } }],
  ['another key of the same kid', 'signature', { signWith: stranger }],
  ['no signature', 'signature', { signature: () => Buffer.alloc(0) }],
  ['a signature of zeros', 'signature', { signature: () => Buffer.alloc(64) }],
  ['a signature with a byte more', 'signature', { signature: () => Buffer.alloc(65, 1) }],
  ['a DER signature', 'signature', { signature: () => Buffer.from('3006020101020101', 'hex') }],
  ['a payload that is an array', 'malformed', { payloadText: '[]' }],
  ['a payload that is empty', 'malformed', { payloadText: '' }],
  ['a repeated claim', 'malformed', { payloadText: '{"sub":"x","sub":"y"}' }],
  ['a repeated header member', 'malformed', { headerText: '{"alg":"ES256","alg":"none","kid":"k1"}' }],
  ['a payload that nests deeper than 16', 'malformed', { payloadText: `${'{"a":'.repeat(17)}1${'}'.repeat(17)}` }],
  ['a token of 20 kB', 'malformed', { claims: { pad: 'x'.repeat(20_000) } }],
];
for (const [what, kind, mutation] of mutations)
  test(`refused as ${kind}: ${what}`, async () => refused(good(mutation), kind));

test('whatever text is presented, it is a token or a fault, never a throw', () => {
  const part = fc.oneof(
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc
      .record(
        { alg: fc.jsonValue(), typ: fc.jsonValue(), kid: fc.jsonValue(), jwk: fc.jsonValue() },
        { requiredKeys: [] },
      )
      .map((header) => Buffer.from(JSON.stringify(header)).toString('base64url')),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
      const read = UnverifiedJws.decodeUnverified(parts.join('.'));
      assert.ok(read instanceof UnverifiedJws || read instanceof TokenFault);
    }),
    { numRuns: 1000 },
  );
});

test('typ is compared without case and without application/, and parameters without meaning are ignored', async () => {
  for (const typ of ['AT+JWT', 'application/at+jwt', undefined]) await verified(good({ header: { typ } }));
  await refused(good({ header: { typ: 'application/application/at+jwt' } }), 'type');
  await verified(good({ header: { x5t: 'AAAA', nonce: 'n' } }));
});

test('B32: a token without kid is verified by whichever key fits', async () => {
  const second = makeKey('ES256', 'k2');
  await verified(good({ header: { kid: undefined } }, second), profile, set(signer, second));
});

test('a key that says PS256 does not verify RS256', async () => {
  const only = KeySet.of([jwk(rsa, { alg: 'PS256' }) as JsonValue], 'jwks');
  await refused(good({}, rsa), 'algorithm', profile, only);
  await verified(good({}, rsa));
});

test('a proof is verified with the key in its header, by its own door only', async () => {
  const rules: JwsProfile = { algorithms: ['ES256', 'ES384'], types: ['dpop+jwt'] };
  const frame = { key: signer, now, method: 'GET', uri: 'https://api.example/x' };
  const read = (mutation: Mutation = {}) => {
    const proof = UnverifiedJws.decodeUnverified(dpopProof(frame, mutation));
    assert.ok(proof instanceof UnverifiedJws);
    return proof;
  };
  const proof = await verifyProof(read(), rules, 'its own key');
  assert.ok(!(proof instanceof TokenFault));
  assert.equal(proof.keyThumbprint, thumbprint(signer));
  const faults: readonly [TokenFaultKind, Mutation][] = [
    ['signature', { signWith: stranger }],
    ['type', { header: { typ: 'at+jwt' } }],
    ['signature', { header: { alg: 'ES384' } }],
    ['malformed', { header: { jwk: undefined } }],
    ['malformed', { header: { jwk: { ...signer.publicJwk, d: 'AAAA' } } }],
    ['malformed', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }],
  ];
  for (const [kind, mutation] of faults) {
    const fault = await verifyProof(read(mutation), rules, 'its own key');
    assert.ok(fault instanceof TokenFault);
    assert.equal(fault.kind, kind, fault.detail);
  }
});

test('a proof is verified with the key that a verified token names', async () => {
  const holder = makeKey('ES256');
  const frame = { key: holder, now, uri: 'https://api.example/x' };
  const proof = UnverifiedJws.decodeUnverified(wpt({ ...frame, wit: wit({ key: signer, now, sub: 's', holder }) }));
  const [right, wrong] = [PublicJwk.read(jwk(holder) as JsonValue), PublicJwk.read(jwk(stranger) as JsonValue)];
  assert.ok(proof instanceof UnverifiedJws && right instanceof PublicJwk && wrong instanceof PublicJwk);
  const rules: JwsProfile = { algorithms: ['ES256'], types: ['wpt+jwt'] };
  assert.ok(!((await verifyProof(proof, rules, right)) instanceof TokenFault));
  const fault = await verifyProof(proof, rules, wrong);
  assert.ok(fault instanceof TokenFault && fault.kind === 'signature');
});

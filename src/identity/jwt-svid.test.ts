import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwk, jwtSvid, type Mutation, makeKey, otherSignature, type SigningKey } from '../../test/support/tokens.ts';
import { Refusal } from '../base/outcome.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { UnverifiedJws } from '../token/jws.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { KeySet } from '../token/key-set.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { type JwtAuthorities, verifyJwtSvid } from './jwt-svid.ts';

const now = Date.UTC(2026, 0, 1);
const SUB = 'spiffe://example.org/agent/a';
const AUD = 'spiffe://example.org/payments';
const own = makeKey('ES256', 'shared-kid');
const partner = makeKey('ES256', 'shared-kid');
const tokens = new TokenVerifier();
const x509 = makeKey('ES256', 'x509-kid');

const keySet = (...jwks: unknown[]) => KeySet.of(jwks as JsonValue[], 'spiffe-bundle');
const bundles = new Map([
  ['example.org', keySet(jwk(own, { use: 'jwt-svid' }), jwk(x509, { use: 'x509-svid' }))],
  ['partner.test', keySet(jwk(partner, { use: 'jwt-svid' }))],
  ['revoked.test', keySet()],
]);
const authorities: JwtAuthorities = {
  jwtKeys: (trustDomain) => bundles.get(trustDomain) ?? new Refusal('identity_missing', 'no bundle'),
};

async function verify(token: string, rules: { audience?: string; now?: number; certificateThumbprint?: string } = {}) {
  const unverified = UnverifiedJws.decodeUnverified(token);
  assert.ok(!(unverified instanceof TokenFault));
  return verifyJwtSvid(unverified, authorities, {
    tokens,
    audience: AUD,
    maxLifetimeSeconds: 3600,
    now,
    certificateThumbprint: null,
    ...rules,
  });
}

const svid = (mutation: Mutation = {}, key: SigningKey = own, sub = SUB) =>
  jwtSvid({ key, now, sub, aud: AUD }, mutation);

async function reason(token: string, rules = {}): Promise<string> {
  const result = await verify(token, rules);
  return result instanceof Refusal ? result.reason : 'good';
}

test('a good JWT-SVID proves its id', async () => {
  const verified = await verify(svid());
  assert.ok(!(verified instanceof Refusal));
  assert.equal(verified.id.text, SUB);
  assert.deepEqual([verified.issuedAt, verified.expiresAt], [now / 1000, now / 1000 + 300]);
});

const mutations: readonly [string, string, Mutation][] = [
  ['typ absent', 'good', { header: { typ: undefined } }],
  ['typ JOSE', 'good', { header: { typ: 'JOSE' } }],
  ['B32: kid absent', 'good', { header: { kid: undefined } }],
  ['iss of anybody', 'good', { claims: { iss: 'https://partner.test' } }],
  ['an audience among others', 'good', { claims: { aud: ['other', AUD] } }],
  ['typ of an access token', 'identity_token_type', { header: { typ: 'at+jwt' } }],
  ['typ of a WIT', 'identity_token_type', { header: { typ: 'wit+jwt' } }],
  ['an unknown kid', 'identity_token_key_unknown', { header: { kid: 'other' } }],
  ['sub missing', 'identity_token_subject', { claims: { sub: undefined } }],
  ['sub of another scheme', 'identity_token_subject', { claims: { sub: 'https://example.org/agent/a' } }],
  ['sub that is a trust domain', 'identity_token_subject', { claims: { sub: 'spiffe://example.org' } }],
  ['sub in upper case', 'identity_token_subject', { claims: { sub: 'spiffe://Example.org/agent/a' } }],
  ['B29: exp missing', 'identity_token_expired', { claims: { exp: undefined } }],
  ['expired', 'identity_token_expired', { claims: { iat: now / 1000 - 600, exp: now / 1000 - 300 } }],
  ['nbf to come', 'identity_token_not_yet_valid', { claims: { nbf: now / 1000 + 60 } }],
  ['a life of a day', 'identity_token_lifetime', { claims: { exp: now / 1000 + 86_400 } }],
  ['B29: aud missing', 'identity_token_audience', { claims: { aud: undefined } }],
  ['B29: aud of another', 'identity_token_audience', { claims: { aud: ['other'] } }],
  ['B29: aud empty', 'identity_token_audience', { claims: { aud: '' } }],
  ['bound to a DPoP key', 'identity_token_bound', { claims: { cnf: { jkt: 'abc' } } }],
  ['signed by a stranger', 'identity_token_signature', { signWith: makeKey() }],
  [
    'B28: signed by an X.509 authority, by its kid',
    'identity_token_key_unknown',
    { header: { kid: 'x509-kid' }, signWith: x509 },
  ],
  ['B24: signed by the partner, same kid', 'identity_token_signature', { signWith: partner }],
];
for (const [what, expected, mutation] of mutations)
  test(`JWT-SVID, ${what}: ${expected}`, async () => assert.equal(await reason(svid(mutation)), expected));

test('B24: each trust domain speaks for itself only', async () => {
  assert.equal(await reason(svid({}, partner, 'spiffe://partner.test/agent/a')), 'good');
  assert.equal(await reason(svid({}, own, 'spiffe://partner.test/agent/a')), 'identity_token_signature');
});

test('a domain without keys verifies nothing, an unknown one is the refusal of the bundles', async () => {
  assert.equal(await reason(svid({}, own, 'spiffe://revoked.test/a')), 'identity_token_key_unknown');
  assert.equal(await reason(svid({}, own, 'spiffe://unknown.test/a')), 'identity_missing');
});

test('B29: a host without an audience accepts no token', async () => {
  assert.equal(await reason(svid({ claims: { aud: [''] } }), { audience: '' }), 'identity_token_audience');
  assert.equal(await reason(svid(), { audience: '' }), 'identity_token_audience');
});

test('a certificate-bound JWT-SVID passes beside its certificate only', async () => {
  const bound = svid({ claims: { cnf: { 'x5t#S256': 'abc' } } });
  assert.equal(await reason(bound, { certificateThumbprint: 'abc' }), 'good');
  assert.equal(await reason(bound, { certificateThumbprint: 'abd' }), 'identity_token_bound');
  assert.equal(await reason(bound), 'identity_token_bound');
});

test('S2: the thumbprint of a token does not depend on its signature', async () => {
  const [first, again] = [await verify(svid()), await verify(svid({ respell: otherSignature }))];
  assert.ok(!(first instanceof Refusal) && !(again instanceof Refusal));
  assert.equal(first.thumbprint, again.thumbprint);
});

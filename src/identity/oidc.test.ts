import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { JwksServer } from '../../test/support/jwks-server.ts';
import { jwk, type Mutation, makeKey, oidcToken } from '../../test/support/tokens.ts';
import { Refusal } from '../base/outcome.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { UnverifiedJws } from '../token/jws.ts';
import { standardAlgorithms } from '../token/jws-algorithms.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { KeySet } from '../token/key-set.ts';
import type { KeySource } from '../token/key-source.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { type OidcIssuer, verifyOidcToken } from './oidc.ts';

const now = Date.UTC(2026, 0, 1);
const ISS = 'https://cluster.example';
const SUB = 'system:serviceaccount:agents:billing';
const AUD = 'spiffe://example.org/payments';
const key = makeKey('ES256', 'k1');
const tokens = new TokenVerifier();
const set = KeySet.of([jwk(key, { use: 'sig' }) as JsonValue], 'jwks');

/** A source that holds these keys and counts how often it was asked for others. */
function sourceOf(keys: KeySet | TokenFault): KeySource & { asked: number } {
  return {
    asked: 0,
    current: () => keys,
    refreshSoon() {
      this.asked++;
    },
  };
}

async function verify(mutation: Mutation, issuer: Partial<OidcIssuer> = {}) {
  const token = UnverifiedJws.decodeUnverified(oidcToken({ key, now, iss: ISS, sub: SUB, aud: AUD }, mutation));
  assert.ok(token instanceof UnverifiedJws);
  return verifyOidcToken(
    token,
    { issuer: ISS, keys: sourceOf(set), algorithms: standardAlgorithms, maxLifetimeSeconds: 3600, ...issuer },
    { tokens, audience: AUD, now, certificateThumbprint: null },
  );
}

test('a good token proves issuer and subject', async () => {
  const verified = await verify({});
  assert.ok(!(verified instanceof Refusal));
  assert.deepEqual([verified.issuer, verified.subject, verified.claims.iss], [ISS, SUB, ISS]);
});

const mutations: readonly [string, string, Mutation][] = [
  ['another issuer', 'identity_token_issuer', { claims: { iss: 'https://cluster.example/' } }],
  ['no issuer', 'identity_token_issuer', { claims: { iss: undefined } }],
  ['no subject', 'identity_token_subject', { claims: { sub: undefined } }],
  ['an empty subject', 'identity_token_subject', { claims: { sub: '' } }],
  ['an access token', 'identity_token_type', { header: { typ: 'at+jwt' } }],
  ['another key', 'identity_token_signature', { signWith: makeKey() }],
  ['B29: no expiry', 'identity_token_expired', { claims: { exp: undefined } }],
  ['B29: another audience', 'identity_token_audience', { claims: { aud: ['other'] } }],
  ['a life of a day', 'identity_token_lifetime', { claims: { exp: now / 1000 + 86_400 } }],
  ['bound to a key', 'identity_token_bound', { claims: { cnf: { jkt: 'x' } } }],
];
for (const [what, expected, mutation] of mutations)
  test(`OIDC token, ${what}: ${expected}`, async () => {
    const refusal = await verify(mutation);
    assert.ok(refusal instanceof Refusal, 'the token was accepted');
    assert.equal(refusal.reason, expected, refusal.detail);
  });

test('the algorithms of the issuer hold', async () => {
  const refusal = await verify({}, { algorithms: ['RS256'] });
  assert.ok(refusal instanceof Refusal && refusal.reason === 'identity_token_algorithm');
});

test('keys that are stale refuse', async () => {
  const refusal = await verify({}, { keys: sourceOf(new TokenFault('keys_stale', 'too old')) });
  assert.ok(refusal instanceof Refusal && refusal.reason === 'identity_token_keys_stale');
});

test('B33: an unknown kid asks the source for news, a bad signature does not', async () => {
  const keys = sourceOf(set);
  await verify({ signWith: makeKey() }, { keys });
  assert.equal(keys.asked, 0);
  const refusal = await verify({ header: { kid: 'new' } }, { keys });
  assert.ok(refusal instanceof Refusal && refusal.reason === 'identity_token_key_unknown');
  assert.equal(keys.asked, 1);
});

test('B31: no address in a token is ever asked', async () => {
  const listener = await JwksServer.start();
  after(() => listener.stop());
  listener.serve('/keys', { keys: [jwk(key)] });
  const url = `${listener.url}/keys`;
  const read = (mutation: Mutation) =>
    UnverifiedJws.decodeUnverified(oidcToken({ key, now, iss: ISS, sub: SUB, aud: AUD }, mutation));
  for (const header of [{ jku: url }, { x5u: url }, { jku: url, kid: 'k2' }]) {
    const fault = read({ header });
    assert.ok(fault instanceof TokenFault && fault.kind === 'malformed');
  }
  for (const mutation of [{ header: { kid: url } }, { claims: { iss: listener.url } }])
    assert.ok((await verify(mutation)) instanceof Refusal);
  assert.deepEqual(listener.requests, []);
});

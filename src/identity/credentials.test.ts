import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwtSvid, makeKey, oidcToken } from '../../test/support/tokens.ts';
import { Refusal } from '../base/outcome.ts';
import type { Headers } from '../http/input.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { credentialReader } from './credentials.ts';

const now = Date.UTC(2026, 0, 1);
const key = makeKey();
const issuers = new Set(['https://cluster.example']);
const svid = jwtSvid({ key, now, sub: 'spiffe://example.org/a', aud: 'x' });
const configured = oidcToken({ key, now, iss: 'https://cluster.example', sub: 's', aud: 'x' });
const foreign = oidcToken({ key, now, iss: 'https://users.example', sub: 'alice', aud: 'x' });

const headers = (...values: string[]): Headers => ({
  all: (name) => (name === 'authorization' ? values : []),
  names: ['authorization'],
  unclean: new Set(),
});

const readCredentials = credentialReader({ tokens: new TokenVerifier(), issuers, keyHeader: null });

function read(authorization: 'ours' | 'app', ...values: string[]): string {
  const { authorization: result } = readCredentials(headers(...values), { authorization });
  if (result === null) return 'nobody';
  if (result instanceof Refusal) return result.reason;
  return `${result.scheme} of ${result.issuer ?? 'a SPIFFE ID'}`;
}

test('what is ours is ours on any host: a configured issuer first, then a SPIFFE ID', () => {
  const both = jwtSvid(
    { key, now, sub: 'spiffe://example.org/a', aud: 'x' },
    { claims: { iss: 'https://cluster.example' } },
  );
  for (const host of ['ours', 'app'] as const) {
    assert.equal(read(host, `Bearer ${svid}`), 'bearer of a SPIFFE ID');
    assert.equal(read(host, `Bearer   ${svid}`), 'bearer of a SPIFFE ID');
    assert.equal(read(host, `Bearer ${configured}`), 'bearer of https://cluster.example');
    assert.equal(read(host, `Bearer ${both}`), 'bearer of https://cluster.example');
    assert.equal(read(host, `dpop ${configured}`), 'dpop of https://cluster.example');
    assert.equal(read(host), 'nobody');
  }
});

test('a sub that only looks like a SPIFFE ID is still ours to refuse', () => {
  const token = jwtSvid({ key, now, sub: 'spiffe://Example.org/a', aud: 'x' });
  assert.equal(read('app', `Bearer ${token}`), 'bearer of a SPIFFE ID');
});

test('an issuer that is not a string, or named like a property, is nobody', () => {
  for (const iss of [['https://cluster.example'], '__proto__', 7]) {
    const token = oidcToken({ key, now, iss: '', sub: 's', aud: 'x' }, { claims: { iss } });
    assert.equal(read('ours', `Bearer ${token}`), 'identity_token_issuer');
  }
});

const strangers: readonly [string, string, string][] = [
  ['a token of an unknown issuer', `Bearer ${foreign}`, 'identity_token_issuer'],
  ['an opaque token', 'Bearer abc', 'identity_token_malformed'],
  ['Basic', 'Basic dXNlcjpwYXNz', 'identity_token_malformed'],
  ['a scheme without a token', 'Bearer', 'identity_token_malformed'],
  ['an empty header', '', 'identity_token_malformed'],
  ['a space inside', `Bearer ${svid} x`, 'identity_token_malformed'],
  ['a tab', `Bearer\t${svid}`, 'identity_token_malformed'],
  ['two tokens in one header', `Bearer ${svid},Bearer ${svid}`, 'identity_token_malformed'],
  ['a token and more', `Bearer ${svid} x`, 'identity_token_malformed'],
  ['a bare token', svid, 'identity_token_malformed'],
  ['a padded token', `Bearer ${svid}==`, 'identity_token_malformed'],
  ['a replacement character', `Bearer ${svid}\ufffd`, 'identity_token_malformed'],
];
for (const [what, value, reason] of strangers)
  test(`${what}: refused where the header is ours, left alone where it is the app's`, () => {
    assert.equal(read('ours', value), reason);
    assert.equal(read('app', value), 'nobody');
  });

test('what the guard did not see is never read', () => {
  assert.throws(() => read('ours', `Bearer ${svid}`, `Bearer ${svid}`), /authorization was not guarded/);
  const unclean = { ...headers(`Bearer ${svid}`), unclean: new Set(['authorization']) };
  assert.throws(() => readCredentials(unclean, { authorization: 'ours' }), /authorization was not guarded/);
});

test('whatever stands in Authorization, a proof covers what follows the scheme', () => {
  const text = (value: string) => readCredentials(headers(value), { authorization: 'app' }).texts.authorization?.text;
  assert.equal(text(`Bearer   ${svid}`), svid);
  assert.equal(text('Basic dXNlcjpwYXNz'), 'dXNlcjpwYXNz');
  assert.equal(text('Digest  a="b", c="d" '), 'a="b", c="d"');
  assert.equal(text('Bearer'), 'Bearer');
  assert.equal(readCredentials({ ...headers(), all: () => [] }, { authorization: 'app' }).texts.authorization, null);
});

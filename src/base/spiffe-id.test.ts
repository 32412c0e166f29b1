import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from './outcome.ts';
import { SpiffeId, trustDomainFault } from './spiffe-id.ts';

const parse = (text: string): SpiffeId | null => {
  const id = SpiffeId.parse(text);
  if (id instanceof SpiffeId) return id;
  assert.equal(id.reason, 'identity_spiffe_id_malformed');
  return null;
};

test('an id gives its trust domain and its path', () => {
  const id = parse('spiffe://prod.example/ns/a_B-1.x');
  assert.deepEqual([id?.trustDomain, id?.path], ['prod.example', '/ns/a_B-1.x']);
  assert.equal(String(id), 'spiffe://prod.example/ns/a_B-1.x');
});

test('the id of a trust domain has an empty path', () => assert.equal(parse('spiffe://prod.example')?.path, ''));

const GOOD = 'spiffe://example.org/agent/a';
const spellings: [what: string, text: string][] = [
  ['an upper-case scheme', 'SPIFFE://example.org/agent/a'],
  ['an upper-case trust domain', 'spiffe://Example.org/agent/a'],
  ['a slash at the end', `${GOOD}/`],
  ['a slash alone', 'spiffe://example.org/'],
  ['an empty segment', 'spiffe://example.org//agent/a'],
  ['a dot segment', 'spiffe://example.org/agent/./a'],
  ['a double dot segment', 'spiffe://example.org/x/../agent/a'],
  ['a percent-encoded letter', 'spiffe://example.org/agent/%61'],
  ['a percent-encoded dot', 'spiffe://example%2eorg/agent/a'],
  ['a port', 'spiffe://example.org:443/agent/a'],
  ['userinfo', 'spiffe://example.org@evil.test/agent/a'],
  ['a query', `${GOOD}?x`],
  ['a fragment', `${GOOD}#x`],
  ['a leading space', ` ${GOOD}`],
  ['a newline at the end', `${GOOD}\n`],
  ['a NUL', `${GOOD}\0`],
  ['a letter beyond ASCII', 'spiffe://example.org/agent/\u0430'],
  ['a backslash', 'spiffe://example.org\\agent/a'],
  ['one slash before the trust domain', 'spiffe:/example.org/agent/a'],
  ['no trust domain', 'spiffe:///agent/a'],
  ['an IPv6 trust domain', 'spiffe://[::1]/agent/a'],
  ['another scheme', 'https://example.org/agent/a'],
  ['nothing', ''],
];
test('B25: one identity has one spelling', async (t) => {
  assert.ok(parse(GOOD));
  for (const [what, text] of spellings) await t.test(what, () => assert.equal(parse(text), null));
});

test('B25: a trust domain is compared whole', () => {
  assert.equal(parse('spiffe://example.org.evil.test/agent/a')?.trustDomain, 'example.org.evil.test');
});

test('every character is judged by itself', () => {
  const allowed = (chars: string) => new Set(chars);
  const lower = 'abcdefghijklmnopqrstuvwxyz0123456789.-_';
  const domain = allowed(lower);
  const path = allowed(`${lower}ABCDEFGHIJKLMNOPQRSTUVWXYZ`);
  for (let code = 0; code < 256; code++) {
    const char = String.fromCharCode(code);
    if (char === '/') continue;
    assert.equal(parse(`spiffe://a${char}b/x`) !== null, domain.has(char), `trust domain, ${code}`);
    assert.equal(parse(`spiffe://a/x${char}y`) !== null, path.has(char), `path, ${code}`);
  }
});

test('255 bytes of trust domain and 2048 bytes in all are the most', () => {
  assert.ok(parse(`spiffe://${'a'.repeat(255)}/x`));
  assert.equal(parse(`spiffe://${'a'.repeat(256)}/x`), null);
  const longest = `spiffe://a/${'x'.repeat(2048 - 11)}`;
  assert.ok(parse(longest));
  assert.equal(parse(`${longest}x`), null);
});

test('a trust domain by itself is named or has a fault', () => {
  assert.equal(trustDomainFault('prod.example'), null);
  for (const bad of ['', 'Prod.example', 'a/b', 'a'.repeat(256)]) assert.notEqual(trustDomainFault(bad), null);
});

test('an id cannot be changed', () => {
  const id = parse(GOOD);
  assert.throws(() => Object.assign(id as SpiffeId, { text: 'spiffe://example.org/agent/b' }), TypeError);
});

test('the refusal says what is wrong', () => {
  const refusal = SpiffeId.parse('spiffe://example.org/');
  assert.ok(refusal instanceof Refusal);
  assert.equal(refusal.detail, 'a path segment is empty');
});

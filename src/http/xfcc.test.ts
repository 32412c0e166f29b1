import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../base/outcome.ts';
import type { Forwarded, XfccElement } from './input.ts';
import { type ForwardMode, parseXfcc, selectHop } from './xfcc.ts';

const A = 'spiffe://example.org/agent/a';

function parse(...values: string[]): readonly XfccElement[] {
  const elements = parseXfcc(values);
  assert.ok(!(elements instanceof Refusal), elements instanceof Refusal ? elements.detail : '');
  return elements;
}

function refused(...values: string[]): string | null {
  const elements = parseXfcc(values);
  return elements instanceof Refusal ? elements.reason : null;
}

test('B16: a quoted Subject cannot supply pairs of its own', () => {
  const [element, ...more] = parse(`Hash=aa;Subject="O=x;URI=spiffe://example.org/admin,CN=y";URI=${A}`);
  assert.deepEqual(more, []);
  assert.equal(element?.uri, A);
  assert.equal(element?.subject, 'O=x;URI=spiffe://example.org/admin,CN=y');
  assert.equal(element?.hash, 'aa');
});

test('B16: a quote is valid only around a whole value', () => {
  const stray = [
    `Subject=x";URI=${A};DNS=";URI=spiffe://example.org/admin`,
    `Subject="x"y;URI=${A}`,
    `Subject="x"yURI=${A}`,
    `Subject="x;URI=${A}`,
    `Subject="x"";URI=${A}`,
    `URI=${A}"`,
    `"URI"=${A}`,
  ];
  for (const value of stray) assert.equal(refused(value), 'request_xfcc_malformed', value);
});

test('B16: an escaped quote belongs to the value, other backslashes stand for themselves', () => {
  const [element] = parse(`Subject="CN=\\"a\\";URI=b\\,c";URI=${A}`);
  assert.equal(element?.subject, 'CN="a";URI=b\\,c');
  assert.equal(element?.uri, A);
});

test('a quote behind two backslashes is read by nobody the same way', () => {
  assert.equal(refused(`Subject="CN=a\\\\";URI=${A}`), 'request_xfcc_malformed');
  assert.equal(refused(`Subject="CN=a\\\\\\"b";URI=${A}`), 'request_xfcc_malformed');
});

test('B16: keys are case-insensitive, B17: lower-case keys too', () => {
  for (const key of ['URI', 'uri', 'Uri']) assert.equal(parse(`${key}=${A}`)[0]?.uri, A);
  assert.equal(parse('HASH=aa;hAsH2=bb')[0]?.hash, 'aa');
  assert.equal(refused('Hash=aa;HASH=bb'), 'request_xfcc_malformed');
});

test('B17: a bare By with separators never lends a fragment as identity', () => {
  assert.equal(refused(`By=urn:a(x;None);URI=${A}`), 'request_xfcc_malformed');
  assert.equal(refused(`By=https://x/;URI=spiffe://example.org/admin;URI=${A}`), 'request_xfcc_malformed');
  assert.equal(refused(`By=https://x/?a=b;URI=${A}`), 'request_xfcc_malformed');
});

test('B17: two URIs in an element are refused, an empty one beside another too', () => {
  assert.equal(refused(`URI=${A};URI=spiffe://example.org/agent/b`), 'request_xfcc_malformed');
  assert.equal(refused(`URI=;URI=${A}`), 'request_xfcc_malformed');
  assert.equal(refused(`URI=${A};URI=${A}`), 'request_xfcc_malformed');
});

test('an empty URI is no identity, and an empty Cert no certificate', () => {
  const [element] = parse('Subject="";URI=;Cert="";Chain=;Hash=');
  assert.deepEqual(element, { by: [], hash: null, cert: null, chain: null, subject: '', uri: null, dns: [] });
});

test('Hash, Cert, Chain and Subject appear once; By and DNS may repeat', () => {
  for (const key of ['Hash', 'Cert', 'Chain', 'Subject']) {
    assert.equal(refused(`${key}=a;${key}=a`), 'request_xfcc_malformed', key);
  }
  const [element] = parse('By=spiffe://a/x;By=spiffe://a/y;DNS=a;DNS=b');
  assert.deepEqual(element?.by, ['spiffe://a/x', 'spiffe://a/y']);
  assert.deepEqual(element?.dns, ['a', 'b']);
});

test('a key of a newer Envoy is skipped', () => {
  assert.equal(parse(`Issuer="CN=ca;URI=x";URI=${A}`)[0]?.uri, A);
});

test('certificates stay as they are written', () => {
  const [element] = parse('Cert="-----BEGIN%20CERTIFICATE-----%0Aa%2Bb";Chain="x%3D"');
  assert.equal(element?.cert, '-----BEGIN%20CERTIFICATE-----%0Aa%2Bb');
  assert.equal(element?.chain, 'x%3D');
});

test('elements come in the order received, over several header lines too', () => {
  const uris = parse('URI=a,URI=b', 'URI=c').map(({ uri }) => uri);
  assert.deepEqual(uris, ['a', 'b', 'c']);
});

test('a quote does not reach over a header line', () => {
  assert.equal(refused('Subject="a', 'b"'), 'request_xfcc_malformed');
  assert.equal(parse('Subject="a,b"').length, 1);
});

test('what is not the grammar is refused', () => {
  const wrong = ['', ',', ';', 'URI=a,', ',URI=a', 'URI=a;', 'URI=a;;DNS=b', 'URI', '=a', ' URI=a', 'URI =a', 'U"R=a'];
  for (const value of [...wrong, 'URI=a, URI=b', 'URI=a\u0000', 'URI=a\ufffd', 'URI=a\nb', 'ＵRI=a']) {
    assert.equal(refused(value), 'request_xfcc_malformed', JSON.stringify(value));
  }
});

test('the JSON form has a reason of its own, wherever it stands', () => {
  for (const value of ['{"uri":"a"}', '[{"uri":"a"}]', '  [', `URI=${A},{"uri":"a"}`]) {
    assert.equal(refused(value), 'request_xfcc_json', value);
  }
  assert.equal(refused('URI=a', '[]'), 'request_xfcc_json');
});

test('bytes, elements and pairs are bounded', () => {
  const elements = (count: number) => Array.from({ length: count }, () => 'URI=a').join(',');
  assert.equal(parse(elements(16)).length, 16);
  assert.equal(refused(elements(17)), 'request_xfcc_malformed');
  assert.equal(refused(elements(9), elements(8)), 'request_xfcc_malformed');
  const pairs = (count: number) => Array.from({ length: count }, () => 'DNS=a').join(';');
  assert.equal(parse(pairs(64)).length, 1);
  assert.equal(refused(pairs(65)), 'request_xfcc_malformed');
  const long = `URI=${'a'.repeat(32 * 1024 - 4)}`;
  assert.equal(parse(long).length, 1);
  assert.equal(refused(`${long}a`), 'request_xfcc_malformed');
  assert.ok(!(parseXfcc([`${long}a`], 64 * 1024) instanceof Refusal));
});

function hop(header: string, mode: ForwardMode, at: number): Forwarded | Refusal {
  return selectHop(parse(header), { mode, hop: at });
}

test('B18: hops are counted from the right, never from the left', () => {
  const header = 'URI=spiffe://example.org/admin,URI=spiffe://example.org/a,URI=spiffe://example.org/gw';
  const at = (index: number) => {
    const found = hop(header, 'append-forward', index);
    return found instanceof Refusal ? found : [found.element?.uri ?? null, ...found.nearer.map(({ uri }) => uri)];
  };
  assert.deepEqual(at(0), ['spiffe://example.org/gw']);
  assert.deepEqual(at(1), ['spiffe://example.org/a', 'spiffe://example.org/gw']);
  assert.deepEqual(at(3), [null, 'spiffe://example.org/admin', 'spiffe://example.org/a', 'spiffe://example.org/gw']);
});

test('B18: more elements than the mode leaves were not written by this Envoy', () => {
  const only = hop('URI=a', 'sanitize-set', 0);
  assert.ok(!(only instanceof Refusal) && only.element !== null);
  for (const [header, mode] of [
    ['URI=a,URI=b', 'sanitize-set'],
    ['URI=a', 'sanitize'],
  ] as const) {
    const found = hop(header, mode, 0);
    assert.ok(found instanceof Refusal && found.reason === 'request_xfcc_mode', mode);
  }
  assert.ok(!(hop('URI=a,URI=b', 'append-forward', 1) instanceof Refusal));
});

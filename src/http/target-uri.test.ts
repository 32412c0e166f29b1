import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectedTargetUri, normalTargetUri } from './target-uri.ts';

const REQUEST = expectedTargetUri('https://api.example', '/v1/x');

for (const [htu, matches] of [
  ['https://API.example:443/v1/x', true],
  ['https://api.example/v1/x?y=1', true],
  ['https://api.example/v1/x#part', true],
  ['https://api.example/v1/x/', false],
  ['http://api.example/v1/x', false],
  ['https://api.example/v1/%78', true],
  ['HTTPS://api.example:/v1/x', true],
  ['https://api.example:00443/v1/x', true],
  ['https://api.example:8443/v1/x', false],
  ['https://api.example./v1/x', false],
  ['https://api.example.evil.test/v1/x', false],
  ['https://api.example@evil.test/v1/x', false],
  ['https://user@api.example/v1/x', false],
  ['https://api.example//v1/x', false],
  ['https://api.example/v1%2Fx', false],
  ['https://api.example/V1/x', false],
  ['https://api.example/v1/y/../x', false],
  ['https://api.example/v1/%2e/x', false],
  [' https://api.example/v1/x', false],
  ['https://api.example/v1/x\n', false],
  ['https:/api.example/v1/x', false],
  ['//api.example/v1/x', false],
  ['/v1/x', false],
  ['https://api.example\\v1/x', false],
  ['https://api.example/v1/%7', false],
  ['', false],
] as const) {
  test(`B37: htu ${JSON.stringify(htu)} ${matches ? 'is' : 'is not'} https://api.example/v1/x`, () => {
    assert.equal(normalTargetUri(htu) === REQUEST, matches);
  });
}

test('percent-encoding has one spelling, and only unreserved characters are decoded', () => {
  assert.equal(normalTargetUri('https://h/%e4%7E%2f%2F%41'), 'https://h/%E4~%2F%2FA');
});

test('an empty path is the root, an IPv6 host is a host, a port of http is left out', () => {
  assert.equal(normalTargetUri('https://h'), 'https://h/');
  assert.equal(normalTargetUri('http://[2001:DB8::1]:80/'), 'http://[2001:db8::1]/');
});

test('without a configured origin there is no target URI', () => {
  assert.equal(expectedTargetUri(null, '/v1/x'), null);
});

test('a path that can be read in two ways has no target URI', () => {
  for (const path of ['/a/../b', '/a b', '/a|b', '/a\u00e4'])
    assert.equal(expectedTargetUri('https://h', path), null, path);
});

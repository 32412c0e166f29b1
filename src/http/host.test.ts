import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../base/outcome.ts';
import { canonicalAddress, canonicalHost } from './host.ts';

test('B14: one host has one spelling', () => {
  for (const written of [
    'INTERNAL.example',
    'internal.example:443',
    'internal.example.',
    'internal.example.:443',
    'internal.example',
  ]) {
    assert.equal(canonicalHost(written, 'https'), 'internal.example', written);
  }
});

test('B14: userinfo and everything else that is no host is refused', () => {
  const wrong = [
    'user@internal.example',
    '',
    '.',
    'a..b',
    '.a',
    'internal.example..',
    'a b',
    'a/b',
    'a%2eb',
    'a\u0000',
    'internal.example:',
    'internal.example:0',
    'internal.example:65536',
    'internal.example:0443',
    'internal.example:443:443',
    'a,b',
    '*',
    'bücher.example',
    '\u212aelvin.example',
    '-a.example',
    'a-.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(126)}aa`,
    '[::1',
    '[::1]x',
    '::1',
    '[fe80::1%25eth0]',
    '[fe80::1%eth0]',
    '[127.0.0.1]',
    '[]',
  ];
  for (const written of wrong) {
    const read = canonicalHost(written, 'https');
    assert.ok(read instanceof Refusal && read.reason === 'request_host_malformed', written);
  }
});

test('a name of 253 characters is the longest', () => {
  const longest = `${'a.'.repeat(126)}a`;
  assert.equal(canonicalHost(longest, 'https'), longest);
});

test('only the default port of the scheme is dropped', () => {
  assert.equal(canonicalHost('a.example:80', 'http'), 'a.example');
  assert.equal(canonicalHost('a.example:443', 'http'), 'a.example:443');
  assert.equal(canonicalHost('a.example:80', 'https'), 'a.example:80');
  assert.equal(canonicalHost('a.example:443', ''), 'a.example:443');
  assert.equal(canonicalHost('a.example:65535', 'https'), 'a.example:65535');
  assert.equal(canonicalHost('192.168.99.100:31380', 'http'), '192.168.99.100:31380');
});

test('an IPv6 literal has one spelling', () => {
  assert.equal(canonicalHost('[2001:DB8:0:0::1]:8443', 'https'), '[2001:db8::1]:8443');
  assert.equal(canonicalHost('[::1]:443', 'https'), '[::1]');
});

test('an address is canonical, and unmapped', () => {
  assert.equal(canonicalAddress('10.0.0.9'), '10.0.0.9');
  assert.equal(canonicalAddress('::ffff:10.0.0.9'), '10.0.0.9');
  assert.equal(canonicalAddress('0:0:0:0:0:FFFF:0a00:0009'), '10.0.0.9');
  assert.equal(canonicalAddress('2001:DB8::0:1'), '2001:db8::1');
  for (const none of ['', 'a.example', '10.0.0', '010.0.0.1', '10.0.0.9:80', '[::1]', 'fe80::1%eth0', '/run/x.sock']) {
    assert.equal(canonicalAddress(none), null, none);
  }
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bundleDocument, newKeys, TestCa } from '../../test/support/ca.ts';
import { Fault } from '../base/fault.ts';
import { type BundleContent, TrustBundle } from './bundle.ts';
import { parseBundleFile, parseJwtAuthorities, parseX509Authorities } from './bundle-document.ts';

const NOW = Date.UTC(2026, 10, 25);
const DOMAIN = 'example.org';
const ca = TestCa.root(DOMAIN, { now: NOW });
const second = TestCa.root(DOMAIN, { now: NOW });
const jwtKey = { kid: 'j1', publicKey: newKeys('p256').publicKey };
const document = bundleDocument([ca], [jwtKey], { spiffe_sequence: 7, spiffe_refresh_hint: 60 });

const parse = (text: string | object) =>
  parseBundleFile(DOMAIN, typeof text === 'string' ? text : JSON.stringify(text));

function content(text: string | object): BundleContent {
  const got = parse(text);
  assert.ok(got !== null && !(got instanceof Fault), got instanceof Fault ? got.detail : 'withdrawn');
  return got;
}

function fault(text: string | object, detail: RegExp): void {
  const got = parse(text);
  assert.ok(got instanceof Fault, 'it was taken');
  assert.match(got.detail, detail);
}

/** The document with one key changed; index 0 is the X.509 authority, 1 the JWT authority. */
const withKey = (index: 0 | 1, change: object) => ({
  ...document,
  keys: document.keys.map((key, i) => (i === index ? { ...key, ...change } : key)),
});

describe('a SPIFFE bundle document', () => {
  test('gives roots and JWT keys apart, sequence and refresh hint', () => {
    const bundle = content(document);
    assert.deepEqual(
      bundle.x509Authorities.map((root) => root.thumbprint),
      [ca.certificate.thumbprint],
    );
    assert.deepEqual(
      bundle.jwtAuthorities.map(({ kid }) => kid),
      ['j1'],
    );
    assert.deepEqual([bundle.sequence, bundle.refreshSeconds, bundle.unreadable], [7n, 60, []]);
  });
  test('with an empty list of keys revokes everything', () => {
    const bundle = content({ keys: [] });
    assert.deepEqual([bundle.x509Authorities, bundle.jwtAuthorities], [[], []]);
  });
  test('states sequence numbers beyond 2^53 exactly', () => {
    const text = JSON.stringify(document).replace('"spiffe_sequence":7', '"spiffe_sequence":18446744073709551615');
    assert.equal(content(text).sequence, 18446744073709551615n);
  });
  test('need not state sequence or hint', () => {
    const bundle = content(bundleDocument([ca]));
    assert.deepEqual([bundle.sequence, bundle.refreshSeconds], [null, 300]);
  });

  test('B27: a refresh hint is held between 30 s and an hour', () => {
    const hints: [hint: number, seconds: number][] = [
      [31_536_000, 3600],
      [1e300, 3600],
      [3600, 3600],
      [30, 30],
      [29, 30],
      [0, 30],
      [-1, 30],
    ];
    for (const [hint, seconds] of hints) {
      assert.equal(content({ ...document, spiffe_refresh_hint: hint }).refreshSeconds, seconds, `${hint}`);
    }
  });

  test('B28: use decides what a key signs for', () => {
    const uses: [use: string | undefined, roots: number, jwt: number][] = [
      ['jwt-svid', 1, 1],
      ['sig', 1, 0],
      ['wit-svid', 1, 0],
      ['JWT-SVID', 1, 0],
      [undefined, 1, 0],
    ];
    for (const [use, roots, jwt] of uses) {
      const bundle = content(withKey(1, { use }));
      assert.deepEqual([bundle.x509Authorities.length, bundle.jwtAuthorities.length], [roots, jwt], use);
    }
  });
  test('B28: an X.509 authority is no JWT authority, even with a kid', () => {
    const bundle = content(withKey(0, { kid: 'x1' }));
    assert.deepEqual(
      bundle.jwtAuthorities.map(({ kid }) => kid),
      ['j1'],
    );
  });

  test('an x509-svid key without a certificate is ignored', () => {
    assert.equal(content(withKey(0, { x5c: undefined })).x509Authorities.length, 0);
  });
  test('a key of an unknown type is ignored', () => {
    assert.equal(content(withKey(1, { kty: 'AKP' })).jwtAuthorities.length, 0);
  });
  test('WIT authorities are kept apart from JWT authorities', () => {
    const bundle = content(withKey(1, { use: 'wit-svid' }));
    assert.deepEqual([bundle.jwtAuthorities.length, bundle.witAuthorities.map(({ kid }) => kid)], [0, ['j1']]);
  });
  test('integers beyond 2^53 in a key are read, and told apart by the revision', () => {
    const big = (digits: string) => JSON.stringify(withKey(1, { more: [1] })).replace('[1]', `[${digits}]`);
    const revisions = ['18446744073709551615', '18446744073709551616'].map(
      (digits) => new TrustBundle(DOMAIN, content(big(digits))).revision,
    );
    assert.notEqual(revisions[0], revisions[1]);
  });
  test('a weak JWT key is seen', () => {
    const weak = bundleDocument([], [{ kid: 'weak', publicKey: newKeys('rsa1024').publicKey }]);
    assert.match(content(weak).unreadable.join(), /weak.*1024 bits/);
  });

  const faults: [what: string, text: string | object, detail: RegExp][] = [
    ['not JSON', '{', /./],
    ['a member twice', JSON.stringify(document).replace('{', '{"keys":[],'), /repeated/],
    ['no keys', {}, /keys is no array/],
    ['keys that are no array', { keys: {} }, /keys is no array/],
    ['a key that is no object', { keys: ['x'] }, /no object/],
    ['more than 1024 keys', { keys: Array(1025).fill({}) }, /1024/],
    ['a private key', withKey(1, { d: 'x' }), /secret/],
    ['a secret in a key of an unknown type', { keys: [{ kty: 'oct', k: 'x' }] }, /secret/],
    ['a JWT key without a kid', withKey(1, { kid: undefined }), /no kid/],
    ['a JWT key with an empty kid', withKey(1, { kid: '' }), /no kid/],
    ['a JWT key with a number for a kid', withKey(1, { kid: 1 }), /no kid/],
    [
      'two certificates in one key',
      withKey(0, { x5c: [0, 1].map(() => Buffer.from(ca.certificate.der).toString('base64')) }),
      /exactly one/,
    ],
    ['no certificate in a list', withKey(0, { x5c: [] }), /exactly one/],
    ['a certificate that is no list', withKey(0, { x5c: 'x' }), /exactly one/],
    ['a certificate in base64url', withKey(0, { x5c: ['-_-_'] }), /canonical/],
    ['a certificate that is no text', withKey(0, { x5c: [1] }), /canonical/],
    [
      'the certificate of another key',
      withKey(0, { x5c: [Buffer.from(second.certificate.der).toString('base64')] }),
      /not the key of its certificate/,
    ],
    ['a key that cannot be read beside its certificate', withKey(0, { x: 'x' }), /not the key of its certificate/],
    ['no root that can be read', withKey(0, { x5c: ['AAAA'] }), /no root can be read/],
    ['a sequence that is negative', { ...document, spiffe_sequence: -1 }, /sequence/],
    ['a sequence with a fraction', { ...document, spiffe_sequence: 1.5 }, /sequence/],
    ['a sequence that is text', { ...document, spiffe_sequence: '1' }, /sequence/],
    ['a hint that is text', { ...document, spiffe_refresh_hint: '60' }, /hint/],
    ['both a bundle and a map', { ...document, trust_domains: {} }, /both/],
    ['a WIT key without a kid', withKey(1, { use: 'wit-svid', kid: undefined }), /wit-svid key has no kid/],
  ];
  for (const [what, text, detail] of faults) test(`${what} is refused`, () => fault(text, detail));
});

describe('a map of bundles', () => {
  test('gives the bundle of the trust domain', () => {
    const map = { trust_domains: { 'other.test': bundleDocument([second]), [DOMAIN]: document } };
    assert.deepEqual(
      content(map).x509Authorities.map((root) => root.thumbprint),
      [ca.certificate.thumbprint],
    );
  });
  test('without the trust domain has withdrawn it', () => assert.equal(parse({ trust_domains: {} }), null));
  test('is not spoilt by the bundle of another trust domain', () => {
    assert.equal(content({ trust_domains: { 'other.test': 1, [DOMAIN]: document } }).x509Authorities.length, 1);
  });
  test('with a trust domain twice is refused', () => {
    const one = JSON.stringify(document);
    fault(`{"trust_domains":{"${DOMAIN}":${one},"${DOMAIN}":${one}}}`, /repeated/);
  });
  test('that is no object is refused', () => fault({ trust_domains: [] }, /no object/));
  test('whose bundle is no object is refused', () => fault({ trust_domains: { [DOMAIN]: 'x' } }, /no object/));
  test('does not answer for names that every object has', () => {
    assert.equal(parseBundleFile('constructor', JSON.stringify({ trust_domains: {} })), null);
  });
});

describe('a PEM file', () => {
  const broken = ca.certificate.pem.replace(/\n[^\n]*\n-----END/, '\nAAAA\n-----END');

  test('gives each certificate', () => {
    const bundle = content(ca.certificate.pem + second.certificate.pem);
    assert.deepEqual(
      bundle.x509Authorities.map((root) => root.thumbprint),
      [ca, second].map((one) => one.certificate.thumbprint),
    );
    assert.equal(bundle.refreshSeconds, 300);
  });
  test('with a root that cannot be read keeps the others and shows it', () => {
    const bundle = content(broken + ca.certificate.pem);
    assert.equal(bundle.x509Authorities.length, 1);
    assert.match(bundle.unreadable.join(), /^root 1: /);
  });
  const faults: [what: string, text: string, detail: RegExp][] = [
    ['nothing', '', /no certificate/],
    ['no root that can be read', broken, /no root can be read: root 1: /],
    ['a private key', ca.certificate.pem + ca.certificate.pkcs8Pem, /no certificate/],
    ['a block that does not end', ca.certificate.pem.replace(/-----END.*/, ''), /does not end/],
  ];
  for (const [what, text, detail] of faults) test(`${what} is refused`, () => fault(text, detail));
});

describe('X.509 authorities of the Workload API', () => {
  const [one, two] = [ca.certificate.der, second.certificate.der];
  const read = (...parts: Uint8Array[]) => {
    const got = parseX509Authorities(Buffer.concat(parts));
    return got instanceof Fault ? got.detail : got.x509Authorities.map((root) => root.thumbprint);
  };
  test('stand one after another', () => {
    assert.deepEqual(read(one, two), [ca.certificate.thumbprint, second.certificate.thumbprint]);
  });
  test('keep the others when one cannot be read', () => {
    assert.deepEqual(read(Buffer.from('3000', 'hex'), two), [second.certificate.thumbprint]);
  });
  test('of no bytes are refused', () => assert.equal(read(), 'no certificates'));
  test('that end early are refused', () => assert.match(String(read(one, two.subarray(0, -1))), /ends early/));
  test('with something else between them are refused', () => {
    assert.match(String(read(one, Buffer.from('0500', 'hex'))), /is missing/);
  });
  test('are 1024 at most', () => {
    const filler = Array<Uint8Array>(1023).fill(Buffer.from('3000', 'hex'));
    assert.deepEqual(read(one, ...filler), [ca.certificate.thumbprint]);
    assert.match(String(read(one, two, ...filler)), /more than 1024/);
  });
});

describe('JWT authorities of the Workload API', () => {
  const stream = (change: object) => ({ keys: document.keys.slice(1).map((key) => ({ ...key, ...change })) });
  const kids = (text: object) => kidsOf(JSON.stringify(text));
  const kidsOf = (text: string) => {
    const got = parseJwtAuthorities(text);
    return got instanceof Fault ? got.detail : got.jwtAuthorities.map(({ kid, jwk }) => [kid, jwk.use]);
  };
  test('state no use, or their own', () => {
    assert.deepEqual(kids(stream({ use: undefined })), [['j1', 'jwt-svid']]);
    assert.deepEqual(kids(stream({})), [['j1', 'jwt-svid']]);
    assert.deepEqual(kids(stream({ use: 'x509-svid' })), []);
  });
  test('may be none', () => assert.deepEqual(kids({ keys: [] }), []));
  test('need a kid', () => assert.match(String(kids(stream({ kid: undefined }))), /no kid/));
  test('need a list of keys', () => assert.match(String(kids({})), /keys is no array/));
  test('need a document', () => assert.match(String(kidsOf('[]')), /not a JSON object/));
});

describe('the revision', () => {
  const revision = (text: string | object, domain = DOMAIN) => new TrustBundle(domain, content(text)).revision;

  test('is the same for the same authorities, whatever the order of members', () => {
    const shuffled = {
      ...document,
      keys: document.keys.map((key) => Object.fromEntries(Object.entries(key).reverse())),
    };
    assert.equal(revision(shuffled), revision(document));
    assert.equal(revision({ ...document, spiffe_sequence: 8 }), revision(document));
  });
  test('changes with each authority and with the trust domain', () => {
    const all = [
      revision(document),
      revision(document, 'other.test'),
      revision(bundleDocument([ca, second], [jwtKey])),
      revision(bundleDocument([second], [jwtKey])),
      revision(bundleDocument([ca])),
      revision(bundleDocument([ca], [{ ...jwtKey, kid: 'j2' }])),
      revision(bundleDocument([ca], [{ kid: 'j1', publicKey: newKeys('p256').publicKey }])),
    ];
    assert.equal(new Set(all).size, all.length);
  });
});

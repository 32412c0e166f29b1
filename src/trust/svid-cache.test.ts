import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TestCa, urlEncodedPem } from '../../test/support/ca.ts';
import { bundlesFor } from '../../test/support/x509-chains.ts';
import { Refusal } from '../base/outcome.ts';
import { BundleSnapshot } from './bundle.ts';
import { type CertificateText, SvidVerifier } from './svid-cache.ts';
import type { VerifiedSvid } from './x509-svid.ts';

const NOW = Date.UTC(2026, 10, 25);
const SECOND = 1000;
const ID = 'spiffe://example.org/agent/a';
const ca = TestCa.root('example.org', { now: NOW });
const bundles = bundlesFor('example.org', ca.certificate.pem, NOW);
const options = { maxLifetimeSeconds: 86_400 };
const only = (certificate: string): CertificateText => ({ certificate, chain: null });
const good = only(urlEncodedPem(ca.svid(ID)));
const reason = (got: VerifiedSvid | Refusal): string => (got instanceof Refusal ? got.reason : got.id.text);

test('the same text gives the same verified object', () => {
  const verifier = new SvidVerifier(options);
  const first = verifier.verify(good, bundles, NOW);
  assert.ok(!(first instanceof Refusal));
  assert.equal(verifier.verify(good, bundles, NOW), first);
  assert.equal(verifier.load.entries, 1);
});

test('what was refused is not remembered', () => {
  const verifier = new SvidVerifier(options);
  assert.equal(
    reason(verifier.verify(only(urlEncodedPem(ca.svid(ID, { ca: true }))), bundles, NOW)),
    'identity_svid_ca',
  );
  assert.equal(verifier.load.entries, 0);
});

describe('a remembered certificate', () => {
  const remembering = (text: CertificateText) => {
    const verifier = new SvidVerifier(options);
    assert.equal(reason(verifier.verify(text, bundles, NOW)), ID);
    return verifier;
  };

  test('is refused once it has expired, and before it begins', () => {
    const text = only(urlEncodedPem(ca.svid(ID, { notBefore: NOW, notAfter: NOW + SECOND })));
    const verifier = remembering(text);
    assert.equal(reason(verifier.verify(text, bundles, NOW + SECOND)), ID);
    assert.equal(reason(verifier.verify(text, bundles, NOW + 2 * SECOND)), 'identity_svid_expired');
    assert.equal(verifier.load.entries, 0);
    assert.equal(reason(remembering(text).verify(text, bundles, NOW - SECOND)), 'identity_svid_not_yet_valid');
  });
  test('is refused once an issuer of its path has expired', () => {
    const between = ca.intermediate('between', { notAfter: NOW + SECOND });
    const text = { certificate: urlEncodedPem(between.svid(ID)), chain: urlEncodedPem(between.certificate) };
    assert.equal(reason(remembering(text).verify(text, bundles, NOW + 2 * SECOND)), 'identity_svid_issuer_expired');
  });
  test('is refused once the bundle is stale', () => {
    const stale = new BundleSnapshot([{ ...bundles.domains[0]!, maxStaleMs: SECOND }]);
    assert.equal(reason(remembering(good).verify(good, stale, NOW + 2 * SECOND)), 'identity_bundle_stale');
  });
  test('is refused once its root has left the bundle', () => {
    const other = TestCa.root('example.org', { now: NOW });
    const rotated = bundlesFor('example.org', other.certificate.pem, NOW);
    const verifier = remembering(good);
    assert.equal(reason(verifier.verify(good, rotated, NOW)), 'identity_svid_signature');
    assert.equal(reason(verifier.verify(good, bundles, NOW)), ID);
  });
  test('is verified anew when another root joins the bundle', () => {
    const other = TestCa.root('example.org', { now: NOW });
    const joined = bundlesFor('example.org', ca.certificate.pem + other.certificate.pem, NOW);
    const verifier = remembering(good);
    const before = verifier.verify(good, bundles, NOW);
    const after = verifier.verify(good, joined, NOW);
    assert.equal(reason(after), ID);
    assert.notEqual(after, before);
  });
  test('is the same for another snapshot of the same bundle', () => {
    const again = bundlesFor('example.org', ca.certificate.pem, NOW);
    const verifier = remembering(good);
    assert.equal(verifier.verify(good, again, NOW), verifier.verify(good, bundles, NOW));
  });
});

test('the least recently used is forgotten first', () => {
  const verifier = new SvidVerifier({ ...options, limit: 2 });
  const texts = ['a', 'b', 'c'].map((one) => only(urlEncodedPem(ca.svid(`spiffe://example.org/${one}`))));
  const [a, b, c] = texts as [CertificateText, CertificateText, CertificateText];
  const first = verifier.verify(a, bundles, NOW);
  const second = verifier.verify(b, bundles, NOW);
  assert.equal(verifier.verify(a, bundles, NOW), first);
  verifier.verify(c, bundles, NOW);
  assert.equal(verifier.load.entries, 2);
  assert.equal(verifier.verify(a, bundles, NOW), first);
  assert.notEqual(verifier.verify(b, bundles, NOW), second);
});

describe('B23: the leaf and its chain', () => {
  const between = ca.intermediate();
  const leaf = between.svid(ID);
  const verify = (text: CertificateText) => reason(new SvidVerifier(options).verify(text, bundles, NOW));

  test('the leaf alone has no path', () => {
    assert.equal(verify(only(urlEncodedPem(leaf))), 'identity_svid_issuer_unknown');
  });
  test('the leaf with its chain, in any order', () => {
    const certificate = urlEncodedPem(leaf);
    assert.equal(verify({ certificate, chain: urlEncodedPem(leaf, between.certificate) }), ID);
    assert.equal(verify({ certificate, chain: urlEncodedPem(between.certificate, leaf) }), ID);
  });
  test('a chain alone has its leaf first', () => {
    assert.equal(verify({ certificate: null, chain: urlEncodedPem(leaf, between.certificate) }), ID);
    assert.equal(
      verify({ certificate: null, chain: urlEncodedPem(between.certificate, leaf) }),
      'identity_svid_uri_count',
    );
  });
  test('two certificates where one is the leaf', () => {
    assert.equal(verify(only(urlEncodedPem(leaf, between.certificate))), 'identity_svid_encoding');
  });
  test('neither', () => assert.equal(verify({ certificate: null, chain: null }), 'identity_missing'));
  test('text that is no certificate', () => {
    assert.equal(verify(only('x')), 'identity_svid_encoding');
    assert.equal(verify({ certificate: urlEncodedPem(leaf), chain: 'x' }), 'identity_svid_encoding');
    assert.equal(verify({ certificate: null, chain: 'x' }), 'identity_svid_encoding');
  });
});

test('a certificate with a chain is not taken for another pair of the same text', () => {
  const leaf = urlEncodedPem(ca.svid(ID));
  const verifier = new SvidVerifier(options);
  verifier.verify({ certificate: leaf, chain: leaf }, bundles, NOW);
  verifier.verify({ certificate: null, chain: leaf }, bundles, NOW);
  verifier.verify({ certificate: leaf, chain: null }, bundles, NOW);
  assert.equal(verifier.load.entries, 3);
});

describe('what callers can make grow is bounded', () => {
  /** Chains of one leaf that differ, each with its own order or number of the same certificates. */
  const between = ca.intermediate();
  const leaf = between.svid(ID);
  const others = Array.from({ length: 12 }, (_, at) => ca.intermediate(`other ${at}`).certificate);
  const chains = others.map(
    (other): CertificateText => ({
      certificate: urlEncodedPem(leaf),
      chain: urlEncodedPem(between.certificate, other),
    }),
  );

  test('chains of one leaf have a share, and displace one another alone', () => {
    const verifier = new SvidVerifier(options);
    const first = verifier.verify(good, bundles, NOW);
    for (const text of chains) assert.equal(reason(verifier.verify(text, bundles, NOW)), ID);
    assert.equal(verifier.load.entries, 5);
    assert.equal(verifier.verify(good, bundles, NOW), first);
    const last = verifier.verify(chains.at(-1)!, bundles, NOW);
    assert.equal(verifier.verify(chains.at(-1)!, bundles, NOW), last);
  });
  test('long SPIFFE IDs count by their length', () => {
    const verifier = new SvidVerifier({ ...options, limit: 4 });
    const long = (at: number) => `spiffe://example.org/${at}/${'x'.repeat(1900)}`;
    for (let at = 0; at < 4; at++) verifier.verify(only(urlEncodedPem(ca.svid(long(at)))), bundles, NOW);
    const { entries, bytes, byteLimit } = verifier.load;
    assert.ok(entries === 1 && bytes <= byteLimit, `${entries} entries, ${bytes} of ${byteLimit} bytes`);
  });
  test('bytes come back with what is forgotten', () => {
    const verifier = new SvidVerifier(options);
    const text = only(urlEncodedPem(ca.svid(ID, { notBefore: NOW, notAfter: NOW + SECOND })));
    for (const each of [text, good]) verifier.verify(each, bundles, NOW);
    const { bytes } = verifier.load;
    verifier.verify(text, bundles, NOW + 2 * SECOND);
    assert.equal(verifier.load.bytes, bytes / 2);
  });
  test('a limit of 0 remembers nothing', () => {
    const verifier = new SvidVerifier({ ...options, limit: 0 });
    assert.equal(reason(verifier.verify(good, bundles, NOW)), ID);
    assert.deepEqual(verifier.load, { entries: 0, limit: 0, bytes: 0, byteLimit: 0 });
  });
});

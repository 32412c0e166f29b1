import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CertificateParts, name, TestCa } from '../../test/support/ca.ts';
import * as der from '../../test/support/der.ts';
import { bundlesFor } from '../../test/support/x509-chains.ts';
import { Refusal } from '../base/outcome.ts';
import { Certificate } from '../x509/certificate.ts';
import { BundleSnapshot } from './bundle.ts';
import { type VerifiedSvid, verifyX509Svid, type X509SvidOptions } from './x509-svid.ts';

const NOW = Date.UTC(2026, 10, 25);
const SECOND = 1000;
const HOUR = 3600;
const ID = 'spiffe://example.org/agent/a';
const ca = TestCa.root('example.org', { now: NOW });
const bundles = bundlesFor('example.org', ca.certificate.pem, NOW);

function verify(
  leaf: Uint8Array,
  { intermediates = [], ...options }: Partial<X509SvidOptions> & { presented?: readonly Uint8Array[] } = {},
): VerifiedSvid | Refusal {
  const presented = { leaf, intermediates: options.presented ?? [] };
  return verifyX509Svid(presented, bundles, NOW, { maxLifetimeSeconds: 24 * HOUR, intermediates, ...options });
}

const reason = (got: VerifiedSvid | Refusal): string => (got instanceof Refusal ? got.reason : got.id.text);

test('a good SVID gives its id, thumbprint, times and path', () => {
  const leaf = ca.svid(ID, { notBefore: NOW, notAfter: NOW + SECOND });
  const svid = verify(leaf.der);
  assert.ok(!(svid instanceof Refusal));
  assert.equal(svid.id.text, ID);
  assert.equal(svid.thumbprint, leaf.thumbprint);
  assert.deepEqual([svid.notBefore, svid.notAfter], [NOW / SECOND, NOW / SECOND + 1]);
  assert.deepEqual([svid.pathNotBefore, svid.pathNotAfter], [NOW / SECOND, NOW / SECOND + 1]);
});

test('the path is valid no longer than each of its certificates', () => {
  const between = ca.intermediate('between', { notBefore: NOW - SECOND, notAfter: NOW + SECOND });
  const svid = verify(between.svid(ID).der, { presented: [between.certificate.der] });
  assert.ok(!(svid instanceof Refusal));
  assert.deepEqual([svid.pathNotBefore, svid.pathNotAfter], [NOW / SECOND - 1, NOW / SECOND + 1]);
});

describe('B22: leaf rules beyond the chain, each with its own reason', () => {
  const elsewhere = 'spiffe://example.org';
  const rules: [what: string, parts: CertificateParts, expected: string][] = [
    ['a good leaf', {}, ID],
    ['expired', { notAfter: NOW - SECOND }, 'identity_svid_expired'],
    ['not yet valid', { notBefore: NOW + SECOND }, 'identity_svid_not_yet_valid'],
    ['the CA flag', { ca: true }, 'identity_svid_ca'],
    ['without basic constraints', { ca: null }, ID],
    ['may sign certificates', { keyUsage: ['digitalSignature', 'keyCertSign'] }, 'identity_svid_key_usage'],
    ['may sign revocation lists', { keyUsage: ['digitalSignature', 'cRLSign'] }, 'identity_svid_key_usage'],
    ['may not sign', { keyUsage: ['keyEncipherment'] }, 'identity_svid_key_usage'],
    ['may encipher and agree keys', { keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] }, ID],
    ['without key usage', { keyUsage: null }, 'identity_svid_key_usage'],
    ['with key usage that is not critical', { keyUsageCritical: false }, 'identity_svid_key_usage'],
    ['the id of a trust domain', { uris: [elsewhere] }, 'identity_svid_without_path'],
    ['for servers only', { extendedKeyUsage: ['serverAuth'] }, 'identity_svid_extended_key_usage'],
    [
      'longer than the longest lifetime',
      { notBefore: NOW, notAfter: NOW + (24 * HOUR + 1) * SECOND },
      'identity_svid_lifetime',
    ],
    ['as long as the longest lifetime', { notBefore: NOW, notAfter: NOW + 24 * HOUR * SECOND }, ID],
    [
      'wrong key, same issuer name',
      { signWith: TestCa.root('x', { now: NOW }).certificate.keys.privateKey },
      'identity_svid_signature',
    ],
    ['an unknown issuer', { issuerDer: name('nobody') }, 'identity_svid_issuer_unknown'],
    ['a key that is too short', { keyType: 'rsa1024' }, 'identity_svid_algorithm'],
    ['not a certificate', { mutateTbs: () => der.nothing }, 'identity_svid_malformed'],
  ];
  for (const [what, parts, expected] of rules) {
    test(what, () => assert.equal(reason(verify(ca.svid(ID, parts).der)), expected));
  }
  test('signed by the key of another workload', () => {
    const workload = ca.intermediate('a', { ca: false, keyUsage: ['digitalSignature'], uris: [ID] });
    const leaf = workload.svid('spiffe://example.org/agent/b');
    assert.equal(reason(verify(leaf.der, { presented: [workload.certificate.der] })), 'identity_svid_issuer_invalid');
  });
});

describe('B20: exactly one URI name', () => {
  const count = 'identity_svid_uri_count';
  const rules: [what: string, parts: CertificateParts, expected: string][] = [
    ['one', {}, ID],
    ['none', { uris: [], dns: ['a.example'] }, count],
    ['two ids', { uris: [ID, 'spiffe://example.org/agent/b'] }, count],
    ['the same id twice', { uris: [ID, ID] }, count],
    ['another URI before the id', { uris: ['https://ca.example/x', ID] }, count],
    ['another URI alone', { uris: ['https://ca.example/x'] }, 'identity_spiffe_id_malformed'],
    ['beside names of other forms', { dns: ['a.example'], otherNames: [der.implicit(7, Buffer.alloc(4))] }, ID],
    ['an empty segment in the id', { uris: ['spiffe://example.org//a'] }, 'identity_spiffe_id_malformed'],
  ];
  for (const [what, parts, expected] of rules) {
    test(what, () => assert.equal(reason(verify(ca.svid(ID, parts).der)), expected));
  }
});

test('key usage need not be there when the configuration says so, but what it says counts', () => {
  const lenient = { requireKeyUsage: false };
  assert.equal(reason(verify(ca.svid(ID, { keyUsage: null }).der, lenient)), ID);
  assert.equal(reason(verify(ca.svid(ID, { keyUsageCritical: false }).der, lenient)), ID);
  const bad = ca.svid(ID, { keyUsage: ['digitalSignature', 'keyCertSign'] });
  assert.equal(reason(verify(bad.der, lenient)), 'identity_svid_key_usage');
});

test('B23: an intermediate may be presented or configured', () => {
  const between = ca.intermediate();
  const leaf = between.svid(ID).der;
  const configured = Certificate.parse(between.certificate.der);
  assert.ok(configured instanceof Certificate);
  assert.equal(reason(verify(leaf)), 'identity_svid_issuer_unknown');
  assert.equal(reason(verify(leaf, { presented: [between.certificate.der] })), ID);
  assert.equal(reason(verify(leaf, { intermediates: [configured] })), ID);
});

test('a presented certificate that cannot be read or is not needed is passed over', () => {
  const useless = ca.intermediate('useless', { ca: false });
  const presented = [Buffer.from('30', 'hex'), useless.certificate.der];
  assert.equal(reason(verify(ca.svid(ID).der, { presented })), ID);
});

test('a path that is not found says which presented certificates could not be read', () => {
  const got = verify(ca.intermediate().svid(ID).der, { presented: [Buffer.from('30', 'hex')] });
  assert.ok(got instanceof Refusal);
  assert.match(got.detail, /passed over as unreadable: the certificate ends early/);
  const alone = verify(ca.intermediate().svid(ID).der);
  assert.doesNotMatch((alone as Refusal).detail, /passed over/);
});

test('the leaf at the begin of a chain issues nothing', () => {
  const good = ca.svid(ID).der;
  assert.equal(reason(verify(good, { presented: [good] })), ID);
  const own = ca.svid(ID, { issuerDer: name('workload') }).der;
  assert.equal(reason(verify(own, { presented: [own] })), 'identity_svid_issuer_unknown');
});

test('16 intermediates are the most', () => {
  const presented = Array.from({ length: 16 }, () => ca.certificate.der);
  assert.equal(reason(verify(ca.svid(ID).der, { presented })), ID);
  assert.equal(
    reason(verify(ca.svid(ID).der, { presented: [...presented, ca.certificate.der] })),
    'identity_svid_path_budget',
  );
});

describe('B24: only the bundle of the trust domain itself counts', () => {
  const partner = TestCa.root('partner.test', { now: NOW });
  const states = (bundle: BundleSnapshot) => bundle.domains;
  const both = new BundleSnapshot([
    ...states(bundles),
    ...states(bundlesFor('partner.test', partner.certificate.pem, NOW)),
  ]);
  const judge = (leaf: Uint8Array) =>
    reason(verifyX509Svid({ leaf, intermediates: [] }, both, NOW, { maxLifetimeSeconds: HOUR * 2 }));

  test('each authority signs for its own domain', () => {
    assert.equal(judge(ca.svid(ID).der), ID);
    assert.equal(judge(partner.svid('spiffe://partner.test/a').der), 'spiffe://partner.test/a');
  });
  test('a federated authority signs for no other', () => {
    assert.equal(judge(partner.svid(ID).der), 'identity_svid_issuer_unknown');
    assert.equal(judge(ca.svid('spiffe://partner.test/a').der), 'identity_svid_issuer_unknown');
  });
  test('not even as a presented intermediate', () => {
    const presented = { leaf: partner.svid(ID).der, intermediates: [partner.certificate.der] };
    assert.equal(
      reason(verifyX509Svid(presented, both, NOW, { maxLifetimeSeconds: HOUR * 2 })),
      'identity_svid_issuer_unknown',
    );
  });
  test('a domain that is not configured', () => {
    assert.equal(judge(ca.svid('spiffe://nobody.test/a').der), 'identity_trust_domain_unknown');
  });
});

describe('the bundle', () => {
  const state = (more: object) => new BundleSnapshot([{ ...bundles.domains[0]!, ...more }]);
  const judge = (snapshot: BundleSnapshot, now = NOW) =>
    reason(
      verifyX509Svid({ leaf: ca.svid(ID).der, intermediates: [] }, snapshot, now, { maxLifetimeSeconds: 2 * HOUR }),
    );

  test('absent', () => assert.equal(judge(state({ bundle: null })), 'identity_bundle_absent'));
  test('never read', () => assert.equal(judge(state({ freshAt: null })), 'identity_bundle_absent'));
  test('stale', () => {
    assert.equal(judge(state({ maxStaleMs: 1000 }), NOW + 1000), ID);
    assert.equal(judge(state({ maxStaleMs: 1000 }), NOW + 1001), 'identity_bundle_stale');
  });
  test('empty: everything is revoked', () => {
    const empty = bundlesFor('example.org', JSON.stringify({ keys: [] }), NOW);
    assert.equal(judge(empty), 'identity_bundle_empty');
  });
});

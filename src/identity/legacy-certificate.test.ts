import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CertificateParts, type Issued, TestCa, urlEncodedPem } from '../../test/support/ca.ts';
import { inventoryOf } from '../../test/support/inventory.ts';
import { Refusal } from '../base/outcome.ts';
import type { Connection } from '../http/input.ts';
import { Certificate } from '../x509/certificate.ts';
import { LegacyCertificates } from './legacy-certificate.ts';

const ca = TestCa.root('accounts.example', { subject: 'accounts root', uris: [] });
const other = TestCa.root('accounts.example', { subject: 'other root', uris: [] });
const NOW = ca.now;
const HOUR = 3_600_000;

const ERP = 'spiffe://prod.example/legacy/erp';
const byName = { authority: 'accounts', dnsName: 'erp.accounts.example' };
const inventory = inventoryOf({
  workloads: [
    {
      id: ERP,
      owner: 'payments',
      kind: 'legacy',
      networks: ['10.2.0.0/16'],
      legacy: { hosts: ['payments.internal'], certificates: [byName] },
    },
  ],
  resources: [{ host: 'payments.internal' }],
});

function anchor({ certificate }: TestCa): Certificate {
  const read = Certificate.parse(certificate.der);
  assert.ok(read instanceof Certificate);
  return read;
}

const certificates = () =>
  new LegacyCertificates([
    { name: 'others', anchors: [anchor(other)] },
    { name: 'accounts', anchors: [anchor(ca)] },
  ]);

const erp = (parts: CertificateParts = {}, by: TestCa = ca) => by.issue({ dns: ['erp.accounts.example'], ...parts });

function verified(verifier: LegacyCertificates, leaf: Issued, now = NOW, chain: readonly Issued[] = []): string | null {
  const certificate = urlEncodedPem(leaf);
  const element = { chain: urlEncodedPem(leaf, ...chain) };
  const connection = {
    source: { address: '10.2.0.9', principal: '', certificate },
    forwarded: { element: chain.length === 0 ? null : element, nearer: [] },
  } as unknown as Connection;
  const result = verifier.verify(connection, { name: 'payments.internal' }, inventory, now, () => {});
  return result instanceof Refusal ? result.reason : (result?.id.text ?? null);
}

test('what was verified once is verified again when its path has ended', () => {
  const verifier = certificates();
  const leaf = erp();
  assert.equal(verified(verifier, leaf), ERP);
  assert.equal(verified(verifier, leaf, NOW + HOUR - 1000), ERP);
  assert.equal(verified(verifier, leaf, NOW + HOUR + 1000), 'identity_svid_expired');
  assert.equal(verified(verifier, leaf, NOW - HOUR), 'identity_svid_not_yet_valid');
  assert.equal(verified(verifier, leaf), ERP);
});

test('a path may lead over intermediates that the peer shows, and ends with the first of them', () => {
  const verifier = certificates();
  const middle = ca.intermediate('middle', { notAfter: NOW + HOUR / 2 });
  const leaf = erp({}, middle);
  assert.equal(verified(verifier, leaf), 'identity_svid_issuer_unknown');
  assert.equal(verified(verifier, leaf, NOW, middle.chain), ERP);
  assert.equal(verified(verifier, leaf, NOW + HOUR / 2 + 1000, middle.chain), 'identity_svid_issuer_expired');
});

test('a name counts with the authority that it is stated with', () => {
  assert.equal(verified(certificates(), erp()), ERP);
  assert.equal(verified(certificates(), erp({}, other)), 'identity_legacy_unknown');
});

test('what has any URI name is no certificate of an account', () => {
  assert.equal(verified(certificates(), erp({ uris: [ERP] })), null);
  assert.equal(verified(certificates(), erp({ uris: ['https://erp.accounts.example'] })), null);
});

test('without authorities nothing is read', () => {
  assert.equal(verified(new LegacyCertificates([]), erp()), null);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Issued, TestCa, urlEncodedPem } from '../../test/support/ca.ts';
import { received, requestOptions } from '../../test/support/check-request.ts';
import { inventoryOf, targetOf } from '../../test/support/inventory.ts';
import { bundlesFor } from '../../test/support/x509-chains.ts';
import { Refusal } from '../base/outcome.ts';
import { apiKeyDigest, newApiKey } from '../base/secrets/api-key.ts';
import { readRequest } from '../envoy/request.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { SvidVerifier } from '../trust/svid-cache.ts';
import { Certificate } from '../x509/certificate.ts';
import type { VerifiedCredential } from './caller.ts';
import { credentialReader } from './credentials.ts';
import { type IdentityRules, identify } from './identify.ts';
import { LegacyCertificates } from './legacy-certificate.ts';

const mesh = TestCa.root('prod.example');
const accounts = TestCa.root('accounts.example', { subject: 'accounts root', uris: [] });
const NOW = mesh.now;
const key = newApiKey();
const ERP = 'spiffe://prod.example/legacy/erp';
const LEDGER = 'spiffe://prod.example/ledger';
const created = new Date(NOW - 86_400_000).toISOString().replace(/\.\d+Z$/, 'Z');
const rotateBy = new Date(NOW + 30 * 86_400_000).toISOString().slice(0, 10);
const inventory = inventoryOf({
  workloads: [
    {
      id: ERP,
      owner: 'payments',
      kind: 'legacy',
      networks: ['10.2.0.0/16'],
      legacy: {
        hosts: ['payments.internal'],
        keys: [{ sha256: apiKeyDigest(key), created, rotateBy }],
        certificates: [{ authority: 'accounts', dnsName: 'erp.accounts.example' }],
      },
    },
    { id: LEDGER, owner: 'payments', kind: 'service', relay: false },
  ],
  resources: [{ host: 'payments.internal' }],
});

const anchor = Certificate.parse(accounts.certificate.der);
assert.ok(anchor instanceof Certificate);
const tokens = new TokenVerifier();
const bundles = bundlesFor('prod.example', mesh.certificate.pem, NOW);
const rules: IdentityRules = {
  verifier: new SvidVerifier({ maxLifetimeSeconds: 86_400 }),
  trustedProxies: new Set(),
  bundles: () => bundles,
  oidc: new Map(),
  tokens,
  maxTokenLifetimeSeconds: 3600,
  challenge: { resourceMetadata: false, dpopAlgorithms: null },
  unsafeTrustEnvoyValidation: false,
  legacyCertificates: new LegacyCertificates([{ name: 'accounts', anchors: [anchor] }]),
  waypoints: new Map(),
};
const readCredentials = credentialReader({ tokens, issuers: new Set(), keyHeader: 'x-api-key' });
const target = targetOf(inventory, 'GET payments.internal/');

/** Who calls by which credential, or the reason of the refusal; and of whom the record would tell. */
async function caller(shown: Issued | null, presented: string | null, over: Partial<IdentityRules> = {}) {
  const message = received({
    headers: presented === null ? {} : { 'x-api-key': presented },
    attributes: {
      source: {
        address: { socket_address: { address: '10.2.0.9', port_value: 40_000 } },
        certificate: shown === null ? '' : urlEncodedPem(shown),
      },
    },
  });
  const input = readRequest(message, { checkPeer: null }, requestOptions);
  assert.ok(!(input instanceof Refusal));
  const credentials = readCredentials(input.headers, target.resource.host);
  let told: VerifiedCredential | null = null;
  const found = await identify(input, credentials, target, inventory, { ...rules, ...over }, NOW, (one) => {
    told = one;
  });
  const said = found instanceof Refusal ? found.reason : `${found.credential} ${found.workload.id.text}`;
  const possession = !(found instanceof Refusal) && found.possession;
  return { said, possession, told: told as VerifiedCredential | null };
}

const erpCertificate = accounts.issue({ dns: ['erp.accounts.example'] });

test('an SVID proves possession; what an account shows proves none', async () => {
  for (const [shown, presented, said, possession] of [
    [mesh.svid(ERP), null, `x509-svid ${ERP}`, true],
    [erpCertificate, null, `legacy-certificate ${ERP}`, false],
    [null, key, `api-key ${ERP}`, false],
  ] as const) {
    const got = await caller(shown, presented);
    assert.deepEqual([got.said, got.possession], [said, possession]);
    assert.equal(got.told?.id?.text, ERP);
  }
});

test('of several credentials of one account the strongest counts, and is recorded', async () => {
  for (const [shown, credential] of [
    [mesh.svid(ERP), 'x509-svid'],
    [erpCertificate, 'legacy-certificate'],
  ] as const) {
    const got = await caller(shown, key);
    assert.equal(got.said, `${credential} ${ERP}`);
    assert.equal(got.told?.credential, credential);
  }
});

test('two that disagree refuse, and so does one that is not good', async () => {
  assert.equal((await caller(mesh.svid(LEDGER), null)).said, `x509-svid ${LEDGER}`);
  assert.equal((await caller(mesh.svid(LEDGER), key)).said, 'identity_conflict');
  assert.equal((await caller(mesh.svid(LEDGER), newApiKey())).said, 'identity_key_unknown');
  assert.equal((await caller(erpCertificate, newApiKey())).said, 'identity_key_unknown');
  assert.equal((await caller(accounts.issue({ dns: ['crm.accounts.example'] }), key)).said, 'identity_legacy_unknown');
});

test('no authority stands for the other', async () => {
  assert.equal((await caller(accounts.svid(ERP), null)).said, 'identity_svid_issuer_unknown');
  assert.equal((await caller(accounts.svid(ERP), key)).said, 'identity_svid_issuer_unknown');
  const byMesh = mesh.issue({ dns: ['erp.accounts.example'] });
  assert.equal((await caller(byMesh, null)).said, 'identity_svid_issuer_unknown');
  const named = accounts.issue({ dns: ['erp.accounts.example'], uris: [ERP, LEDGER] });
  assert.equal((await caller(named, null)).said, 'identity_svid_uri_count');
});

test('without authorities for accounts their certificates are no more than certificates without an id', async () => {
  assert.equal((await caller(erpCertificate, null, { legacyCertificates: null })).said, 'identity_svid_uri_count');
});

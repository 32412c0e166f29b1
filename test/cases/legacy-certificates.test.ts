import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type CertificateParts, type Issued, type TestCa, urlEncodedPem } from '../support/ca.ts';
import {
  apiKeys,
  CRM,
  ERP,
  HR,
  hexThumbprint,
  KEY_HEADER,
  legacyCa,
  legacyCertificates,
  otherLegacyCa,
} from '../support/legacy.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { type Answer, type Ask, World, workload } from '../support/world.ts';
import { bearer, EXPORT, GATEWAY, READER, svidToken } from '../support/world-asks.ts';
import { worlds } from '../support/world-kinds.ts';

let world: World;
before(async () => {
  world = await World.start(worlds.legacy);
});
after(() => world?.stop());

const erp = (svid: Issued = legacyCertificates.erp, over: Partial<Ask> = {}): Ask => ({ svid, path: EXPORT, ...over });
const hr = (svid: Issued = legacyCertificates.hr, over: Partial<Ask> = {}): Ask => ({
  svid,
  path: '/api/status',
  address: '10.4.0.9',
  ...over,
});
/** A certificate like that of HR, with one thing changed. */
const hrLike = (parts: CertificateParts = {}, ca: TestCa = legacyCa): Issued =>
  ca.issue({ subject: 'hr', dns: ['hr.legacy.example'], ...parts });

async function allowed(ask: Ask): Promise<Answer> {
  const answer = await world.send(ask);
  assert.equal(answer.reason, 'permitted', answer.line);
  return answer;
}

async function refused(reason: string, ask: Ask): Promise<void> {
  assert.equal((await world.send(ask)).reason, reason);
}

suite('a certificate of a legacy account', () => {
  test('names its account by its digest, or by its authority and a DNS name', async () => {
    for (const [ask, id] of [
      [erp(), ERP],
      [hr(), HR],
      [hr(hrLike()), HR],
      [hr(hrLike({ dns: ['other.example', 'HR.legacy.example'] })), HR],
    ] as const) {
      const { audit } = await allowed(ask);
      const caller = audit.caller as Record<string, unknown>;
      assert.deepEqual([caller.id, caller.kind, caller.credential], [id, 'legacy', 'legacy-certificate']);
      assert.equal(caller.fingerprint, `sha256:${hexThumbprint(ask.svid!)}`);
      await allowed(ask);
    }
  });

  test('is good at the hosts and from the networks of its account', async () => {
    await refused('identity_legacy_network', erp(undefined, { address: '10.3.0.9' }));
    const spoofed = { 'x-forwarded-for': '10.2.0.9' };
    await refused('identity_legacy_network', erp(undefined, { address: '10.3.0.9', headers: spoofed }));
    const elsewhere = { host: 'rates.partner.example', path: '/', route: { host: 'rates.partner.example' } };
    await refused('identity_legacy_host', erp(undefined, elsewhere));
  });

  test('is as old as its certificate says, and the guardrail on rotation stops it', async () => {
    const days = (count: number) => legacyCa.now - count * 86_400_000;
    await allowed(hr(hrLike({ notBefore: days(89), notAfter: legacyCa.now + 3_600_000 })));
    await refused('policy_forbidden', hr(hrLike({ notBefore: days(91), notAfter: legacyCa.now + 3_600_000 })));
  });

  test('carries no task, and opens nothing confidential', async () => {
    const txn = new TaskIssuer('prod.example', world.keys).txnToken({ workload: ERP });
    await refused('task_unbound', erp(undefined, { headers: { 'txn-token': txn } }));
    const { audit } = await world.send(erp(undefined, { path: '/api/invoices/42' }));
    assert.match(String(audit.detail), /bearers-stay-below-confidential/);
  });

  test('beside a key or a principal says the same, or refuses', async () => {
    await allowed(erp(undefined, { headers: { [KEY_HEADER]: apiKeys.erp } }));
    await refused('identity_conflict', erp(undefined, { headers: bearer(svidToken(world, READER)) }));
    await allowed(erp(undefined, { principal: 'CN=erp' }));
    await refused('identity_principal_mismatch', erp(undefined, { principal: workload(READER) }));
  });
});

suite('what is no certificate of a legacy account', () => {
  test('one of another authority, or of none', async () => {
    await allowed(hr(hrLike()));
    await refused('identity_legacy_unknown', hr(hrLike({}, otherLegacyCa)));
    await refused('identity_svid_issuer_unknown', hr(hrLike({}, world.keys.ca)));
    await refused('identity_svid_issuer_unknown', hr(hrLike({}, world.keys.partnerCa)));
    await refused('identity_svid_signature', hr(hrLike({ signWith: otherLegacyCa.certificate.keys.privateKey })));
  });

  test('one with a wildcard, another name, no use for clients, or out of its time', async () => {
    await refused('identity_legacy_unknown', hr(hrLike({ dns: ['*.legacy.example'] })));
    await refused('identity_legacy_unknown', hr(hrLike({ dns: ['hr.legacy.example.evil.example'] })));
    await refused('identity_legacy_unknown', hr(legacyCa.issue({ subject: 'hr.legacy.example' })));
    await refused('identity_svid_extended_key_usage', hr(hrLike({ extendedKeyUsage: ['serverAuth'] })));
    const now = legacyCa.now;
    await refused('identity_svid_expired', hr(hrLike({ notBefore: now - 7_200_000, notAfter: now - 3_600_000 })));
    await refused('identity_svid_ca', hr(hrLike({ ca: true, keyUsage: ['keyCertSign'] })));
  });

  test('a SPIFFE ID that an authority of accounts signed, be a name of an account beside it', async () => {
    const erpId = { uris: [ERP] };
    await allowed({ svid: world.svid('/legacy/erp'), path: EXPORT });
    await refused('identity_svid_issuer_unknown', erp(legacyCa.issue(erpId)));
    await refused('identity_svid_issuer_unknown', hr(hrLike({ uris: [workload(READER)] })));
    await refused('identity_svid_uri_count', hr(hrLike({ uris: [HR, ERP] })));
    await refused('identity_spiffe_id_malformed', hr(hrLike({ uris: ['https://hr.legacy.example'] })));
  });

  test('one that a trusted proxy forwards', async () => {
    const gateway = world.svid(GATEWAY);
    const element = `Cert="${urlEncodedPem(legacyCertificates.erp)}"`;
    await refused('identity_svid_uri_count', {
      svid: gateway,
      path: EXPORT,
      headers: { 'x-forwarded-client-cert': element },
    });
  });

  test('one that two accounts share', async () => {
    await allowed(hr(hrLike()));
    const both = hrLike({ dns: ['hr.legacy.example', 'crm.legacy.example'] });
    const { reason, audit } = await world.send(hr(both));
    assert.equal(reason, 'identity_conflict');
    assert.match(String(audit.detail), new RegExp(`${HR} and of ${CRM}`));
  });
});

test('without authorities for accounts no certificate without a SPIFFE ID is one', async () => {
  const { prepare } = worlds.legacy;
  const off = await World.start({ prepare });
  try {
    assert.equal((await off.send(erp())).reason, 'identity_svid_uri_count');
  } finally {
    await off.stop();
  }
});

test('a file that holds no authority is said at the start', async () => {
  const { edit, prepare } = worlds.legacy;
  const wrong = (folder: string) => {
    prepare(folder);
    writeFileSync(join(folder, 'erp-ca.pem'), legacyCertificates.erp.pem);
  };
  await assert.rejects(World.start({ edit, prepare: wrong }), /erp-ca\.pem: holds a certificate that is no authority/);
});

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answer, ask, type Shown } from '../support/client.ts';
import type { Envoy } from '../support/envoy.ts';
import { PAYMENTS } from '../support/estate.ts';
import { runDocumented } from '../support/spire-docs.ts';
import { acceptAnyCertificate, PARTNER, SpireEstate } from '../support/spire-estate.ts';
import { SpireWorkload } from '../support/spire-workload.ts';
import { until } from '../support/until.ts';

/** Two live SPIRE trust domains; Envoy takes its certificates by SDS, the sidecar bundles and its SVID by the Workload API. */

const LEDGER = 'spiffe://prod.example/ns/payments/sa/ledger';
const AUDIENCE = 'spiffe://prod.example/ns/payments/sa/api';

interface TrustDomainStatus {
  readonly name: string;
  readonly state: string;
  readonly x509Authorities: number;
  readonly jwtAuthorities: number;
}

describe('SPIRE, two trust domains', () => {
  let estate: SpireEstate;
  /** Lets every certificate through, so that the sidecar alone refuses. */
  let openEnvoy: Envoy;
  let ledger: Shown;
  let partner: SpireWorkload;

  const get = (envoy: Envoy, svid: Shown | null, path: string, headers = {}): Promise<Answer> =>
    ask({ port: envoy.port, svid, host: PAYMENTS, path, headers });

  async function trustDomain(name: string): Promise<TrustDomainStatus> {
    const status = (await (await estate.sidecar.status('/status')).json()) as { trustDomains: TrustDomainStatus[] };
    return status.trustDomains.find((domain) => domain.name === name)!;
  }

  before(async () => {
    estate = await SpireEstate.start({ partner: true });
    openEnvoy = await estate.otherEnvoy(acceptAnyCertificate);
    ledger = await estate.ledger.svid();
    partner = await SpireWorkload.at(estate.partner!, PARTNER);
    await estate.partner!.entry(PARTNER, [partner.selector]);
  });
  after(() => estate?.stop());

  test('a workload of our trust domain is allowed, and the audit names it and the Envoy that asked', async () => {
    const answer = await get(estate.envoy, ledger, '/api/invoices/42');
    assert.equal(answer.status, 200, answer.body);
    const line = estate.sidecar.audit().findLast(({ result }) => result === 'allow')!;
    assert.equal(line.caller?.id, LEDGER);
    assert.equal((line.request as { peer: string }).peer, 'spiffe://prod.example/ns/payments/sa/envoy');
  });

  test('the partner is refused before federation, by Envoy and by the sidecar', async () => {
    const svid = await partner.svid();
    await assert.rejects(get(estate.envoy, svid, '/api/status'));
    const { status, reason } = await get(openEnvoy, svid, '/api/status');
    assert.deepEqual([status, reason], [403, 'identity_bundle_absent']);
    assert.equal((await trustDomain('partner.example')).state, 'absent');
  });

  test('after federation the partner is allowed what is permitted to it, and no more', async () => {
    await estate.federate();
    await until('the bundle', async () => ((await trustDomain('partner.example')).state === 'fresh' ? true : null));
    const svid = await partner.svid();
    const answer = await until('an allow', async () => {
      const got = await get(estate.envoy, svid, '/api/status').catch(() => null);
      return got?.status === 200 ? got : null;
    });
    assert.equal(answer.reason, null);
    const beyond = await get(estate.envoy, svid, '/api/invoices/42');
    assert.equal(beyond.status, 403);
    assert.match(beyond.reason ?? '', /^policy_/);
  });

  test('a certificate of the partner that claims an id of ours is refused, by Envoy and by the sidecar', async () => {
    const forged = estate.partnerRoot.svid(LEDGER);
    await assert.rejects(get(estate.envoy, forged, '/api/invoices/42'));
    const { status, reason } = await get(openEnvoy, forged, '/api/invoices/42');
    assert.deepEqual([status, reason], [403, 'identity_svid_issuer_unknown']);
    assert.equal((await get(openEnvoy, ledger, '/api/invoices/42')).status, 200);
  });

  test('B26: a JWT-SVID of a key that is present is allowed, and of one that was withdrawn refused', async (t) => {
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const token = await estate.ledger.jwt(AUDIENCE);
    const allowed = await get(openEnvoy, null, '/api/status', bearer(token));
    assert.equal(allowed.status, 200, allowed.body);

    const { spire, dir } = estate;
    const keys = (await trustDomain('prod.example')).jwtAuthorities;
    await runDocumented('prepare', spire, dir, { KIND: 'jwt' });
    await until('the new key', async () => ((await trustDomain('prod.example')).jwtAuthorities > keys ? true : null));
    await runDocumented('activate', spire, dir, { KIND: 'jwt' });
    const next = await until('a token of the new key', async () => {
      const fresh = await estate.ledger.jwt(AUDIENCE);
      return kidOf(fresh) === kidOf(token) ? null : fresh;
    });
    assert.equal((await get(openEnvoy, null, '/api/status', bearer(next))).status, 200);
    assert.equal((await get(openEnvoy, null, '/api/status', bearer(token))).status, 200);

    await runDocumented('revoke', spire, dir, { KIND: 'jwt' });
    const start = performance.now();
    const refused = await until('the refusal', async () => {
      const got = await get(openEnvoy, null, '/api/status', bearer(token));
      return got.status === 200 ? null : got;
    });
    t.diagnostic(`refused ${Math.round(performance.now() - start)} ms after the server had revoked the key`);
    assert.equal(refused.reason, 'identity_token_key_unknown');
    assert.equal((await get(openEnvoy, null, '/api/status', bearer(next))).status, 200);
  });
});

const kidOf = (token: string): unknown =>
  (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: unknown }).kid;

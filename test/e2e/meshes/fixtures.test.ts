import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page } from '../../docs/markdown.ts';
import { type Issued, pemBundle, TestCa } from '../../support/ca.ts';
import { type Ask, ask } from '../../support/client.ts';
import { type Envoy, runEnvoy, writeEnvoyCerts } from '../../support/envoy.ts';
import { PAYMENTS, SidecarEstate, workload } from '../../support/estate.ts';
import { type FixtureName, fixtureNames, inputDigest, type Json, readFixture } from '../../support/meshes/fixtures.ts';
import { type MeshName, meshes, placeFixture } from '../../support/meshes/place.ts';
import { freePort } from '../../support/ports.ts';
import { startUpstream, type Upstream } from '../../support/upstream.ts';

/** The real Envoy on what Istio and Envoy Gateway make of the files of their pages. */

const LEDGER = '/ns/payments/sa/ledger';
const INVOICE = '/api/invoices/42';

for (const name of fixtureNames)
  test(`the fixture ${name} is of the page as it stands; else: npm run tools -- meshes`, () => {
    assert.equal(readFixture(name).of, inputDigest(name));
  });

for (const mesh of Object.keys(meshes) as MeshName[])
  describe(`Envoy as ${mesh} configures it`, () => {
    let estate: SidecarEstate;
    let upstream: Upstream;
    let issuing: TestCa;
    const started: Envoy[] = [];

    /** The sidecar's configuration of the page. */
    const documented = parse(
      blocks(page(`docs/${mesh}.md`).text).find(({ info }) => info === 'yaml sidecar')!.text,
    ) as Json & { identity: { forwarded: Json; trustDomains: Record<string, Json> } };
    const start = async (name: FixtureName): Promise<Envoy> => {
      const dir = mkdtempSync(join(estate.dir, 'envoy-'));
      writeEnvoyCerts(dir, estate.svid('/ns/payments/sa/api', { dns: [PAYMENTS] }), pemBundle(estate.ca));
      const [port, { check }] = [await freePort(), estate.sidecar];
      const envoy = await runEnvoy(dir, placeFixture(name, mesh, { port, upstream: upstream.port, check }));
      started.push(envoy);
      return envoy;
    };
    const get = (envoy: Envoy, svid: Issued, more: Partial<Ask> = {}) =>
      ask({ port: envoy.port, svid, host: PAYMENTS, path: INVOICE, ...more });
    let good: Envoy;
    let bare: Envoy;

    before(async () => {
      estate = await SidecarEstate.start({
        prepare: () => {
          const { listen: _, policy: _policy, ...config } = documented;
          const { bundle: _bundle, ...domain } = config.identity.trustDomains['prod.example']!;
          const trustDomains = { 'prod.example': { ...domain, bundle: { file: './bundle.json' } } };
          return { ...config, identity: { ...config.identity, trustDomains } };
        },
      });
      upstream = await startUpstream();
      issuing = estate.ca.intermediate('istio-ca', { uris: ['spiffe://prod.example'] });
      good = await start(mesh);
      bare = await start(`${mesh}-bare`);
      await good.clusterHealth(meshes[mesh].authz, true);
    });
    after(async () => {
      for (const envoy of started) await envoy.stop();
      await upstream?.close();
      await estate?.stop();
    });

    test('a caller is proven by its certificate, and without the patch of the page nobody is', async () => {
      const svid = estate.svid(LEDGER);
      const answer = await get(good, svid);
      assert.equal(answer.status, 200, answer.body);
      const { caller } = estate.sidecar.audit().findLast(({ result }) => result === 'allow')!;
      assert.deepEqual([caller?.id, (caller as { credential?: string }).credential], [workload(LEDGER), 'x509-svid']);
      assert.equal((await get(bare, svid)).reason, 'identity_certificate_missing');
    });

    test('a stranger is refused, and so is a certificate of another authority', async () => {
      assert.equal((await get(good, estate.svid('/ns/payments/sa/nobody'))).reason, 'caller_unregistered');
      await assert.rejects(get(good, TestCa.root('prod.example').svid(workload(LEDGER))));
    });

    test('a certificate under an intermediate, as plugged-in CAs issue it, is accepted', async () => {
      const svid = issuing.svid(workload(LEDGER), {
        subject: '',
        notBefore: issuing.now - 120_000,
        notAfter: issuing.now + 86_400_000,
        keyUsage: ['digitalSignature', 'keyEncipherment'],
      });
      const answer = await get(good, svid, { chain: issuing.chain });
      assert.equal(answer.status, 200, answer.body);
    });

    test('a header that a client forges about itself counts for nothing, and other hosts are refused', async () => {
      const forged = { 'x-forwarded-client-cert': `By=${workload('/a')};URI=${workload(LEDGER)}` };
      const stranger = estate.svid('/ns/payments/sa/nobody');
      assert.equal((await get(good, stranger, { headers: forged })).reason, 'caller_unregistered');
      assert.equal((await get(good, estate.svid(LEDGER), { headers: forged })).status, 200);
      assert.notEqual((await get(good, estate.svid(LEDGER), { host: 'other.internal' })).status, 200);
    });

    test('headers of ours do not come through, underscores and escaped slashes are refused', async () => {
      const svid = estate.svid(LEDGER);
      await get(good, svid, { headers: { 'x-authz-invented': 'forged' } });
      assert.ok(!upstream.seen.at(-1)!.headers.some(([name]) => name === 'x-authz-invented'));
      assert.equal((await get(good, svid, { headers: { x_authz_caller: 'forged' } })).status, 400);
      assert.equal((await get(good, svid, { path: '/api%2Finvoices/42' })).status, 400);
    });
  });

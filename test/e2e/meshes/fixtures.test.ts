import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page } from '../../docs/markdown.ts';
import { type Issued, pemBundle, TestCa } from '../../support/ca.ts';
import { type Answer, type Ask, ask } from '../../support/client.ts';
import { type Envoy, type EnvoyTree, runEnvoy, writeEnvoyCerts } from '../../support/envoy.ts';
import { PAYMENTS, SidecarEstate, workload } from '../../support/estate.ts';
import { type FixtureName, fixtureNames, inputDigest, type Json, readFixture } from '../../support/meshes/fixtures.ts';
import { type MeshName, meshes, placeFixture } from '../../support/meshes/place.ts';
import { freePort } from '../../support/ports.ts';
import { startUpstream, type Upstream } from '../../support/upstream.ts';

/** The real Envoy on what Istio and Envoy Gateway make of the files of their pages. */

const LEDGER = '/ns/payments/sa/ledger';
const INVOICE = '/api/invoices/42';

/** What comes of it in one mesh and in the other. */
const expected: Readonly<Record<MeshName, { readonly bare: string; readonly otherHost: string }>> = {
  istio: { bare: 'identity_certificate_missing', otherHost: 'request_host_not_served' },
  // The sidecar never passes for healthy by the name that is sent there, and the handshake asks for another host.
  'envoy-gateway': { bare: '503', otherHost: 'closed' },
};
interface Chain {
  readonly filter_chain_match?: { destination_port?: number };
  filters: { readonly name: string }[];
}

/**
 * Has connections come to a port that no service names: the filter chain of the service is for another port, and what is left
 * takes them as bytes to wherever they went, which is the service. `checked`: with the filter that asks the sidecar.
 */
function elsewhere(tree: EnvoyTree, port: number, checked: boolean): void {
  for (const chain of tree.static_resources.listeners[0]!.filter_chains as unknown as Chain[]) {
    if (chain.filter_chain_match?.destination_port !== undefined) chain.filter_chain_match.destination_port = 1;
    if (!checked) chain.filters = chain.filters.filter(({ name }) => name !== 'envoy.filters.network.ext_authz');
  }
  const { clusters } = tree.static_resources;
  const passing = clusters.find(({ name }) => name === 'InboundPassthroughCluster')! as unknown as Json;
  const { lb_policy: _, upstream_bind_config: _bind, ...rest } = passing;
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const load_assignment = { cluster_name: rest.name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
  clusters[clusters.indexOf(passing as never)] = { ...rest, type: 'STATIC', load_assignment } as never;
}

const outcomeOf = ({ status, reason }: Answer): string => reason ?? String(status);

function withoutCertificate(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  delete (value as Json).include_peer_certificate;
  for (const inner of Object.values(value)) withoutCertificate(inner);
}

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
    const start = async (name: FixtureName, change: (tree: EnvoyTree) => void = () => {}): Promise<Envoy> => {
      const dir = mkdtempSync(join(estate.dir, 'envoy-'));
      writeEnvoyCerts(dir, estate.svid('/ns/payments/sa/api', { dns: [PAYMENTS] }), pemBundle(estate.ca));
      const [port, { check }] = [await freePort(), estate.sidecar];
      const tree = placeFixture(name, mesh, { port, upstream: upstream.port, check });
      change(tree);
      const envoy = await runEnvoy(dir, tree);
      started.push(envoy);
      return envoy;
    };
    const get = (envoy: Envoy, svid: Issued, more: Partial<Ask> = {}) =>
      ask({ port: envoy.port, svid, host: PAYMENTS, path: INVOICE, ...more });
    let good: Envoy;
    /** The good one, which does not send the caller's certificate. */
    let silent: Envoy;
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
      silent = await start(mesh, withoutCertificate);
      for (const envoy of [good, silent]) await envoy.clusterHealth(meshes[mesh].stat, true);
    });
    after(async () => {
      for (const envoy of started) await envoy.stop();
      await upstream?.close();
      await estate?.stop();
    });

    test('a caller is proven by its certificate, and nobody is where it is not sent', async () => {
      const svid = estate.svid(LEDGER);
      const answer = await get(good, svid);
      assert.equal(answer.status, 200, answer.body);
      const { caller } = estate.sidecar.audit().findLast(({ result }) => result === 'allow')!;
      assert.deepEqual([caller?.id, (caller as { credential?: string }).credential], [workload(LEDGER), 'x509-svid']);
      assert.equal((await get(silent, svid)).reason, 'identity_certificate_missing');
      assert.equal(outcomeOf(await get(bare, svid)), expected[mesh].bare, 'without the patch of the page');
    });

    test('a port that no service names is closed', { skip: mesh !== 'istio' }, async () => {
      const svid = estate.svid(LEDGER);
      const open = await start(mesh, (tree) => elsewhere(tree, upstream.port, false));
      assert.equal((await get(open, svid)).status, 200, 'without the filter of the policy it is open');
      const closed = await start(mesh, (tree) => elsewhere(tree, upstream.port, true));
      await closed.clusterHealth(meshes[mesh].stat, true);
      const before = upstream.seen.length;
      await assert.rejects(get(closed, svid));
      assert.equal(estate.sidecar.audit().at(-1)?.reason, 'request_without_http');
      assert.equal(upstream.seen.length, before);
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
      const other = get(good, estate.svid(LEDGER), { host: 'other.internal' });
      assert.equal(await other.then(outcomeOf, () => 'closed'), expected[mesh].otherHost);
    });

    test('headers of ours do not come through, underscores and escaped slashes are refused', async () => {
      const svid = estate.svid(LEDGER);
      await get(good, svid, { headers: { 'x-authz-invented': 'forged' } });
      assert.ok(!upstream.seen.at(-1)!.headers.some(([name]) => name === 'x-authz-invented'));
      const before = upstream.seen.length;
      const twin = await get(good, svid, { headers: { x_authz_caller: 'forged' } });
      const escaped = await get(good, svid, { path: '/api%2Finvoices/42' });
      // By Envoy itself: a denial of the sidecar has a reason.
      for (const { status, reason } of [twin, escaped]) assert.deepEqual([status, reason], [400, null]);
      assert.equal(upstream.seen.length, before);
    });
  });

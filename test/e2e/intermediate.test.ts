import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type Issued, pemBundle, type TestCa } from '../support/ca.ts';
import { type Answer, ask, askHttp2 } from '../support/client.ts';
import { connectionManager, type Envoy, type EnvoyConfig, startEnvoy } from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/**
 * Workloads whose certificates an intermediate signs, as Istio with a plugged-in CA issues them: for 24 hours, dated back
 * two minutes, with the intermediate sent in the handshake.
 */

const MINUTE = 60_000;
const HOUR = 3_600_000;
const LEDGER = '/ns/payments/sa/ledger';
const INVOICE = '/api/invoices/42';

describe('certificates that an intermediate signed, behind the shipped configurations', () => {
  const meshes = new Map<EnvoyConfig, Mesh>();
  let upstream: Upstream;

  before(async () => {
    upstream = await startUpstream();
    const [uds, tcp] = [await Mesh.start(false), await Mesh.start(true)];
    for (const config of ['uds', 'files'] as const) meshes.set(config, uds);
    meshes.set('tcp', tcp);
  });
  after(async () => {
    for (const mesh of new Set(meshes.values())) await mesh.estate.stop();
    await upstream?.close();
  });

  /** Plays behind a shipped configuration, with changes to what it says of the client's certificate. */
  async function behind(
    { config, version, details = {}, service }: Way,
    play: (mesh: Mesh, envoy: Envoy) => Promise<void>,
  ): Promise<void> {
    const mesh = meshes.get(config)!;
    const { estate } = mesh;
    const envoy = await startEnvoy({
      config,
      dir: estate.dir,
      svid: estate.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] }),
      bundlePem: pemBundle(estate.ca),
      check: estate.sidecar.check,
      upstream: service ?? upstream.port,
      binary: await envoyOf(version),
      edit: (tree) => Object.assign(connectionManager(tree).set_current_client_cert_details, details),
    });
    try {
      await play(mesh, envoy);
    } finally {
      await envoy.stop();
    }
  }

  for (const version of supportedEnvoys) {
    for (const config of ['uds', 'tcp', 'files'] as const) {
      test(`Envoy ${version} with ${config}.yaml: the chain comes with the leaf, and the caller is allowed`, () =>
        behind({ config, version }, async ({ estate, issuing, issue }, envoy) => {
          const answer = await get(envoy, issue(), issuing.chain);
          assert.equal(answer.status, 200, answer.body);
          assert.equal((await get(envoy, estate.svid(LEDGER), [])).status, 200, 'a leaf of the root');
        }));
    }

    test(`Envoy ${version} without chain: true: the refusal says what is missing`, () =>
      behind({ config: 'uds', version, details: { chain: false } }, async ({ estate, issuing, issue }, envoy) => {
        const { status, reason, decision } = await get(envoy, issue(), issuing.chain);
        assert.deepEqual([status, reason], [403, 'identity_svid_issuer_unknown']);
        assert.match(String(estate.sidecar.auditOf(decision).detail), /Envoy sent no chain.*set chain: true/);
      }));
  }

  test('a certificate that lives longer than the limit is refused, and the detail names limit and key', () =>
    behind({ config: 'uds', version: '1.40.0' }, async ({ estate, issuing }, envoy) => {
      const long = issuing.svid(workload(LEDGER), { notAfter: issuing.now + 25 * HOUR });
      const { reason, decision } = await get(envoy, long, issuing.chain);
      assert.equal(reason, 'identity_svid_lifetime');
      const { detail } = estate.sidecar.auditOf(decision);
      assert.equal(detail, 'valid for 90060 s, longer than the 90000 s of identity.maxLifetime.x509');
    }));

  test('a service that speaks HTTP/1.1 alone answers a client of HTTP/2', async () => {
    const service = createServer((_, response) => response.end('ok'));
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const { port } = service.address() as AddressInfo;
    await behind({ config: 'uds', version: '1.40.0', service: port }, async ({ estate }, envoy) => {
      const svid = estate.svid(LEDGER);
      const { headers } = await askHttp2({ port: envoy.port, svid, host: PAYMENTS, method: 'GET', path: INVOICE });
      assert.equal(headers[':status'], 200);
    });
    service.close();
  });
});

interface Way {
  readonly config: EnvoyConfig;
  readonly version: (typeof supportedEnvoys)[number];
  readonly details?: Readonly<Record<string, boolean>>;
  /** Port of another service than the usual one. */
  readonly service?: number;
}

/** A sidecar, and the authority that issues to its workloads. */
class Mesh {
  readonly estate: SidecarEstate;
  readonly issuing: TestCa;

  private constructor(estate: SidecarEstate) {
    this.estate = estate;
    this.issuing = estate.ca.intermediate('istio-ca', { uris: ['spiffe://prod.example'] });
  }

  static async start(tcp: boolean): Promise<Mesh> {
    return new Mesh(await SidecarEstate.start({ tcp }));
  }

  /** The ledger's certificate with the default settings of the mesh. */
  readonly issue = (): Issued =>
    this.issuing.svid(workload(LEDGER), {
      subject: '',
      notBefore: this.issuing.now - 2 * MINUTE,
      notAfter: this.issuing.now + 24 * HOUR,
      keyUsage: ['digitalSignature', 'keyEncipherment'],
    });
}

const get = (to: Envoy, svid: Issued, chain: readonly Issued[]): Promise<Answer> =>
  ask({ port: to.port, svid, chain, host: PAYMENTS, path: INVOICE });

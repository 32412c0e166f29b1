import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { pemBundle } from '../../support/ca.ts';
import { findingsOf, type Json } from '../../support/doctor/goods.ts';
import { type Envoy, type EnvoyTree, endpointOf, runEnvoy, writeEnvoyCerts } from '../../support/envoy.ts';
import { exampleIdentity, PAYMENTS, SidecarEstate, workload } from '../../support/estate.ts';
import { askThroughTunnel } from '../../support/meshes/tunnel.ts';
import { AUTHZ, writePair } from '../../support/tls-world.ts';
import { startUpstream, type Upstream } from '../../support/upstream.ts';

/**
 * A real Envoy that does what a waypoint of Istio does, by its source: tunnels of mutual TLS end there, it names their
 * callers by a bare URI, and asks the sidecar over mutual TLS.
 */

const WAYPOINT = '/ns/payments/sa/waypoint';
const LEDGER = '/ns/payments/sa/ledger';
const READER = '/ns/support/sa/reader';
const CLUSTER = 'outbound|9191||authz.platform.svc.cluster.local';
const EXPORT = '/api/exports/2026-10';
const INVOICE = '/api/invoices/42';
const entry = { id: workload(WAYPOINT), hosts: [PAYMENTS], trustDomains: ['prod.example'], namespaces: ['payments'] };
const file = join(import.meta.dirname, '..', '..', 'support', 'meshes', 'waypoint.yaml');

/** As the sidecar is configured for a waypoint. */
const identity = { ...exampleIdentity({ mode: 'sanitize-set' }), waypoints: [entry] };
const listen = {
  tls: { files: { certificate: './tls.crt', key: './tls.key' } },
  peers: [{ id: workload('/ns/*/sa/*'), hosts: [PAYMENTS] }],
};

describe('an Envoy that plays a waypoint', () => {
  let estate: SidecarEstate;
  let upstream: Upstream;
  let waypoint: Envoy;
  /** The same under a name that is no waypoint's. */
  let other: Envoy;

  const start = (path: string): Promise<Envoy> => {
    const dir = mkdtempSync(join(estate.dir, 'waypoint-'));
    writeEnvoyCerts(dir, estate.svid(path), pemBundle(estate.ca));
    const tree = parse(readFileSync(file, 'utf8')) as EnvoyTree;
    const { port } = estate.sidecar.check as { readonly port: number };
    for (const [cluster, at] of [
      [CLUSTER, port],
      ['service', upstream.port],
    ] as const)
      endpointOf(tree, cluster).address = { socket_address: { address: '127.0.0.1', port_value: at } };
    const authz = tree.static_resources.listeners[1]!.filter_chains[0]!.filters[0]!.typed_config.http_filters[2]!;
    // A machine that runs every test at once keeps no deadline of a quarter second.
    authz.typed_config.grpc_service!.timeout = '20s';
    tree.static_resources.clusters[2]!.health_checks![0]!.timeout = '20s';
    return runEnvoy(dir, tree);
  };
  const get = (to: Envoy, path: string, from = LEDGER, headers = {}) =>
    askThroughTunnel({ port: to.port, svid: estate.svid(from), host: PAYMENTS, path, headers });
  const lastLine = () => estate.sidecar.audit().at(-1)!;

  before(async () => {
    estate = await SidecarEstate.start({
      tcp: true,
      listen,
      config: { identity },
      prepare: (dir, ca) => {
        writePair(dir, ca.svid(AUTHZ));
        return {};
      },
    });
    upstream = await startUpstream();
    waypoint = await start(WAYPOINT);
    other = await start('/ns/payments/sa/envoy');
    for (const each of [waypoint, other]) await each.clusterHealth(CLUSTER, true);
  });
  after(async () => {
    for (const each of [waypoint, other]) await each?.stop();
    await upstream?.close();
    await estate?.stop();
  });

  test('a caller of the tunnel is named, and held below confidential', async () => {
    const answer = await get(waypoint, EXPORT);
    assert.equal(answer.status, 200, answer.body);
    const { caller, request } = lastLine();
    assert.deepEqual([caller?.id, (caller as { credential?: string }).credential], [workload(LEDGER), 'waypoint']);
    assert.equal((request as { peer: string }).peer, workload(WAYPOINT));
    const confidential = await get(waypoint, INVOICE);
    assert.deepEqual([confidential.status, confidential.reason], [403, 'policy_forbidden']);
  });

  test('a caller of a namespace that is not listed is refused, and so is a stranger', async () => {
    assert.equal((await get(waypoint, EXPORT, READER)).reason, 'identity_proxy_untrusted');
    assert.equal((await get(waypoint, EXPORT, '/ns/payments/sa/nobody')).reason, 'caller_unregistered');
  });

  test('what a client writes into the header is gone: the waypoint names who connected', async () => {
    const forged = { 'x-forwarded-client-cert': `By=${workload(WAYPOINT)};URI=${workload(LEDGER)}` };
    const answer = await get(waypoint, EXPORT, '/ns/payments/sa/nobody', forged);
    assert.equal(answer.reason, 'caller_unregistered');
  });

  test('an Envoy of another name is not believed', async () => {
    assert.equal((await get(other, EXPORT)).reason, 'identity_token_missing');
  });

  test('the doctor finds nothing in it but the tunnel, and finds a header that clients write', async () => {
    const found = async (target: string, check: string) => {
      const sidecar: Json = { hosts: [PAYMENTS], identity, listen: { check, ...listen }, limits: { deadline: '30s' } };
      const findings = await findingsOf(target, sidecar, undefined, ['connect_terminate']);
      return findings.map(({ code }) => code);
    };
    const { port } = estate.sidecar.check as { readonly port: number };
    // The clients of a tunnel have no address of their own there.
    assert.deepEqual(await found(`http://127.0.0.1:${waypoint.adminPort}`, `127.0.0.1:${port}`), ['remote-address']);
    const action = 'append_action: OVERWRITE_IF_EXISTS_OR_ADD';
    const open = readFileSync(file, 'utf8').replace(action, 'append_action: ADD_IF_ABSENT');
    writeFileSync(join(estate.dir, 'open.yaml'), open);
    const mutant = await found(join(estate.dir, 'open.yaml'), '127.0.0.1:9191');
    assert.deepEqual(mutant, ['xfcc-forwarded', 'remote-address']);
  });
});

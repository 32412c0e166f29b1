import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeApi } from '../../kubernetes/kube-api.ts';
import { TestCa } from '../ca.ts';
import { findEnvoy } from '../envoy-binary.ts';
import { removeFolder, temporaryFolder } from '../folder.ts';
import { goTool } from '../go-tool.ts';
import { freePort } from '../ports.ts';
import { Program } from '../process.ts';
import { run } from '../run.ts';
import { until } from '../until.ts';
import { documentedFiles, type Fixture, type FixtureName, fixtureFile, inputDigest, type Json } from './fixtures.ts';
import { snakeCased, trimmed } from './trim.ts';

/** The address of the workload whose sidecar is configured. */
const POD = '10.0.0.5';

/** What a configuration of the sidecar has once istiod has read all files. */
const AUTHZ = 'outbound|9191||authz.payments.internal';
const WHOLE = ['inbound|8080||', AUTHZ, 'envoy.filters.http.ext_authz', '/check.sock'];

/** Makes the fixtures anew, with the programs of the meshes: what they make of the files of the pages. */
export async function makeFixtures(say: (line: string) => void): Promise<void> {
  const dir = temporaryFolder();
  // istiod wants a cluster, though its configuration comes from files here.
  const kube = await KubeApi.start();
  try {
    for (const isBare of [true, false]) {
      say(write(isBare ? 'envoy-gateway-bare' : 'envoy-gateway', await translate(dir, isBare)));
      say(write(isBare ? 'istio-bare' : 'istio', await discover(dir, kube, isBare)));
    }
  } finally {
    await kube.stop();
    removeFolder(dir);
  }
}

function write(name: FixtureName, configs: readonly Json[]): string {
  const fixture: Fixture = { of: inputDigest(name), configs: trimmed(snakeCased(configs) as Json[]) };
  const text = `${JSON.stringify(fixture, null, 1)}\n`;
  writeFileSync(fixtureFile(name), text);
  return `${name}: ${text.length} bytes, sha256 ${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

/** What Envoy Gateway makes of docs/envoy-gateway.md. `isBare`: without its patches. */
async function translate(dir: string, isBare: boolean): Promise<readonly Json[]> {
  const ca = TestCa.root('prod.example');
  const leaf = ca.issue({ dns: ['payments.internal'] });
  const file = join(dir, 'gateway.yaml');
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  // What the page takes for granted: the service, the gateway's certificate, the bundle of the callers.
  const given = [
    { kind: 'Namespace', metadata: { name: 'payments' } },
    {
      kind: 'Secret',
      metadata: { name: 'edge-tls', namespace: 'payments' },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': base64(leaf.pem), 'tls.key': base64(leaf.pkcs8Pem) },
    },
    {
      kind: 'ConfigMap',
      metadata: { name: 'prod-example-bundle', namespace: 'payments' },
      data: { 'ca.crt': ca.certificate.pem },
    },
    {
      kind: 'Service',
      metadata: { name: 'payments', namespace: 'payments' },
      spec: { clusterIP: POD, ports: [{ name: 'http', port: 8080, targetPort: 8080 }] },
    },
  ].map((each) => JSON.stringify({ apiVersion: 'v1', ...each }));
  writeFileSync(file, [...given, ...documentedFiles(isBare ? 'envoy-gateway-bare' : 'envoy-gateway')].join('\n---\n'));
  const args = [
    'x',
    'translate',
    '--from',
    'gateway-api',
    '--to',
    'gateway-api,xds',
    '-t',
    'all',
    '-o',
    'json',
    '-f',
    file,
  ];
  const result = JSON.parse(await run(await goTool('egctl'), args)) as { xds: Record<string, { configs: Json[] }> };
  const faults = JSON.stringify(result).match(/"message":"[^"]*(?:invalid|not found|unable|fail)[^"]*"/gi);
  if (faults !== null) throw new Error(`Envoy Gateway says: ${[...new Set(faults)].join(', ')}`);
  return Object.values(result.xds)[0]!.configs;
}

/** What pilot-discovery makes of docs/istio.md for the sidecar of payments. `isBare`: without the EnvoyFilter. */
async function discover(dir: string, kube: KubeApi, isBare: boolean): Promise<readonly Json[]> {
  const [pilot, envoy] = [await goTool('pilot-discovery'), await findEnvoy()];
  const [grpc, http, admin] = [await freePort(), await freePort(), await freePort()];
  const home = mkdtempSync(join(dir, 'istio-'));
  const configs = join(home, 'configs');
  mkdirSync(configs);
  const [mesh = '', ...files] = documentedFiles(isBare ? 'istio-bare' : 'istio');
  writeFileSync(join(home, 'mesh.yaml'), mesh);
  // The service itself: in a cluster Istio knows it as a Service with Endpoints.
  const service = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'payments', namespace: 'payments' },
    spec: {
      hosts: ['payments.internal'],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
      endpoints: [{ address: POD, labels: { app: 'payments' }, serviceAccount: 'api' }],
    },
  };
  writeFileSync(join(configs, 'all.yaml'), [JSON.stringify(service), ...files].join('\n---\n'));
  const args = [
    ...['discovery', '--configDir', configs, '--meshConfig', join(home, 'mesh.yaml'), '--kubeconfig', kube.kubeconfig],
    ...['--grpcAddr', `127.0.0.1:${grpc}`, '--httpAddr', `127.0.0.1:${http}`],
    ...['--httpsAddr', '', '--secureGRPCAddr', '', '--monitoringAddr', '127.0.0.1:0', '--ctrlz_port', '0'],
  ];
  const env = { ...process.env, ENABLE_CA_SERVER: 'false', PILOT_CERT_PROVIDER: 'none', POD_NAMESPACE: 'istio-system' };
  await using running = new AsyncDisposableStack();
  const istiod = new Program('pilot-discovery', pilot, args, { cwd: home, env });
  running.defer(async () => void (await istiod.stop('SIGKILL')));
  const base = `http://127.0.0.1:${http}`;
  await until(
    'pilot-discovery',
    async () => {
      istiod.assertRunning();
      return (await fetch(`${base}/ready`)).status === 200 ? true : null;
    },
    60_000,
  );
  writeFileSync(join(home, 'envoy.json'), JSON.stringify(client(grpc, admin)));
  const proxy = new Program('envoy', envoy, [
    '-c',
    join(home, 'envoy.json'),
    '--disable-hot-restart',
    '--concurrency',
    '1',
  ]);
  running.defer(async () => void (await proxy.stop()));
  const answer = await until(
    'the configuration of the sidecar',
    async () => {
      for (const each of [istiod, proxy]) each.assertRunning();
      const got = await fetch(`${base}/debug/config_dump?proxyID=payments-0.payments&include_eds=true`);
      const text = got.status === 200 ? await got.text() : '';
      return WHOLE.every((name) => text.includes(name)) ? text : null;
    },
    60_000,
  );
  return (JSON.parse(answer) as { configs: Json[] }).configs;
}

/** An Envoy that only asks for its configuration, as the sidecar of a pod does. */
function client(port: number, admin: number): Json {
  const labels = { app: 'payments' };
  const ads = {
    api_type: 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
  };
  return {
    node: {
      id: `sidecar~${POD}~payments-0.payments~payments.svc.cluster.local`,
      cluster: 'payments.payments',
      metadata: {
        NAMESPACE: 'payments',
        SERVICE_ACCOUNT: 'api',
        LABELS: labels,
        INSTANCE_IPS: POD,
        ISTIO_VERSION: '1.31.0',
        CLUSTER_ID: 'Kubernetes',
        MESH_ID: 'prod.example',
        INTERCEPTION_MODE: 'REDIRECT',
      },
    },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: admin } } },
    dynamic_resources: {
      ads_config: ads,
      lds_config: { ads: {}, resource_api_version: 'V3' },
      cds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: {
      clusters: [
        // Stock Envoy rejects the cluster that Istio makes, for a filter of Istio's own, and would not ask for its endpoints.
        {
          name: AUTHZ,
          type: 'EDS',
          eds_cluster_config: { service_name: AUTHZ, eds_config: { ads: {}, resource_api_version: 'V3' } },
        },
        {
          name: 'xds',
          type: 'STATIC',
          connect_timeout: '5s',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}

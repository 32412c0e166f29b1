import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Issued } from './ca.ts';
import { findEnvoy } from './envoy-binary.ts';
import { Program } from './process.ts';
import { until } from './until.ts';

export const envoyConfigs = ['tcp', 'uds', 'files', 'spire', 'test-permissive'] as const;
/** A file of envoy/, without its ending. */
export type EnvoyConfig = (typeof envoyConfigs)[number];

/** Where the sidecar answers, as Envoy is told. */
export type CheckTarget = { readonly port: number } | { readonly socket: string };

export interface EnvoySetup {
  readonly config: EnvoyConfig;
  /** A temporary folder, in which Envoy gets a working directory of its own. */
  readonly dir: string;
  /** Envoy's own certificate, and the PEM bundle of each trust domain that it validates clients against. */
  readonly svid: Issued;
  readonly bundlePem: string;
  readonly check: CheckTarget;
  /** Port of the service behind it, on loopback. */
  readonly upstream: number;
  /** Another copy of the program than the one that is found. */
  readonly binary?: string;
  /** A change that this test needs, made to the parsed configuration. */
  readonly edit?: (config: EnvoyTree) => void;
}

/** The parts of a shipped configuration that the tests change; the rest passes through as it stands in the file. */
export interface EnvoyTree {
  admin: { address: SocketAddress };
  static_resources: {
    listeners: { address: SocketAddress; filter_chains: FilterChain[] }[];
    clusters: {
      name: string;
      connect_timeout: string;
      health_checks?: { timeout: string }[];
      transport_socket?: unknown;
      typed_extension_protocol_options?: unknown;
      load_assignment: { endpoints: { lb_endpoints: { endpoint: { address: unknown } }[] }[] };
    }[];
  };
}

interface FilterChain {
  transport_socket?: unknown;
  filters: { name: string; typed_config: ConnectionManager }[];
}

/** The HTTP connection manager, as far as tests change it. */
export interface ConnectionManager {
  forward_client_cert_details: string;
  set_current_client_cert_details: Record<string, boolean>;
  http_filters: { name: string; typed_config: { grpc_service?: { envoy_grpc: object; timeout: string } } }[];
  route_config: { virtual_hosts: VirtualHost[] };
  [more: string]: unknown;
}

interface VirtualHost {
  name: string;
  domains: string[];
  routes: Record<string, unknown>[];
  typed_per_filter_config?: Record<string, { check_settings?: { context_extensions: Record<string, string> } }>;
}

interface SocketAddress {
  socket_address: { address: string; port_value: number };
}

const PATIENT = '20s';
const envoyDir = join(import.meta.dirname, '..', '..', 'envoy');

/** A shipped configuration, parsed. */
export function readEnvoyConfig(config: EnvoyConfig): EnvoyTree {
  return parse(readFileSync(join(envoyDir, `${config}.yaml`), 'utf8')) as EnvoyTree;
}

/** The one connection manager of a shipped configuration. */
export function connectionManager(tree: EnvoyTree): ConnectionManager {
  return tree.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
}

/** Writes certs/ as the shipped configurations expect it below Envoy's working directory. */
export function writeEnvoyCerts(dir: string, svid: Issued, bundlePem: string): void {
  const certs = join(dir, 'certs');
  mkdirSync(certs, { recursive: true });
  writeFileSync(join(certs, 'envoy.pem'), svid.pem);
  writeFileSync(join(certs, 'envoy.key'), svid.pkcs8Pem, { mode: 0o600 });
  writeFileSync(join(certs, 'prod.example.pem'), bundlePem);
  writeFileSync(join(certs, 'bundles.json'), bundleMap(bundlePem));
  copyFileSync(join(envoyDir, 'files-sds.yaml'), join(certs, 'sds.yaml'));
}

/** The PEM bundle of prod.example as a SPIFFE bundle map. */
export function bundleMap(bundlePem: string): string {
  const blocks = bundlePem.split(/(?<=-----END CERTIFICATE-----\n)/).filter((block) => block.trim() !== '');
  const keys = blocks.map((block) => {
    const certificate = new X509Certificate(block);
    const x5c = [certificate.raw.toString('base64')];
    return { ...certificate.publicKey.export({ format: 'jwk' }), use: 'x509-svid', x5c };
  });
  return JSON.stringify({ trust_domains: { 'prod.example': { keys } } });
}

/** A line of the access log, as the shipped configurations write it. Absent values are null. */
export type AccessLine = Readonly<Record<string, string | number | null>>;

/** A real Envoy that serves a shipped configuration on loopback. */
export type Envoy = Awaited<ReturnType<typeof runEnvoy>>;

/** Starts Envoy with a shipped configuration on ports of its own choice, and waits until it listens. */
export function startEnvoy(setup: EnvoySetup): Promise<Envoy> {
  const dir = mkdtempSync(join(setup.dir, 'envoy-'));
  writeEnvoyCerts(dir, setup.svid, setup.bundlePem);
  return runEnvoy(dir, place(setup), setup.binary);
}

/** Starts Envoy in `dir` with this configuration, and waits until it listens. `binary` is another copy of the program. */
export async function runEnvoy(dir: string, tree: EnvoyTree, binary?: string) {
  const config = join(dir, 'envoy.json');
  writeFileSync(config, JSON.stringify(tree));
  const adminFile = join(dir, 'admin-address');
  const args = ['-c', config, '--admin-address-path', adminFile, '--disable-hot-restart', '--concurrency', '1'];
  const program = new Program(
    'envoy',
    binary ?? (await findEnvoy()),
    [...args, '--log-level', 'warning', '--file-flush-interval-msec', '100'],
    { cwd: dir },
  );
  const started = async (): Promise<readonly [adminPort: string, port: number]> => {
    const adminPort = await until('the admin port of Envoy', async () => {
      program.assertRunning();
      return /:(\d+)\s*$/.exec(await readFile(adminFile, 'utf8').catch(() => ''))?.[1];
    });
    return [adminPort, await until('the listener of Envoy', () => listenerPort(program, adminPort))];
  };
  const [adminPort, port] = await started().catch(async (error: unknown) => {
    await program.stop('SIGKILL');
    throw new Error(`Envoy did not start:\n${program.tail()}`, { cause: error });
  });

  /** The access log so far. */
  const accessLog = (): readonly AccessLine[] =>
    program.stdout.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as AccessLine);
  /** A counter or gauge by its exact name. */
  const stat = async (name: string): Promise<number> => {
    const filter = encodeURIComponent(`^${name.replace(/[.|]/g, '\\$&')}$`);
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/stats?filter=${filter}`)).text();
    const value = /: (\d+)\s*$/.exec(text);
    if (value === null) throw new Error(`Envoy has no stat ${name}`);
    return Number(value[1]);
  };
  return {
    /** Where it runs, with its configuration and certificates. */
    dir,
    port,
    adminPort: Number(adminPort),
    accessLog,
    stat,
    /** Waits for an access-log line that fits; Envoy writes it some time after the answer. */
    accessLine: (fits: (line: AccessLine) => boolean) => until('the access-log line', () => accessLog().find(fits)),
    /** Waits until the cluster has a healthy endpoint, or none. */
    clusterHealth: (cluster: string, healthy: boolean) =>
      until(`${cluster} ${healthy ? 'healthy' : 'unhealthy'}`, async () =>
        (await stat(`cluster.${cluster}.membership_healthy`)) > 0 === healthy ? true : null,
      ),
    stop: () => program.stop(),
  };
}

async function listenerPort(program: Program, adminPort: string): Promise<number | null> {
  program.assertRunning();
  const admin = `http://127.0.0.1:${adminPort}`;
  if ((await fetch(`${admin}/ready`)).status !== 200) return null;
  const listeners = (await (await fetch(`${admin}/listeners?format=json`)).json()) as {
    listener_statuses?: { local_address: SocketAddress }[];
  };
  const port = listeners.listener_statuses?.[0]?.local_address.socket_address.port_value;
  return port === undefined || port === 0 ? null : port;
}

/** A shipped configuration on loopback ports of Envoy's choice, with the addresses of this test. */
export function place(setup: Pick<EnvoySetup, 'config' | 'check' | 'upstream' | 'edit'>): EnvoyTree {
  const tree = readEnvoyConfig(setup.config);
  tree.admin.address.socket_address.port_value = 0;
  const { socket_address } = tree.static_resources.listeners[0]!.address;
  socket_address.address = '127.0.0.1';
  socket_address.port_value = 0;
  endpointOf(tree, 'service').address = loopback(setup.upstream);
  endpointOf(tree, 'cedar-ext-authz').address =
    'socket' in setup.check ? { pipe: { path: setup.check.socket } } : loopback(setup.check.port);
  allowSlowness(tree);
  setup.edit?.(tree);
  return tree;
}

/** A machine that runs every test at once keeps no deadline of a quarter second, and none of the tests is about it. */
function allowSlowness(tree: EnvoyTree): void {
  for (const cluster of tree.static_resources.clusters) {
    cluster.connect_timeout = PATIENT;
    for (const check of cluster.health_checks ?? []) check.timeout = PATIENT;
  }
  const authz = connectionManager(tree).http_filters.find(({ name }) => name === 'envoy.filters.http.ext_authz');
  authz!.typed_config.grpc_service!.timeout = PATIENT;
}

export function endpointOf(tree: EnvoyTree, cluster: string): { address: unknown } {
  return endpointsOf(tree, cluster)[0]!.endpoint;
}

/** The endpoints of a cluster, free to be added to. */
export function endpointsOf(tree: EnvoyTree, cluster: string): { endpoint: { address: unknown } }[] {
  const found = tree.static_resources.clusters.find(({ name }) => name === cluster);
  if (found === undefined) throw new Error(`the configuration has no cluster ${cluster}`);
  return found.load_assignment.endpoints[0]!.lb_endpoints;
}

const loopback = (port: number): SocketAddress => ({ socket_address: { address: '127.0.0.1', port_value: port } });

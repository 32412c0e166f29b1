import type { CheckTarget, EnvoyTree } from '../envoy.ts';
import { type FixtureName, type Json, readFixture } from './fixtures.ts';

/** What a test has in place of what a mesh has. */
export interface Placement {
  /** The port of the listener, where filter chains are chosen by it. */
  readonly port: number;
  /** Port of the service behind it, on loopback. */
  readonly upstream: number;
  readonly check: CheckTarget;
}

/** Names of a mesh: of the listener, of the cluster of the service, of that of the sidecar, and of this one in statistics. */
export const meshes = {
  istio: {
    listener: 'virtualInbound',
    service: 'inbound|8080||',
    authz: 'outbound|9191||authz.payments.internal',
    stat: 'outbound|9191||authz.payments.internal;',
    port: 8080,
  },
  'envoy-gateway': {
    listener: 'payments/edge/https',
    service: 'httproute/payments/payments/rule/0',
    authz: 'securitypolicy/payments/authz/extauth/0',
    stat: 'securitypolicy/payments/authz/extauth/0',
    port: 8443,
  },
} as const;
export type MeshName = keyof typeof meshes;

/** Filters that only Istio's build of Envoy has: they measure, and exchange metadata of peers. */
const ISTIO_ONLY = /istio|PluginConfig|MetadataExchange/;
const PATIENT = '20s';
const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';

/**
 * A fixture as a bootstrap that the real Envoy runs: changed in addresses, in where certificates come from (files below
 * certs/ in place of the mesh's SDS), in timeouts and the file of the access log, and without filters that stock Envoy does not have.
 */
export function placeFixture(name: FixtureName, mesh: MeshName, { port, upstream, check }: Placement): EnvoyTree {
  const { configs } = readFixture(name);
  const names = meshes[mesh];
  const resources = (kind: string, wrapped: string): Json[] =>
    configs
      .filter((config) => String(config['@type']).endsWith(kind))
      .flatMap((config) => Object.values(config).filter(Array.isArray))
      .flat()
      .map((entry) => ((entry as Json).active_state ?? entry) as Json)
      .map((entry) => {
        // A dump wraps each in an Any.
        const { '@type': _, ...resource } = entry[wrapped] as Json;
        return resource;
      });
  const listener = resources('ListenersConfigDump', 'listener').find((each) => each.name === names.listener);
  if (listener === undefined) throw new Error(`the fixture ${name} has no listener ${names.listener}`);
  const routes = resources('RoutesConfigDump', 'route_config');
  const address = (to: number) => ({ socket_address: { address: '127.0.0.1', port_value: to } });
  const clusters = resources('ClustersConfigDump', 'cluster').map((cluster) => {
    if (cluster.name === names.service) return statically(cluster, address(upstream));
    if (cluster.name === names.authz)
      return statically(cluster, 'socket' in check ? { pipe: { path: check.socket } } : address(check.port));
    return cluster;
  });
  const placed = changed({ ...listener, address: address(port) }, routes, names.port, port) as Json;
  const kept = changed(clusters, routes, names.port, port);
  return {
    admin: { address: address(0) },
    static_resources: { listeners: [placed], clusters: kept },
  } as unknown as EnvoyTree;
}

/** A cluster with this one endpoint. */
function statically(
  { eds_cluster_config: _, upstream_bind_config: _bind, lb_policy: _policy, ...cluster }: Json,
  address: Json,
): Json {
  const checks = (cluster.health_checks ?? []) as Json[];
  return {
    ...cluster,
    type: 'STATIC',
    connect_timeout: PATIENT,
    health_checks: checks.map((each) => ({ ...each, timeout: PATIENT })),
    load_assignment: { cluster_name: cluster.name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function changed(value: unknown, routes: readonly Json[], meshPort: number, port: number): unknown {
  if (Array.isArray(value))
    return value.filter((each) => !isIstioOnly(each)).map((each) => changed(each, routes, meshPort, port));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value as Json).map(([name, inner]): [string, unknown] => {
    if (name === 'rds') {
      const named = (inner as Json).route_config_name;
      return ['route_config', routes.find((each) => each.name === named)];
    }
    // What a program is given as its standard output may be no file.
    if (inner === '/dev/stdout') return [name, 'access.log'];
    if (name === 'destination_port' && inner === meshPort) return [name, port];
    if (name === 'grpc_service') return [name, { ...(inner as Json), timeout: PATIENT }];
    if (name === 'common_tls_context' && (value as Json)['@type'] === TLS) return [name, fromFiles(inner as Json)];
    return [name, changed(inner, routes, meshPort, port)];
  });
  return Object.fromEntries(fields);
}

function isIstioOnly(filter: unknown): boolean {
  const { name, typed_config: config } = (filter ?? {}) as { name?: unknown; typed_config?: Json };
  if (config === undefined) return false;
  return ISTIO_ONLY.test(`${name} ${config['@type']} ${config.type_url ?? ''}`);
}

/** The certificates of the test, with what the mesh says of them beside its SDS. */
function fromFiles(context: Json): Json {
  const { tls_certificate_sds_secret_configs: _, combined_validation_context: combined, ...rest } = context;
  const { validation_context_sds_secret_config: _sds, ...kept } = rest;
  const own = ((combined as Json | undefined)?.default_validation_context ?? {}) as Json;
  return {
    ...kept,
    tls_certificates: [
      { certificate_chain: { filename: 'certs/envoy.pem' }, private_key: { filename: 'certs/envoy.key' } },
    ],
    validation_context: { ...own, trusted_ca: { filename: 'certs/prod.example.pem' } },
  };
}

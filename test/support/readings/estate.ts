import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectionManager, type EnvoyTree, endpointOf } from '../envoy.ts';
import { exampleIdentity, SidecarEstate } from '../estate.ts';
import { freePort } from '../ports.ts';
import { ending } from '../started.ts';
import type { Upstream } from '../upstream.ts';
import { QUERY_PARAMETERS } from './generate.ts';
import { type Kind, kinds, type Service, startService } from './services.ts';

export const hostOf = (kind: Kind): string => `${kind}.internal`;

/** The headers that the policies read. */
export const READ_HEADERS = ['x-amount', 'x-role', 'user-agent'] as const;
export const READ_NUMBER = 'x-count';

/** The apis of each host but that of gRPC. Every service routes by the same table (oracle.ts). */
export const apis = [
  { name: 'jobs', path: '/jobs', effect: 'write', methods: ['GET', 'POST', 'PUT'] },
  { name: 'refunds', path: '/api/refunds' },
  { name: 'search', path: '/search', effect: 'read', methods: ['GET', 'POST'] },
  { name: 'docs', path: '/spaces/{space}/docs/{doc}', methods: ['GET', 'POST', 'DELETE', 'PATCH'] },
  { name: 'hr', path: '/spaces/hr', methods: ['GET', 'POST', 'PUT'] },
  { name: 'tenant', path: '/tenants/{tenant}' },
  { name: 'user', path: '/tenants/{tenant}/users/{user}' },
  { name: 'chat', path: '/chat', methods: ['GET', 'CONNECT'] },
  { name: 'closed', path: '/forbidden' },
];
const grpcApis = [
  { name: 'get', path: '/bank.v1.Accounts/Get', effect: 'read' },
  { name: 'bank', path: '/bank.v1.Accounts' },
];

const inventory = {
  teams: ['payments'],
  workloads: [{ id: 'spiffe://prod.example/ns/payments/sa/ledger', owner: 'payments', kind: 'service', relay: false }],
  resources: kinds.map((kind) => ({
    host: hostOf(kind),
    owner: 'payments',
    sensitivity: 'internal',
    ...(kind === 'folding' ? { caseInsensitive: true } : {}),
    apis: kind === 'grpc' ? grpcApis : apis,
  })),
};

/** What is forbidden; `wouldBeForbidden` of oracle.ts says the same of what a service read. */
function policies(): string {
  const forbid = (id: string, scope: string, condition: string, meant = ''): string =>
    `@id("${id}") ${meant} forbid (principal, ${scope}) when { ${condition} };`;
  const own = kinds.flatMap((kind) => {
    const host = hostOf(kind);
    if (kind === 'grpc') {
      return [
        forbid('close', 'action, resource', `resource == Mesh::Endpoint::"${host}/bank.v1.Accounts/Close"`),
        forbid(
          'grpc-writes',
          'action in Mesh::Action::"write", resource',
          `resource in Mesh::Host::"${host}" && !(context.headers.hasTag("x-role") && context.headers.getTag("x-role") == "writer")`,
        ),
      ];
    }
    return [
      forbid(`refunds-${kind}`, 'action, resource', `resource == Mesh::Endpoint::"${host}/api/refunds"`),
      forbid(`hr-${kind}`, 'action == Mesh::Action::"POST", resource', `resource in Mesh::Path::"${host}/spaces/hr"`),
      forbid(
        `jobs-${kind}`,
        'action in Mesh::Action::"write", resource',
        `resource in Mesh::Api::"${host}/jobs" && !(context.headers.hasTag("x-role") && context.headers.getTag("x-role") == "writer")`,
      ),
    ];
  });
  return [
    '@id("all") permit (principal, action, resource);',
    forbid('deletes', 'action == Mesh::Action::"DELETE", resource', '!(resource.path like "/spaces/*/docs/*")'),
    forbid('tunnels', 'action == Mesh::Action::"CONNECT", resource', 'resource.path != "/chat"'),
    forbid('path', 'action, resource', 'resource.path == "/forbidden"'),
    forbid(
      'rival',
      'action, resource',
      'resource.hasTag("param.tenant") && resource.getTag("param.tenant") == "rival"',
    ),
    forbid(
      'amount',
      'action, resource',
      'context.headers.hasTag("x-amount") && context.headers.getTag("x-amount") == "blocked"',
      '@allows_missing("headers.x-amount")',
    ),
    forbid(
      'count',
      'action, resource',
      'context.numbers.hasTag("x-count") && context.numbers.getTag("x-count") > 10',
      '@allows_missing("numbers.x-count")',
    ),
    ...own,
  ].join('\n');
}

/** A sidecar, services of several kinds, and an Envoy with two listeners in front of them: as shipped, and lenient. */
export const ReadingsEstate = { start };
export type ReadingsEstate = Awaited<ReturnType<typeof start>>;

async function start() {
  await using started = new AsyncDisposableStack();
  const services = new Map<Kind, Service>();
  for (const kind of kinds) services.set(kind, ending(started, await startService(kind)));
  /** Where names with underscores are let through and no header is removed early, as in an Envoy of one's own. */
  const lenientPort = await freePort();
  const base = ending(started, await SidecarEstate.start({ prepare }));
  const nowhere = { port: 1, seen: [], close: async () => {} } satisfies Upstream;
  const envoy = ending(started, await base.envoy('uds', nowhere, (tree) => placeServices(tree, services, lenientPort)));
  const running = started.move();
  return { base, services, envoy, lenientPort, stop: () => running.disposeAsync() };
}

function prepare(dir: string): Readonly<Record<string, unknown>> {
  mkdirSync(join(dir, 'readings'));
  writeFileSync(join(dir, 'inventory.yaml'), JSON.stringify(inventory));
  writeFileSync(join(dir, 'readings', 'readings.cedar'), policies());
  return {
    hosts: kinds.map(hostOf),
    identity: exampleIdentity({ mode: 'sanitize-set' }),
    audit: { queryParameters: QUERY_PARAMETERS },
    policy: {
      folder: './readings',
      inventory: './inventory.yaml',
      headers: [...READ_HEADERS.map((name) => ({ name })), { name: READ_NUMBER, type: 'long' }],
    },
  };
}

function placeServices(tree: EnvoyTree, services: ReadonlyMap<Kind, Service>, lenientPort: number): void {
  const manager = connectionManager(tree);
  const [like] = manager.route_config.virtual_hosts;
  manager.route_config.virtual_hosts = kinds.map((kind) => ({
    ...structuredClone(like!),
    name: kind,
    domains: [hostOf(kind)],
    typed_per_filter_config: vouching(like!.typed_per_filter_config!, hostOf(kind)),
    routes: [{ match: { prefix: '/' }, route: { cluster: kind, timeout: '30s' } }],
  }));
  const { clusters, listeners } = tree.static_resources;
  const service = clusters.find(({ name }) => name === 'service')!;
  for (const kind of kinds) {
    const protocol = kind === 'grpc' ? { http2_protocol_options: {} } : { http_protocol_options: {} };
    clusters.push({
      ...structuredClone(service),
      name: kind,
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          explicit_http_config: protocol,
        },
      },
    } as (typeof clusters)[number]);
    endpointOf(tree, kind).address = { socket_address: { address: '127.0.0.1', port_value: services.get(kind)!.port } };
  }
  const lenient = structuredClone(listeners[0]!);
  const { typed_config } = lenient.filter_chains[0]!.filters[0]!;
  (typed_config.common_http_protocol_options as Record<string, unknown>).headers_with_underscores_action = 'ALLOW';
  typed_config.early_header_mutation_extensions = [];
  typed_config.access_log = [];
  manager.access_log = [];
  lenient.address.socket_address.port_value = lenientPort;
  Object.assign(lenient, { name: 'lenient' });
  listeners.push(lenient);
}

type PerFilter = NonNullable<
  ReturnType<typeof connectionManager>['route_config']['virtual_hosts'][number]['typed_per_filter_config']
>;

function vouching(like: PerFilter, host: string): PerFilter {
  const config = structuredClone(like);
  for (const filter of Object.values(config)) filter.check_settings!.context_extensions = { host };
  return config;
}

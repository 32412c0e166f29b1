import type { CheckCode } from '../../../src/doctor/checks.ts';
import { at, type Good, type GoodName, goods, set } from './goods.ts';

/** How a stranger, or a friend with something wrong, tries a mutant on a real Envoy. */
export type Probe =
  /** Somebody whom nobody registered asks. */
  | 'stranger'
  /** The same while the sidecar is away. */
  | 'away'
  /** The same over a WebSocket. */
  | 'websocket'
  /** The same at the second listener. */
  | 'second listener'
  /** The same, after somebody who may ask for the same page. */
  | 'cached'
  /** A caller who is allowed shows a broken token. */
  | 'broken token'
  /** A caller who is allowed shows a header about somebody else. */
  | 'forged header'
  /** A caller who is allowed asks for one path, and for another in a header. */
  | 'other path'
  /** A caller who is allowed asks for a path with two slashes. */
  | 'two slashes'
  /** A stranger asks where another server answers for the sidecar. */
  | 'impostor'
  /** A body longer than Envoy reads needs an approval. */
  | 'cut body';

/** One change of a good configuration. */
export interface Mutation {
  readonly code: CheckCode;
  readonly of: GoodName;
  /** What is put, and where; undefined is taken away. */
  readonly envoy?: readonly [path: string, value: unknown];
  /** The same in the configuration of the sidecar. */
  readonly product?: readonly [path: string, value: unknown];
  /** The sidecar's configuration, good as it is, without which nothing is wrong. */
  readonly beside?: readonly [path: string, value: unknown];
  /** What the good configuration lacks, and is good without. */
  readonly without?: string;
  readonly probe?: Probe;
}

const LISTENERS = 'static_resources.listeners';
const CHAINS = `${LISTENERS}.0.filter_chains`;
const TLS = `${CHAINS}.0.transport_socket.typed_config`;
const MANAGER = `${CHAINS}.0.filters.0.typed_config`;
const FILTER = `${MANAGER}.http_filters.0`;
const AUTHZ = `${FILTER}.typed_config`;
const HOST = `${MANAGER}.route_config.virtual_hosts.0`;
const ROUTE = `${HOST}.routes.1`;
const OF_ROUTE = `${ROUTE}.typed_per_filter_config`;
const CLUSTERS = 'static_resources.clusters';
const CLUSTER = `${CLUSTERS}.1`;
const TYPE = 'type.googleapis.com/envoy.extensions.filters';
const NAME = 'envoy.filters.http.ext_authz';
const perRoute = (parts: object) => ({ [NAME]: { '@type': `${TYPE}.http.ext_authz.v3.ExtAuthzPerRoute`, ...parts } });
const router = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${TYPE}.http.router.v3.Router` },
};
const lua = {
  name: 'envoy.filters.http.lua',
  typed_config: {
    '@type': `${TYPE}.http.lua.v3.Lua`,
    default_source_code: {
      inline_string: `function envoy_on_request(h)
        local path = h:headers():get("x-path")
        if path then h:headers():replace(":path", path) end
      end`,
    },
  },
};
const cache = {
  name: 'envoy.filters.http.cache',
  typed_config: {
    '@type': `${TYPE}.http.cache.v3.CacheConfig`,
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig',
    },
  },
};
const good = goods.uds().envoy;
const filters = at(good, `${MANAGER}.http_filters`) as object[];
const chain = at(good, `${CHAINS}.0`) as { filters: { typed_config: object }[] };
/** The filter chain, for clients on loopback, with one field of its connection manager changed. */
const secondChain = {
  ...chain,
  filter_chain_match: { source_prefix_ranges: [{ address_prefix: '127.0.0.0', prefix_len: 8 }] },
  filters: [
    {
      name: 'envoy.filters.network.tcp_proxy',
      typed_config: { '@type': `${TYPE}.network.tcp_proxy.v3.TcpProxy`, stat_prefix: 'raw', cluster: 'service' },
    },
  ],
};
const secondListener = {
  name: 'debug',
  address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
  filter_chains: [
    {
      ...chain,
      filters: [
        {
          ...chain.filters[0],
          typed_config: { ...chain.filters[0]!.typed_config, stat_prefix: 'debug', http_filters: [router] },
        },
      ],
    },
  ],
};
const matched = {
  name: NAME,
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher',
    extension_config: filters[0],
    xds_matcher: {
      matcher_tree: {
        input: {
          name: 'request-headers',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput',
            header_name: 'x-unchecked',
          },
        },
        exact_match_map: { map: { no: skip() } },
      },
      on_no_match: skip(),
    },
  },
};
function skip() {
  const type = 'type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter';
  return { action: { name: 'skip', typed_config: { '@type': type } } };
}

/** What is looked for first: thirty changes, each of another kind. */
export const mutations: readonly Mutation[] = [
  { code: 'fails-open', of: 'uds', envoy: [`${AUTHZ}.failure_mode_allow`, true], probe: 'away' },
  { code: 'route-disabled', of: 'uds', envoy: [OF_ROUTE, perRoute({ disabled: true })], probe: 'stranger' },
  {
    code: 'filter-order',
    of: 'tcp',
    envoy: [`${MANAGER}.http_filters`, [filters[0], lua, router]],
    probe: 'other path',
  },
  { code: 'peer-certificate', of: 'uds', envoy: [`${AUTHZ}.include_peer_certificate`, undefined] },
  {
    code: 'xfcc-forwarded',
    of: 'uds',
    envoy: [`${MANAGER}.forward_client_cert_details`, 'APPEND_FORWARD'],
    probe: 'forged header',
  },
  {
    code: 'underscores',
    of: 'demo',
    envoy: [`${MANAGER}.common_http_protocol_options.headers_with_underscores_action`, undefined],
  },
  { code: 'header-removal', of: 'files', envoy: [`${MANAGER}.early_header_mutation_extensions`, undefined] },
  { code: 'path-normalization', of: 'spire', envoy: [`${MANAGER}.normalize_path`, undefined] },
  { code: 'merge-slashes', of: 'chart', envoy: [`${MANAGER}.merge_slashes`, false] },
  { code: 'raw-headers', of: 'demo', envoy: [`${AUTHZ}.encode_raw_headers`, false] },
  { code: 'timeout', of: 'uds', envoy: [`${AUTHZ}.grpc_service.timeout`, '10s'] },
  { code: 'retries', of: 'chart', envoy: [`${AUTHZ}.grpc_service.retry_policy.retry_on`, 'unavailable'] },
  { code: 'health-check', of: 'spire', envoy: [`${CLUSTER}.health_checks`, undefined] },
  { code: 'body-bytes', of: 'uds', envoy: [`${AUTHZ}.with_request_body.pack_as_bytes`, undefined] },
  { code: 'upgrade-type', of: 'tcp', envoy: [`${MANAGER}.upgrade_configs.0.upgrade_type`, 'spdy/3.1'] },
  { code: 'client-certificate', of: 'chart', envoy: [`${TLS}.require_client_certificate`, false] },
  { code: 'filter-missing', of: 'uds', envoy: [`${LISTENERS}.1`, secondListener], probe: 'second listener' },
  { code: 'listener-unchecked', of: 'uds', envoy: [`${CHAINS}.1`, secondChain], probe: 'stranger' },
  { code: 'connect', of: 'files', envoy: [`${MANAGER}.upgrade_configs.1`, { upgrade_type: 'CONNECT' }] },
  { code: 'internal-redirect', of: 'demo', envoy: [`${ROUTE}.route.internal_redirect_policy`, {}] },
  { code: 'host-mismatch', of: 'spire', envoy: [`${HOST}.domains`, ['orders.internal']] },
  { code: 'filter-missing', of: 'uds', envoy: [FILTER, undefined], probe: 'stranger' },
  { code: 'filter-shadow', of: 'uds', envoy: [`${AUTHZ}.shadow_mode`, true], probe: 'stranger' },
  {
    code: 'filter-conditional',
    of: 'uds',
    envoy: [`${AUTHZ}.filter_enabled`, { default_value: { numerator: 0, denominator: 'HUNDRED' } }],
    probe: 'stranger',
  },
  {
    code: 'filter-disabled',
    of: 'uds',
    // What a route says of the filter turns it on again.
    without: `${HOST}.typed_per_filter_config`,
    envoy: [`${FILTER}.disabled`, true],
    probe: 'stranger',
  },
  {
    code: 'route-service',
    of: 'uds',
    envoy: [
      OF_ROUTE,
      perRoute({ check_settings: { grpc_service: { envoy_grpc: { cluster_name: 'other' }, timeout: '20s' } } }),
    ],
    probe: 'impostor',
  },
  {
    code: 'headers-hidden',
    of: 'uds',
    envoy: [`${AUTHZ}.disallowed_headers`, { patterns: [{ exact: 'authorization' }] }],
    probe: 'broken token',
  },
  {
    code: 'upgrade-unchecked',
    of: 'uds',
    envoy: [`${MANAGER}.upgrade_configs.0.filters`, [router]],
    probe: 'websocket',
  },
  {
    code: 'slashes-judged-merged',
    of: 'uds',
    envoy: [`${MANAGER}.merge_slashes`, undefined],
    beside: ['request.mergeSlashes', true],
    probe: 'two slashes',
  },
  {
    code: 'peer-unlisted',
    of: 'spire',
    product: ['listen.peers', ['spiffe://prod.example/ns/orders/sa/envoy']],
  },
];

/** The same in other places, and what is left of the codes. */
export const further: readonly Mutation[] = [
  {
    code: 'route-disabled',
    of: 'uds',
    envoy: [`${HOST}.typed_per_filter_config`, perRoute({ disabled: true })],
    probe: 'stranger',
  },
  {
    code: 'route-disabled',
    of: 'uds',
    envoy: [
      OF_ROUTE,
      { [NAME]: { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', disabled: true } },
    ],
    probe: 'stranger',
  },
  {
    code: 'filter-conditional',
    of: 'uds',
    envoy: [
      `${AUTHZ}.filter_enabled_metadata`,
      { filter: 'judge', path: [{ key: 'me' }], value: { bool_match: true } },
    ],
    probe: 'stranger',
  },
  { code: 'filter-conditional', of: 'uds', envoy: [FILTER, matched], probe: 'stranger' },
  {
    code: 'xfcc-forwarded',
    of: 'uds',
    envoy: [`${MANAGER}.forward_client_cert_details`, 'ALWAYS_FORWARD_ONLY'],
    probe: 'forged header',
  },
  {
    code: 'xfcc-matcher',
    of: 'uds',
    envoy: [
      `${MANAGER}.forward_client_cert_matcher`,
      {
        on_no_match: {
          action: {
            name: 'forward',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertConfig',
              forward_client_cert_details: 'ALWAYS_FORWARD_ONLY',
            },
          },
        },
      },
    ],
    probe: 'forged header',
  },
  { code: 'answers-before', of: 'uds', envoy: [`${MANAGER}.http_filters`, [cache, ...filters]], probe: 'cached' },
  {
    code: 'body-overstated',
    of: 'uds',
    envoy: [
      `${HOST}.routes.0.typed_per_filter_config`,
      perRoute({
        check_settings: {
          context_extensions: { body: '65536' },
          with_request_body: { max_request_bytes: 8192, allow_partial_message: true, pack_as_bytes: true },
        },
      }),
    ],
    probe: 'cut body',
  },
  {
    code: 'sidecar-unproven',
    of: 'chart',
    envoy: [
      `${CLUSTER}.transport_socket.typed_config.common_tls_context.combined_validation_context.default_validation_context.match_typed_subject_alt_names`,
      undefined,
    ],
    probe: 'impostor',
  },
  { code: 'sidecar-plaintext', of: 'chart', envoy: [`${CLUSTER}.transport_socket`, undefined], probe: 'impostor' },
  { code: 'xfcc-mode', of: 'uds', product: ['identity.forwarded.mode', 'sanitize'] },
  { code: 'xfcc-chain', of: 'spire', envoy: [`${MANAGER}.set_current_client_cert_details.chain`, undefined] },
  { code: 'xfcc-format', of: 'uds', envoy: [`${MANAGER}.set_current_client_cert_details.format`, 'JSON'] },
  { code: 'escaped-slashes', of: 'tcp', envoy: [`${MANAGER}.path_with_escaped_slashes_action`, 'KEEP_UNCHANGED'] },
  { code: 'path-rewrite', of: 'uds', envoy: [`${ROUTE}.route.prefix_rewrite`, '/internal/'] },
  { code: 'client-plaintext', of: 'demo', envoy: [`${CHAINS}.0.transport_socket`, undefined] },
  {
    code: 'client-unvalidated',
    of: 'uds',
    envoy: [`${TLS}.common_tls_context.validation_context.trust_chain_verification`, 'ACCEPT_UNTRUSTED'],
  },
  { code: 'session-resumption', of: 'files', envoy: [`${TLS}.disable_stateless_session_resumption`, undefined] },
  {
    code: 'connection-duration',
    of: 'spire',
    envoy: [`${MANAGER}.common_http_protocol_options.max_connection_duration`, '0s'],
  },
  {
    code: 'stream-duration',
    of: 'uds',
    envoy: [`${MANAGER}.common_http_protocol_options.max_stream_duration`, undefined],
  },
  { code: 'host-wildcard', of: 'uds', envoy: [`${HOST}.domains`, ['*']], beside: ['hosts', []] },
  { code: 'route-cache', of: 'uds', envoy: [`${AUTHZ}.clear_route_cache`, true] },
  { code: 'remote-address', of: 'uds', envoy: [`${MANAGER}.use_remote_address`, false] },
  { code: 'admin-exposed', of: 'uds', envoy: ['admin.address.socket_address.address', '0.0.0.0'] },
  { code: 'retry-budget', of: 'uds', envoy: [`${CLUSTER}.circuit_breakers`, undefined] },
  { code: 'panic-threshold', of: 'uds', envoy: [`${CLUSTER}.common_lb_config.healthy_panic_threshold`, undefined] },
  { code: 'drain-delay', of: 'uds', product: ['limits.drainDelay', '500ms'] },
  { code: 'cluster-missing', of: 'uds', envoy: [`${CLUSTER}.name`, 'authz'] },
  { code: 'cluster-http2', of: 'uds', envoy: [`${CLUSTER}.typed_extension_protocol_options`, undefined] },
  { code: 'body-cut', of: 'uds', envoy: [`${AUTHZ}.with_request_body.allow_partial_message`, false] },
  {
    code: 'body-unread',
    of: 'uds',
    envoy: [
      OF_ROUTE,
      perRoute({ check_settings: { context_extensions: { body: '8192' }, disable_request_body_buffering: true } }),
    ],
  },
  { code: 'headers-limit', of: 'uds', envoy: [`${MANAGER}.max_request_headers_kb`, 512] },
  { code: 'body-limit', of: 'uds', envoy: [`${AUTHZ}.with_request_body.max_request_bytes`, 2_000_000] },
  {
    code: 'host-unserved',
    of: 'uds',
    envoy: [`${HOST}.typed_per_filter_config`, undefined],
    beside: ['hosts', ['orders.internal']],
  },
  { code: 'peer-hosts', of: 'spire', product: ['listen.peers.0.hosts', ['orders.internal']] },
  { code: 'check-address', of: 'tcp', product: ['listen.check', '127.0.0.1:9199'] },
  { code: 'check-tls', of: 'spire', envoy: [`${CLUSTER}.transport_socket`, undefined] },
  { code: 'unseen', of: 'uds', envoy: ['dynamic_resources.lds_config', { ads: {} }] },
];

/** A good configuration with one change; `before` has all of it but the change. */
export function mutate({ of, envoy, product, beside, without }: Mutation): {
  readonly before: Good;
  readonly mutant: Good;
} {
  const [before, mutant] = [goods[of](), goods[of]()];
  for (const each of [before, mutant]) {
    if (beside !== undefined) set(each.product, ...beside);
    if (without !== undefined) set(each.envoy, without, undefined);
  }
  if (envoy !== undefined) set(mutant.envoy, ...envoy);
  if (product !== undefined) set(mutant.product, ...product);
  return { before, mutant };
}

/** What a mutation changes, in words. */
export const nameOf = ({ code, of, envoy, product }: Mutation): string =>
  `${code}: ${(envoy ?? product)![0].split('.').slice(-2).join('.')} of ${of}`;

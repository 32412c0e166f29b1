import { type CheckRow, ENVOY, SEEN, SERVICE } from './check-row.ts';

/** What lacks a bound, or a second line of defence. */
export const weakening = {
  'header-removal': {
    message: 'a client’s own x-authz-… headers reach the service on each route that is not checked',
    write: 'early_header_mutation_extensions: [… { remove_on_match: { key_matcher: { prefix: x-authz- } } }]',
    reason: ENVOY,
  },
  underscores: {
    message: 'x_authz_caller is x-authz-caller to many services',
    write: 'common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }',
    reason: ENVOY,
  },
  'path-normalization': {
    message: 'Envoy may match a route by a path that the service reads otherwise',
    write: 'normalize_path: true',
    reason: SERVICE,
  },
  'merge-slashes': {
    message: 'Envoy may match a route by // where the service reads /',
    write: 'merge_slashes: true',
    reason: SERVICE,
  },
  'escaped-slashes': {
    message: 'Envoy may match a route by %2F where the service reads /',
    write: 'path_with_escaped_slashes_action: REJECT_REQUEST',
    reason: SERVICE,
  },
  'path-rewrite': {
    message: 'the service gets another path or host than the one that was judged',
    write: '# without a rewrite; give the service the path that policies name',
    reason: SERVICE,
  },
  'raw-headers': {
    message: 'a repeated header and a comma in its value look alike',
    write: 'encode_raw_headers: true',
    reason: ENVOY,
  },
  'client-plaintext': {
    message: 'clients connect without TLS, so none proves itself by a certificate',
    write: 'transport_socket: { name: envoy.transport_sockets.tls, … }',
    reason: SEEN,
  },
  'client-certificate': {
    message: 'clients without a certificate connect; the sidecar alone refuses them',
    write: 'require_client_certificate: true',
    reason: SEEN,
  },
  'client-unvalidated': {
    message: 'Envoy takes any certificate of a client; the sidecar alone validates it',
    write: 'trust_chain_verification: VERIFY_TRUST_CHAIN',
    reason: SEEN,
  },
  'session-resumption': {
    message: 'a resumed session skips the validation of a certificate that may have expired',
    write: 'disable_stateless_session_resumption: true and disable_stateful_session_resumption: true',
    reason: ENVOY,
  },
  'connection-duration': {
    message: 'a connection outlives the certificate that opened it',
    write: 'common_http_protocol_options: { max_connection_duration: 1800s }',
    reason: 'docs/connections.md#where-it-is-set',
  },
  'stream-duration': {
    message: 'a tunnel is checked once, when it opens, and lives on',
    write: 'common_http_protocol_options: { max_stream_duration: 900s }',
    reason: 'docs/connections.md#where-it-is-set',
  },
  'upgrade-type': {
    message: 'a type of upgrade is a way to open a tunnel, and is checked once',
    write: 'upgrade_configs: [{ upgrade_type: websocket }]',
    reason: SERVICE,
  },
  connect: {
    message: 'CONNECT opens a tunnel to the service, in which nothing is judged',
    write: '# without upgrade_type CONNECT, connect_matcher and connect_config',
    reason: SERVICE,
  },
  'internal-redirect': {
    message: 'the service chooses where a request goes next, on routes that may not be checked',
    write: '# without internal_redirect_policy',
    reason: ENVOY,
  },
  'host-wildcard': {
    message: 'a virtual host takes hosts that a client invents',
    write: 'domains: [payments.internal]',
    reason: ENVOY,
  },
  'route-cache': {
    message: 'headers that the sidecar sets move the request to another route than the one that was judged',
    write: 'clear_route_cache: false',
    reason: ENVOY,
  },
  'remote-address': {
    message: 'Envoy believes x-forwarded-for and x-envoy-… headers of clients',
    write: 'use_remote_address: true',
    reason: SEEN,
  },
  'admin-exposed': {
    message: 'whoever reaches the admin port can drain and reconfigure this Envoy',
    write: 'address: { socket_address: { address: 127.0.0.1, port_value: 9901 } }',
    reason: ENVOY,
  },
} as const satisfies Readonly<Record<string, CheckRow>>;

import { BODY, type CheckRow, ENVOY, PEERS, SEEN, SHUTDOWN } from './check-row.ts';

/** What refuses requests that should pass, or proves nobody. */
export const refusing = {
  'peer-certificate': {
    message: 'the sidecar gets no certificate, so nobody is proven by one',
    write: 'include_peer_certificate: true',
    reason: SEEN,
  },
  'xfcc-mode': {
    message: 'forward_client_cert_details is not identity.forwarded.mode',
    write: 'forward_client_cert_details: SANITIZE_SET',
    reason: SEEN,
  },
  'xfcc-chain': {
    message: 'x-forwarded-client-cert has no chain, so a certificate under an intermediate proves nobody',
    write: 'set_current_client_cert_details: { uri: true, chain: true }',
    reason: SEEN,
  },
  'xfcc-format': {
    message: 'x-forwarded-client-cert in JSON is refused',
    write: '# set_current_client_cert_details without format',
    reason: SEEN,
  },
  timeout: {
    message: 'the time for a check does not fit limits.deadline',
    write: 'timeout: 0.25s',
    reason: ENVOY,
  },
  retries: {
    message: 'a sidecar that restarts fails the requests that it had under way',
    write: 'retry_policy: { retry_on: "connect-failure,refused-stream,reset", num_retries: 2 }',
    reason: SHUTDOWN,
  },
  'retry-budget': {
    message: 'Envoy repeats no more than three checks at a time',
    write: 'circuit_breakers: { thresholds: [{ max_retries: 1024 }] }',
    reason: SHUTDOWN,
  },
  'health-check': {
    message: 'Envoy goes on asking a sidecar that says it does not serve',
    write: 'health_checks: [{ timeout: 0.5s, interval: 1s, …, grpc_health_check: {} }]',
    reason: SHUTDOWN,
  },
  'panic-threshold': {
    message: 'Envoy asks sidecars that are not ready when many are not',
    write: 'common_lb_config: { healthy_panic_threshold: { value: 0 } }',
    reason: SHUTDOWN,
  },
  'drain-delay': {
    message: 'limits.drainDelay is shorter than the interval of the health checks',
    write: 'health_checks: [{ interval: 1s, … }]',
    reason: SHUTDOWN,
  },
  'cluster-missing': {
    message: 'the cluster that the filter asks is not defined',
    write: 'clusters: [{ name: cedar-ext-authz, … }]',
    reason: ENVOY,
  },
  'cluster-http2': {
    message: 'the cluster does not speak HTTP/2, so every check fails',
    write: 'explicit_http_config: { http2_protocol_options: {} }',
    reason: ENVOY,
  },
  'cluster-authority': {
    message: 'the name of the cluster is sent as :authority, and ends the stream',
    write: 'authority: cedar-ext-authz under envoy_grpc and under grpc_health_check',
    reason: ENVOY,
  },
  'body-bytes': {
    message: 'bodies are sent as text, so none that has other bytes can be approved',
    write: 'with_request_body: { max_request_bytes: 8192, allow_partial_message: true, pack_as_bytes: true }',
    reason: BODY,
  },
  'body-unread': {
    message: 'context_extensions.body is set, and Envoy reads no body here',
    write: 'with_request_body: { max_request_bytes: 8192, allow_partial_message: true, pack_as_bytes: true }',
    reason: BODY,
  },
  'body-cut': {
    message: 'Envoy answers longer bodies with 413, also where no approval is asked for',
    write: 'allow_partial_message: true',
    reason: BODY,
  },
  'headers-limit': {
    message: 'Envoy takes more headers than limits.headerBytes',
    write: 'max_request_headers_kb: 60',
    reason: 'docs/bounds.md',
  },
  'body-limit': {
    message: 'a check with a body this long is longer than limits.requestBytes',
    write: 'max_request_bytes: 8192',
    reason: 'docs/bounds.md',
  },
  'host-unserved': {
    message: 'nothing assigns this host to this Envoy: neither context_extensions.host nor hosts nor servedBy',
    write: 'check_settings: { context_extensions: { host: payments.internal } }',
    reason: SEEN,
  },
  'host-mismatch': {
    message: 'context_extensions.host is none of the domains, so every request is refused',
    write: 'context_extensions: { host: payments.internal }',
    reason: SEEN,
  },
  'peer-unlisted': {
    message: 'listen.peers does not let this Envoy ask',
    write: 'listen: { peers: [spiffe://…] } in the configuration of the sidecar',
    reason: PEERS,
  },
  'peer-hosts': {
    message: 'the peer of this Envoy may not ask about this host',
    write: 'listen: { peers: [{ id: spiffe://…, hosts: […] }] } in the configuration of the sidecar',
    reason: PEERS,
  },
  'check-address': {
    message: 'the cluster does not lead to listen.check',
    write: 'endpoint: { address: … } as listen.check has it',
    reason: PEERS,
  },
  'check-tls': {
    message: 'the cluster and listen.tls do not agree about TLS',
    write: 'transport_socket: as listen.tls asks',
    reason: PEERS,
  },
} as const satisfies Readonly<Record<string, CheckRow>>;

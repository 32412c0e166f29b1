import { BODY, type CheckRow, ENVOY, PEERS, SEEN, SERVICE } from './check-row.ts';

/** What lets something pass that the sidecar should judge, or lets it be read otherwise than it was judged. */
export const opening = {
  'listener-unchecked': {
    message: 'no HTTP connection manager: bytes pass that nobody judges',
    write: 'filters: [{ name: envoy.filters.network.http_connection_manager, … }]',
    reason: ENVOY,
  },
  'filter-missing': {
    message: 'no ext_authz filter asks a gRPC service: every request passes',
    write: 'http_filters: [{ name: envoy.filters.http.ext_authz, … }, { name: envoy.filters.http.router, … }]',
    reason: ENVOY,
  },
  'filter-disabled': {
    message: 'the filter is off until a route turns it on',
    write: 'disabled: false',
    reason: ENVOY,
  },
  'filter-conditional': {
    message: 'the filter runs for a part of the requests only, and the others pass',
    write: '# without filter_enabled, filter_enabled_metadata, is_optional and match_delegate',
    reason: ENVOY,
  },
  'filter-shadow': {
    message: 'what the sidecar refuses passes, and is only recorded',
    write: 'shadow_mode: false',
    reason: ENVOY,
  },
  'fails-open': {
    message: 'while the sidecar is away or slow, every request passes',
    write: 'failure_mode_allow: false',
    reason: ENVOY,
  },
  'filter-order': {
    message: 'a filter after ext_authz can change what was judged, or its route',
    write: '# move it before envoy.filters.http.ext_authz',
    reason: ENVOY,
  },
  'answers-before': {
    message: 'a filter before ext_authz answers by itself, to whoever asks',
    write: '# move it after envoy.filters.http.ext_authz',
    reason: ENVOY,
  },
  'route-disabled': {
    message: 'the filter is off here, so requests pass that nobody judges',
    write: 'disabled: false',
    reason: ENVOY,
  },
  'route-service': {
    message: 'another service than that of the filter decides here',
    write: '# check_settings without grpc_service and http_service',
    reason: ENVOY,
  },
  'upgrade-unchecked': {
    message: 'an upgrade has filters of its own, without ext_authz',
    write: '# upgrade_configs without filters',
    reason: ENVOY,
  },
  'headers-hidden': {
    message: 'the sidecar does not see all headers, and the service does',
    write: '# without allowed_headers and disallowed_headers',
    reason: ENVOY,
  },
  'xfcc-forwarded': {
    message: 'a client’s own x-forwarded-client-cert passes',
    write: 'forward_client_cert_details: SANITIZE_SET',
    reason: SEEN,
  },
  'xfcc-matcher': {
    message: 'a request can choose how x-forwarded-client-cert is treated',
    write: '# without forward_client_cert_matcher',
    reason: SEEN,
  },
  'slashes-judged-merged': {
    message: 'request.mergeSlashes reads // as /, and the service gets //',
    write: 'merge_slashes: true',
    reason: SERVICE,
  },
  'body-overstated': {
    message: 'context_extensions.body says more than Envoy reads, so a part of a body can be approved as the whole',
    write: 'context_extensions: { body: "max_request_bytes" }',
    reason: BODY,
  },
  'sidecar-unproven': {
    message: 'whoever has a certificate of the authority and answers there decides',
    write: 'match_typed_subject_alt_names: [{ san_type: URI, matcher: { exact: "spiffe://…" } }]',
    reason: PEERS,
  },
  'sidecar-plaintext': {
    message: 'whoever is on the way to the sidecar decides: it is not on this machine, and there is no TLS',
    write: 'transport_socket: { name: envoy.transport_sockets.tls, … }',
    reason: PEERS,
  },
} as const satisfies Readonly<Record<string, CheckRow>>;

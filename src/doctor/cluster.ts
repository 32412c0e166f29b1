import { endpointsOf, isLoopback } from './endpoints.ts';
import type { Examination } from './examination.ts';
import type { EnvoyPlace } from './findings.ts';
import type { Message } from './message.ts';

/** Retries at a time, by Envoy's default and by the shipped configurations; fewer are too few for a restart. */
const MIN_RETRIES = 100;
const UPSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

/** Whether the name of a cluster, which gRPC sends as `:authority` unless another one is given, is none. */
export const isNoAuthority = (name: string): boolean => /[|/ ]/.test(name);

/** Checks the cluster by which Envoy asks the sidecar. */
export function checkCluster(cluster: Message, name: string, { findings, product, resources }: Examination): void {
  const place: EnvoyPlace = { cluster: name };
  if (!speaksHttp2(cluster)) findings.add('cluster-http2', cluster, place);
  const thresholds = cluster.message('circuit_breakers')?.list('thresholds') ?? [];
  if (!thresholds.some((each) => (each.number('max_retries') ?? 0) >= MIN_RETRIES || each.has('retry_budget')))
    findings.add('retry-budget', cluster, place, { field: 'circuit_breakers' });
  const checks = cluster.list('health_checks').filter((check) => check.has('grpc_health_check'));
  if (checks.length === 0) findings.add('health-check', cluster, place, { field: 'health_checks' });
  for (const check of checks) {
    const own = check.message('grpc_health_check');
    if (isNoAuthority(name) && !own?.has('authority'))
      findings.add('cluster-authority', check, place, { field: 'grpc_health_check', detail: name });
    product?.checkDrain(check, place, findings);
  }
  const panic = cluster.at('common_lb_config', 'healthy_panic_threshold');
  if (checks.length > 0 && (panic === null || (panic.number('value') ?? 0) > 0))
    findings.add('panic-threshold', cluster, place, { field: 'common_lb_config' });
  const tls = cluster.at('transport_socket', 'typed_config');
  const proof = tls?.type === UPSTREAM_TLS ? tls : null;
  const known = endpointsOf(cluster, resources);
  if (known === null && proof === null)
    findings.add('unseen', cluster, place, { detail: 'its endpoints, and so whether they are on this machine' });
  const addresses = known ?? [];
  const away = addresses.find((address) => 'host' in address && !isLoopback(address.host));
  if (proof === null && away !== undefined && 'host' in away)
    findings.add('sidecar-plaintext', cluster, place, { field: 'load_assignment', detail: away.host });
  if (proof !== null && !namesSidecar(proof)) findings.add('sidecar-unproven', proof, place);
  product?.checkCluster({ cluster, place, tls: proof, addresses, findings });
}

function speaksHttp2(cluster: Message): boolean {
  const options = cluster.message('typed_extension_protocol_options');
  const http = options?.message('envoy.extensions.upstreams.http.v3.HttpProtocolOptions') ?? null;
  const explicit = http?.message('explicit_http_config');
  return cluster.has('http2_protocol_options') || explicit?.has('http2_protocol_options') === true;
}

/** Whether the certificate of whoever answers must have a name. */
function namesSidecar(tls: Message): boolean {
  const common = tls.message('common_tls_context');
  const contexts = [
    common?.message('validation_context'),
    common?.at('combined_validation_context', 'default_validation_context'),
  ];
  const names = [
    'match_typed_subject_alt_names',
    'match_subject_alt_names',
    'verify_certificate_hash',
    'verify_certificate_spki',
  ];
  return contexts.some((context) => names.some((field) => context?.has(field)));
}

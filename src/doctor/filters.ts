import { isNoAuthority } from './cluster.ts';
import type { Examination } from './examination.ts';
import type { EnvoyPlace } from './findings.ts';
import { isAlwaysMarked } from './marked.ts';
import type { Message } from './message.ts';

/** An ext_authz filter that asks a gRPC service. */
export interface CheckFilter {
  /** By which routes speak of it. */
  readonly name: string;
  /** Its entry among the filters of the connection manager. */
  readonly entry: Message;
  readonly config: Message;
  /** The cluster that it asks; null with google_grpc. */
  readonly cluster: string | null;
}

const EXT_AUTHZ = 'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz';
const MATCHED = 'envoy.extensions.common.matching.v3.ExtensionWithMatcher';

/** Filters that neither change a request nor move it to another route; whatever else stands after ext_authz is a finding. */
const HARMLESS = new Set([
  'router.v3.Router',
  'rbac.v3.RBAC',
  'fault.v3.HTTPFault',
  'cors.v3.Cors',
  'csrf.v3.CsrfPolicy',
  'compressor.v3.Compressor',
  'decompressor.v3.Decompressor',
  'ratelimit.v3.RateLimit',
  'local_ratelimit.v3.LocalRateLimit',
  'rate_limit_quota.v3.RateLimitQuotaFilterConfig',
  'admission_control.v3.AdmissionControl',
  'adaptive_concurrency.v3.AdaptiveConcurrency',
  'bandwidth_limit.v3.BandwidthLimit',
  'buffer.v3.Buffer',
  'grpc_stats.v3.FilterConfig',
  'stateful_session.v3.StatefulSession',
  'upstream_codec.v3.UpstreamCodec',
  'tap.v3.Tap',
  'cache.v3.CacheConfig',
  'cache_v2.v3.CacheV2Config',
]);
/** Filters that answer a request that nobody judged. */
const ANSWERING = new Set(['cache.v3.CacheConfig', 'cache_v2.v3.CacheV2Config']);
/** Filters of Istio that only measure and exchange metadata. */
const ISTIO = /^(?:io\.istio\.http\.peer_metadata\.|istio\.alpn|stats\.PluginConfig$|.*AlpnFilter)/;

const DEFAULT_TIMEOUT_MS = 200;
const RETRIED = ['connect-failure', 'refused-stream', 'reset'];

/** Checks the filters of a connection manager and their order; gives those that ask the sidecar. */
export function checkFilters(manager: Message, place: EnvoyPlace, examination: Examination): readonly CheckFilter[] {
  const { findings, resources } = examination;
  const listed = manager.list('http_filters').map((entry) => {
    const name = entry.text('name') ?? '';
    return { name, entry, config: configOf(entry, resources.filters.get(name)) };
  });
  const asking = listed.flatMap(({ name, entry, config }, at) => {
    const filter = checkFilterOf(name, entry, config);
    const running = listed.slice(0, at).filter((each) => !each.entry.flag('disabled'));
    const before = running.flatMap((each) => each.config ?? []);
    return filter === null ? [] : [{ filter, before, wrapped: config?.type === MATCHED }];
  });
  // What discovery brings is unseen already, where it cannot be had.
  const isAllKnown = listed.every(({ config, entry }) => config !== null || !entry.has('config_discovery'));
  if (asking.length === 0 && isAllKnown) findings.add('filter-missing', manager, place, { field: 'http_filters' });
  for (const { filter, before, wrapped } of asking) {
    const { entry } = filter;
    const at = { ...place, filter: filter.name };
    if (entry.flag('is_optional')) findings.add('filter-conditional', entry, at, { field: 'is_optional' });
    if (wrapped) findings.add('filter-conditional', entry, at, { detail: 'match_delegate' });
    checkFilter(filter, before, at, examination);
  }
  const isOurs = (config: Message | null) => asking.some(({ filter }) => filter.config === config);
  const first = listed.findIndex(({ config }) => isOurs(unmatched(config)));
  for (const [at, { name, entry, config }] of listed.entries()) {
    if (first === -1 || isOurs(unmatched(config)) || config === null) continue;
    const kind = config.type.replace(/^envoy\.extensions\.filters\.http\./, '');
    const detail = { detail: name === '' ? kind : name };
    if (at < first && ANSWERING.has(kind)) findings.add('answers-before', entry, place, detail);
    if (at > first && !HARMLESS.has(kind) && !ISTIO.test(kind)) findings.add('filter-order', entry, place, detail);
  }
  const filters = asking.map(({ filter }) => filter);
  for (const upgrade of manager.list('upgrade_configs')) {
    const own = upgrade.list('filters');
    const asks = own.some((entry) => checkFilterOf('', entry, configOf(entry, undefined)) !== null);
    if (own.length > 0 && !asks)
      findings.add('upgrade-unchecked', upgrade, place, {
        field: 'filters',
        detail: upgrade.text('upgrade_type') ?? '',
      });
  }
  return filters;
}

const configOf = (entry: Message, discovered: Message | undefined): Message | null =>
  entry.message('typed_config') ??
  discovered?.message('typed_config') ??
  entry.at('config_discovery', 'default_config');

const unmatched = (config: Message | null): Message | null =>
  config?.type === MATCHED ? config.at('extension_config', 'typed_config') : config;

function checkFilterOf(name: string, entry: Message, wrapped: Message | null): CheckFilter | null {
  const config = unmatched(wrapped);
  const service = config?.type === EXT_AUTHZ ? config.message('grpc_service') : null;
  if (config === null || service === null) return null;
  return { name, entry, config, cluster: service.message('envoy_grpc')?.text('cluster_name') ?? null };
}

function checkFilter(
  { config, cluster }: CheckFilter,
  before: readonly Message[],
  place: EnvoyPlace,
  examination: Examination,
): void {
  const { findings, resources, product, isInternal } = examination;
  const flags = [
    ['fails-open', 'failure_mode_allow'],
    ['filter-shadow', 'shadow_mode'],
    ['route-cache', 'clear_route_cache'],
  ] as const;
  for (const [code, field] of flags) if (config.flag(field)) findings.add(code, config, place, { field });
  const needed = [
    ['peer-certificate', 'include_peer_certificate'],
    ['raw-headers', 'encode_raw_headers'],
  ] as const;
  for (const [code, field] of needed) {
    // Where this Envoy itself connects, no client shows a certificate.
    if (code === 'peer-certificate' && isInternal) continue;
    if (!config.flag(field)) findings.add(code, config, place, { field });
  }
  for (const field of ['allowed_headers', 'disallowed_headers'])
    if (config.has(field)) findings.add('headers-hidden', config, place, { field, detail: field });
  if (!isAlwaysMarked(config, before))
    findings.add('filter-conditional', config, place, { field: 'filter_enabled_metadata' });
  if (!isAlwaysOn(config)) findings.add('filter-conditional', config, place, { field: 'filter_enabled' });
  const body = config.message('with_request_body');
  if (body !== null && !body.flag('pack_as_bytes')) findings.add('body-bytes', body, place, { field: 'pack_as_bytes' });
  if (body !== null && !body.flag('allow_partial_message'))
    findings.add('body-cut', body, place, { field: 'allow_partial_message' });
  checkBodyLimit(body, place, examination);
  const service = config.message('grpc_service');
  if (service === null) return;
  const timeout = service.milliseconds('timeout') ?? DEFAULT_TIMEOUT_MS;
  const deadline = product?.config.limits.deadlineMs ?? null;
  // Zero is no end since Envoy 1.38, and no time before.
  if (timeout === 0 || (deadline !== null && timeout > deadline)) {
    const detail = timeout === 0 ? '0s' : `${timeout} ms, ${deadline} ms`;
    findings.add('timeout', service, place, { field: 'timeout', detail });
  }
  const retryOn = service.message('retry_policy')?.text('retry_on') ?? '';
  const conditions = retryOn.split(',').map((one) => one.trim());
  const missing = RETRIED.filter((word) => !conditions.includes(word));
  if (missing.length > 0) {
    const detail = `without ${missing.join(', ')}`;
    findings.add('retries', service, place, { field: 'retry_policy', detail });
  }
  if (cluster === null) return;
  if (!resources.clusters.has(cluster) && resources.unread.length === 0)
    findings.add('cluster-missing', service, place, { detail: cluster });
  if (isNoAuthority(cluster) && !service.at('envoy_grpc')?.has('authority'))
    findings.add('cluster-authority', service, place, { field: 'envoy_grpc', detail: cluster });
}

/** Whether `filter_enabled` is absent, or is all requests, whatever the runtime says. */
function isAlwaysOn(config: Message): boolean {
  const enabled = config.message('filter_enabled');
  if (enabled === null) return true;
  if ((enabled.text('runtime_key') ?? '') !== '') return false;
  const share = enabled.message('default_value');
  const parts = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };
  const whole = parts[share?.word('denominator', ['HUNDRED', 'TEN_THOUSAND', 'MILLION']) ?? 'HUNDRED'];
  return (share?.number('numerator') ?? 0) >= whole;
}

/** Room for what a check holds beside headers and body. */
const BESIDE_BYTES = 64 * 1024;

/** Whether a check with a body of the most bytes is within the limits of the sidecar. */
export function checkBodyLimit(body: Message | null, place: EnvoyPlace, { findings, product }: Examination): void {
  const bytes = body?.number('max_request_bytes') ?? 0;
  if (product === null || body === null) return;
  const { requestBytes, headerBytes } = product.config.limits;
  if (bytes + Math.min(headerBytes, BESIDE_BYTES) > requestBytes)
    findings.add('body-limit', body, place, { field: 'max_request_bytes', detail: `${bytes}, ${requestBytes} bytes` });
}

import type { CheckCode } from './checks.ts';
import type { Examination } from './examination.ts';
import type { EnvoyPlace } from './findings.ts';
import type { Message } from './message.ts';

const FORWARD = ['SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY'] as const;
const ESCAPED = [
  'IMPLEMENTATION_SPECIFIC_DEFAULT',
  'KEEP_UNCHANGED',
  'REJECT_REQUEST',
  'UNESCAPE_AND_REDIRECT',
  'UNESCAPE_AND_FORWARD',
] as const;
const OVERWRITES = 'OVERWRITE_IF_EXISTS_OR_ADD';
/** Envoy's default of `max_request_headers_kb`. */
const HEADERS_KB = 60;
const KIB = 1024;

/** What an HTTP connection manager does with a request before its filters see it. */
export function checkManager(manager: Message, place: EnvoyPlace, examination: Examination): void {
  const { findings, product } = examination;
  const add = (code: CheckCode, field?: string, detail?: string): void =>
    findings.add(code, manager, place, {
      ...(field === undefined ? {} : { field }),
      ...(detail === undefined ? {} : { detail }),
    });
  checkForwarding(manager, place, examination);
  const http = manager.message('common_http_protocol_options');
  const underscores = http?.word('headers_with_underscores_action', ['ALLOW', 'REJECT_REQUEST', 'DROP_HEADER']);
  if (underscores === undefined || underscores === 'ALLOW') add('underscores', 'common_http_protocol_options');
  if ((http?.milliseconds('max_connection_duration') ?? 0) === 0)
    add('connection-duration', 'common_http_protocol_options');
  if (!manager.flag('normalize_path')) add('path-normalization', 'normalize_path');
  if (!manager.flag('merge_slashes')) {
    const isMergedHere = product?.config.request.mergeSlashes === true;
    add(isMergedHere ? 'slashes-judged-merged' : 'merge-slashes', 'merge_slashes');
  }
  const escaped = manager.word('path_with_escaped_slashes_action', ESCAPED);
  if (escaped === 'IMPLEMENTATION_SPECIFIC_DEFAULT' || escaped === 'KEEP_UNCHANGED')
    add('escaped-slashes', 'path_with_escaped_slashes_action');
  if (!manager.flag('use_remote_address')) add('remote-address', 'use_remote_address');
  if (!removesOurHeaders(manager)) add('header-removal', 'early_header_mutation_extensions');
  const kb = manager.number('max_request_headers_kb') ?? HEADERS_KB;
  if (product !== null && kb * KIB > product.config.limits.headerBytes)
    add('headers-limit', 'max_request_headers_kb', `${kb} KiB, ${product.config.limits.headerBytes} bytes`);
  checkUpgrades(manager, place, examination);
}

function checkForwarding(manager: Message, place: EnvoyPlace, { findings, product }: Examination): void {
  const mode = manager.word('forward_client_cert_details', FORWARD);
  const field = 'forward_client_cert_details';
  const expected = product?.config.identity.forwarded.mode ?? null;
  const wanted = (expected ?? 'sanitize-set').replace('-', '_').toUpperCase();
  const write = `${field}: ${wanted}`;
  const isForwarded = mode === 'FORWARD_ONLY' || mode === 'ALWAYS_FORWARD_ONLY' || mode === 'APPEND_FORWARD';
  if (writesForwarded(manager)) return;
  if (isForwarded && mode !== wanted) findings.add('xfcc-forwarded', manager, place, { field, detail: mode, write });
  else if (expected !== null && mode !== wanted)
    findings.add('xfcc-mode', manager, place, { field, detail: `${mode}, ${expected}`, write });
  if (manager.has('forward_client_cert_matcher'))
    findings.add('xfcc-matcher', manager, place, { field: 'forward_client_cert_matcher' });
  const set = manager.message('set_current_client_cert_details');
  if (set?.word('format', ['TEXT', 'JSON']) === 'JSON') findings.add('xfcc-format', set, place, { field: 'format' });
  const isWritten = mode === 'SANITIZE_SET' || mode === 'APPEND_FORWARD';
  if (isWritten && !set?.flag('chain'))
    findings.add('xfcc-chain', manager, place, { field: 'set_current_client_cert_details' });
}

/**
 * Whether a filter before the one that asks the sidecar writes x-forwarded-client-cert anew, whatever came, as a waypoint
 * does: what the connection manager lets in is gone by then.
 */
function writesForwarded(manager: Message): boolean {
  const running = manager.list('http_filters').filter((filter) => !filter.flag('disabled'));
  const filters = running.flatMap((filter) => filter.message('typed_config') ?? []);
  const asking = filters.findIndex(({ type }) => type.endsWith('.ext_authz.v3.ExtAuthz'));
  const mutations = filters
    .slice(0, Math.max(asking, 0))
    .filter(({ type }) => type.endsWith('.header_mutation.v3.HeaderMutation'))
    .flatMap((config) => config.message('mutations')?.list('request_mutations') ?? []);
  return mutations.some((mutation) => {
    const append = mutation.message('append');
    const action = append?.word('append_action', ['APPEND_IF_EXISTS_OR_ADD', 'ADD_IF_ABSENT', OVERWRITES]);
    return append?.at('header')?.text('key')?.toLowerCase() === 'x-forwarded-client-cert' && action === OVERWRITES;
  });
}

/** Whether headers that begin with `x-authz-` are removed before routing, whatever else is changed. */
function removesOurHeaders(manager: Message): boolean {
  const mutations = manager
    .list('early_header_mutation_extensions')
    .flatMap((extension) => extension.message('typed_config')?.list('mutations') ?? []);
  return mutations.some((mutation) => {
    const matcher = mutation.at('remove_on_match', 'key_matcher');
    return 'x-authz-'.startsWith(matcher?.text('prefix') ?? '/');
  });
}

function checkUpgrades(manager: Message, place: EnvoyPlace, { findings }: Examination): void {
  const upgrades = manager.list('upgrade_configs');
  for (const upgrade of upgrades) {
    if (upgrade.has('enabled') && !upgrade.flag('enabled')) continue;
    const type = upgrade.text('upgrade_type') ?? '';
    if (/^connect/i.test(type)) findings.add('connect', upgrade, place, { field: 'upgrade_type', detail: type });
    else if (type.toLowerCase() !== 'websocket')
      findings.add('upgrade-type', upgrade, place, { field: 'upgrade_type', detail: type });
  }
  const http = manager.message('common_http_protocol_options');
  const opensTunnels = upgrades.length > 0 || manager.at('http2_protocol_options')?.flag('allow_connect') === true;
  if (opensTunnels && (http?.milliseconds('max_stream_duration') ?? 0) === 0)
    findings.add('stream-duration', manager, place, { field: 'common_http_protocol_options' });
}

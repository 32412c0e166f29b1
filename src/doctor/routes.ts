import type { Examination } from './examination.ts';
import { type CheckFilter, checkBodyLimit } from './filters.ts';
import type { EnvoyPlace } from './findings.ts';
import type { Message } from './message.ts';

const CANONICAL = 'envoy.filters.http.ext_authz';
const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig';
/** Fields of a route's action by which the service gets another path or host. */
const REWRITES = [
  'prefix_rewrite',
  'regex_rewrite',
  'path_rewrite',
  'path_rewrite_policy',
  'host_rewrite_literal',
  'auto_host_rewrite',
  'host_rewrite_header',
  'host_rewrite_path_regex',
];

/** What routes say of one filter, from the virtual host inwards. */
interface RouteSettings {
  /** `context_extensions`, merged. */
  readonly extensions: ReadonlyMap<string, string>;
  /** The nearest `check_settings`. */
  readonly nearest: Message | null;
  /** The names of filters that run. */
  readonly on: ReadonlySet<string>;
}

/** Checks the routes of a connection manager, as far as they are known, and what they say of its filters. */
export function checkRoutes(
  manager: Message,
  place: EnvoyPlace,
  filters: readonly CheckFilter[],
  examination: Examination,
  ids: ReadonlySet<string>,
): void {
  const { findings, resources } = examination;
  const off = filters.filter(({ entry }) => entry.flag('disabled'));
  const named = manager.message('rds')?.text('route_config_name') ?? '';
  const routes = manager.message('route_config') ?? resources.routes.get(named) ?? null;
  if (routes === null) {
    const field = 'scoped_routes';
    if (manager.has(field)) findings.add('unseen', manager, place, { field, detail: 'scoped routes' });
    for (const { name, entry } of off)
      findings.add('filter-disabled', entry, { ...place, filter: name }, { field: 'disabled' });
    return;
  }
  const on = new Set(filters.filter((filter) => !off.includes(filter)).map(({ name }) => name));
  const none: RouteSettings = { extensions: new Map(), nearest: null, on };
  const top = settings(routes, place, filters, none, examination);
  for (const host of routes.list('virtual_hosts')) checkHost(host, place, filters, top, examination, ids);
}

function checkHost(
  host: Message,
  outer: EnvoyPlace,
  filters: readonly CheckFilter[],
  top: RouteSettings,
  examination: Examination,
  ids: ReadonlySet<string>,
): void {
  const { findings, product, seen } = examination;
  const place = { ...outer, virtualHost: host.text('name') ?? '' };
  const ofHost = settings(host, place, filters, top, examination);
  const domains = host.texts('domains');
  const isBound = product?.servesOneHost === true;
  if (domains.some((domain) => domain.includes('*')) && !isBound && !isOnlyRefusing(host))
    findings.add('host-wildcard', host, place, { field: 'domains', detail: domains.join(', ') });
  for (const [at, route] of host.list('routes').entries()) {
    seen.routes++;
    const here = { ...place, route: at + 1 };
    const ofRoute = settings(route, here, filters, ofHost, examination);
    checkAction(route, here, examination);
    const action = route.message('route');
    for (const weighted of action?.message('weighted_clusters')?.list('clusters') ?? [])
      settings(weighted, here, filters, ofRoute, examination);
    if (action === null || filters.length === 0) continue;
    // Envoy runs a filter that is off at first where a route says anything of it.
    if (ofRoute.on.size === 0 && filters.every(({ entry }) => entry.flag('disabled')))
      findings.add('filter-disabled', route, here, { detail: filters.map(({ name }) => name).join(', ') });
    checkBody(route, here, filters, ofRoute, examination);
    const routed = ofRoute.extensions.get('host') ?? null;
    product?.checkHosts({ ids, route, domains, place: here, routed, findings });
  }
}

/** What `typed_per_filter_config` says of the filters that ask the sidecar. */
function settings(
  at: Message,
  place: EnvoyPlace,
  filters: readonly CheckFilter[],
  outer: RouteSettings,
  { findings }: Examination,
): RouteSettings {
  const config = at.message('typed_per_filter_config');
  if (config === null) return outer;
  let found = outer;
  // What marks requests for a filter that runs by metadata may be another thing here.
  const isMarked = filters.some((filter) => filter.config.has('filter_enabled_metadata'));
  for (const name of isMarked ? config.names : []) {
    const entry = config.message(name);
    if (entry !== null && /rbac/i.test(`${name} ${entry.type}`))
      findings.add('filter-conditional', entry, place, { detail: name });
  }
  for (const name of new Set([...filters.map((filter) => filter.name), CANONICAL])) {
    const entry = config.message(name);
    if (entry === null) continue;
    const wraps = entry.type === FILTER_CONFIG;
    const own = wraps ? entry.message('config') : entry;
    const off = (wraps ? [entry, own] : [own]).filter((each) => each?.flag('disabled') === true);
    for (const each of off)
      if (each !== null && !answersItself(at)) findings.add('route-disabled', each, place, { field: 'disabled' });
    const on = new Set(found.on);
    if (off.length > 0) on.delete(name);
    else if (filters.some((filter) => filter.name === name)) on.add(name);
    found = { ...found, on };
    const check = own?.message('check_settings') ?? null;
    if (check === null) continue;
    for (const field of ['grpc_service', 'http_service'])
      if (check.has(field)) findings.add('route-service', check, place, { field });
    const extensions = new Map(found.extensions);
    const stated = check.message('context_extensions');
    for (const key of stated?.names ?? []) extensions.set(key, stated?.text(key) ?? '');
    found = { extensions, nearest: check, on };
  }
  return found;
}

function checkAction(route: Message, place: EnvoyPlace, { findings }: Examination): void {
  const action = route.message('route');
  if (route.message('match')?.has('connect_matcher')) findings.add('connect', route, place, { field: 'match' });
  if (action === null) return;
  for (const field of ['internal_redirect_policy', 'internal_redirect_action'])
    if (action.has(field)) findings.add('internal-redirect', action, place, { field });
  for (const field of REWRITES)
    if (action.has(field) && action.text(field) !== '')
      findings.add('path-rewrite', action, place, { field, detail: field });
  for (const upgrade of action.list('upgrade_configs')) {
    if (upgrade.has('enabled') && !upgrade.flag('enabled')) continue;
    const type = upgrade.text('upgrade_type') ?? '';
    if (upgrade.has('connect_config') || /^connect/i.test(type))
      findings.add('connect', upgrade, place, { field: 'upgrade_type', detail: type });
    else if (type.toLowerCase() !== 'websocket')
      findings.add('upgrade-type', upgrade, place, { field: 'upgrade_type', detail: type });
  }
}

/** Whether what a route says of its body is what Envoy reads of it. */
function checkBody(
  route: Message,
  place: EnvoyPlace,
  filters: readonly CheckFilter[],
  { extensions, nearest }: RouteSettings,
  examination: Examination,
): void {
  const { findings } = examination;
  const stated = extensions.get('body');
  const own = nearest?.message('with_request_body') ?? null;
  checkBodyLimit(own, place, examination);
  if (stated === undefined) return;
  const isOff = nearest?.flag('disable_request_body_buffering') === true;
  const read = own ?? (isOff ? null : (filters[0]?.config.message('with_request_body') ?? null));
  if (read === null) {
    findings.add('body-unread', nearest ?? route, place);
    return;
  }
  const most = read.number('max_request_bytes') ?? 0;
  const write = `context_extensions: { body: "${most}" }`;
  if (Number(stated) > most)
    findings.add('body-overstated', nearest ?? route, place, { detail: `${stated}, ${most}`, write });
}

/** Whether Envoy answers on a route what its configuration says, and no service is asked. */
const answersItself = (route: Message): boolean => route.has('direct_response') || route.has('redirect');

/** A virtual host for all other hosts may well answer that there is nothing. */
const isOnlyRefusing = (host: Message): boolean => host.list('routes').every(answersItself);

import type { Json } from './fixtures.ts';

/** What of an entry of a dump says when it was made, or by whom. */
const VOLATILE = new Set(['last_updated', 'version_info', 'client_status']);
const LISTENERS = 'ListenersConfigDump';
const KEPT = [LISTENERS, 'RoutesConfigDump', 'ClustersConfigDump', 'EndpointsConfigDump'];

/**
 * What a fixture keeps of a dump: listeners for requests that come in, and the routes, clusters and endpoints that they
 * name; no secrets, no bootstrap, no times.
 */
export function trimmed(configs: readonly Json[]): readonly Json[] {
  const plain = configs.map((config) => without(config) as Json);
  const ofKind = (kind: string) => plain.filter((config) => String(config['@type']).endsWith(kind));
  const listeners = ofKind(LISTENERS).map((config) => filtered(config, (entry) => !isOutbound(entry)));
  let named = JSON.stringify(listeners);
  const rest = KEPT.slice(1).flatMap((kind) => {
    const kept = ofKind(kind).map((config) => filtered(config, (entry) => isNamed(entry, named)));
    named += JSON.stringify(kept);
    return kept;
  });
  return [...listeners, ...rest];
}

/** The one field whose underscores cannot be told from its JSON name. */
const CONTINUE = { proxy100Continue: 'proxy_100_continue' };

/** Each field in the spelling of Envoy's admin port; names of maps keep theirs. */
export function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  const spelled = (name: string) =>
    CONTINUE[name as keyof typeof CONTINUE] ??
    (/^[a-z][A-Za-z0-9]*$/.test(name) ? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : name);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [spelled(name), snakeCased(inner)]));
}

function without(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(without);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => !VOLATILE.has(name));
  return Object.fromEntries(kept.map(([name, inner]) => [name, without(inner)]));
}

/** A part of a dump with those of its entries that are wanted. */
function filtered(config: Json, isWanted: (entry: Json) => boolean): Json {
  const pairs = Object.entries(config).map(([name, value]) => [
    name,
    Array.isArray(value) ? (value as Json[]).filter((entry) => isWanted(resourceOf(entry))) : value,
  ]);
  return Object.fromEntries(pairs);
}

/** The listener, cluster or routes that an entry of a dump wraps. */
function resourceOf(entry: Json): Json {
  const state = (entry.active_state ?? entry) as Json;
  return (state.listener ?? state.cluster ?? state.route_config ?? state.endpoint_config ?? {}) as Json;
}

const isOutbound = (listener: Json): boolean => listener.traffic_direction === 'OUTBOUND';
const isNamed = (resource: Json, text: string): boolean =>
  [resource.name, resource.cluster_name].some(
    (name) => typeof name === 'string' && text.includes(JSON.stringify(name)),
  );

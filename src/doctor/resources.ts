import { resolve } from 'node:path';
import { Fault } from '../base/fault.ts';
import { Message } from './message.ts';
import type { EnvoySources } from './sources.ts';

/** What of Envoy's configuration could be read, from wherever it comes. */
export interface EnvoyResources {
  readonly admin: Message | null;
  readonly listeners: readonly Message[];
  readonly clusters: ReadonlyMap<string, Message>;
  readonly routes: ReadonlyMap<string, Message>;
  /** Endpoints that are discovered, by the names of their clusters. */
  readonly endpoints: ReadonlyMap<string, Message>;
  /** Filters that are configured by discovery, by their names. */
  readonly filters: ReadonlyMap<string, Message>;
  /** Parts that this Envoy gets from somewhere that cannot be read here, in words. */
  readonly unread: readonly string[];
}

interface Collected {
  admin: Message | null;
  readonly listeners: Message[];
  readonly clusters: Map<string, Message>;
  readonly routes: Map<string, Message>;
  readonly endpoints: Map<string, Message>;
  readonly filters: Map<string, Message>;
  readonly unread: string[];
}

const KINDS = ['listeners', 'clusters'] as const;

/**
 * The resources of a bootstrap, static or by subscriptions to files, of a file of such a subscription, or of a config dump.
 * `target` is a file, or the URL of Envoy's admin port. Relative paths in a bootstrap start at `folder`, as they do where
 * Envoy runs. A fault says what could not be read at all.
 */
export async function xdsResources(
  target: string,
  folder: string,
  sources: EnvoySources,
): Promise<EnvoyResources | Fault> {
  const source = await (/^https?:\/\//.test(target) ? sources.dump(target) : sources.file(target));
  if (source instanceof Fault) return source;
  const root = Message.root(source);
  if (root === null) return new Fault(`${target}: holds no configuration of Envoy`);
  const all: Collected = {
    admin: null,
    listeners: [],
    clusters: new Map(),
    routes: new Map(),
    endpoints: new Map(),
    filters: new Map(),
    unread: [],
  };
  const dump = root.list('configs');
  const follower = new Follower(all, folder, sources);
  if (dump.length > 0) readDump(dump, all);
  else if (root.has('resources')) addResources(root.list('resources'), all);
  else if (['static_resources', 'dynamic_resources', 'admin'].some((name) => root.has(name)))
    await readBootstrap(root, all, follower);
  else return new Fault(`${target}: holds no bootstrap, no dump and no resources of Envoy`);
  await follower.ofListeners(dump.length > 0);
  return all;
}

async function readBootstrap(bootstrap: Message, all: Collected, follower: Follower): Promise<void> {
  all.admin = bootstrap.message('admin');
  for (const kind of KINDS) addResources(bootstrap.message('static_resources')?.list(kind) ?? [], all, kind);
  const dynamic = bootstrap.message('dynamic_resources');
  await follower.follow(dynamic?.message('lds_config') ?? null, 'listeners');
  await follower.follow(dynamic?.message('cds_config') ?? null, 'clusters');
}

/** What one entry of `configs` wraps a resource in, by the type of the entry. */
function readDump(configs: readonly Message[], all: Collected): void {
  for (const config of configs) {
    const name = config.type.split('.').at(-1);
    if (name === 'BootstrapConfigDump') all.admin = config.at('bootstrap', 'admin');
    if (name === 'ListenersConfigDump') {
      const dynamic = config.list('dynamic_listeners').map((each) => {
        const state = each.message('active_state') ?? each.message('warming_state');
        return state?.message('listener') ?? null;
      });
      const listeners = [...config.list('static_listeners').map((each) => each.message('listener')), ...dynamic];
      addResources(listeners, all, 'listeners');
    }
    if (name === 'ClustersConfigDump') {
      const wrapped = [...config.list('static_clusters'), ...config.list('dynamic_active_clusters')];
      addResources(
        wrapped.map((each) => each.message('cluster')),
        all,
        'clusters',
      );
    }
    if (name === 'RoutesConfigDump') {
      const wrapped = [...config.list('static_route_configs'), ...config.list('dynamic_route_configs')];
      for (const each of wrapped) addNamed(all.routes, each.message('route_config'));
    }
    if (name === 'EndpointsConfigDump') {
      const wrapped = [...config.list('static_endpoint_configs'), ...config.list('dynamic_endpoint_configs')];
      for (const each of wrapped) addEndpoints(each.message('endpoint_config'), all);
    }
    if (name === 'EcdsConfigDump')
      for (const each of config.list('ecds_filters')) addNamed(all.filters, each.message('ecds_filter'));
  }
}

function addResources(resources: readonly (Message | null)[], all: Collected, kind?: (typeof KINDS)[number]): void {
  for (const resource of resources) {
    if (resource === null) continue;
    const type = resource.type.split('.').at(-1);
    if (kind === 'listeners' || type === 'Listener') all.listeners.push(resource);
    else if (kind === 'clusters' || type === 'Cluster') addNamed(all.clusters, resource);
    else if (type === 'ClusterLoadAssignment') addEndpoints(resource, all);
    else if (type === 'RouteConfiguration') addNamed(all.routes, resource);
    else if (type === 'TypedExtensionConfig') addNamed(all.filters, resource);
  }
}

function addEndpoints(resource: Message | null, { endpoints }: Collected): void {
  const cluster = resource?.text('cluster_name') ?? null;
  if (resource !== null && cluster !== null) endpoints.set(cluster, resource);
}

function addNamed(map: Map<string, Message>, resource: Message | null): void {
  const name = resource?.text('name') ?? null;
  if (resource !== null && name !== null) map.set(name, resource);
}

/** Follows subscriptions to files, each file once. */
class Follower {
  readonly #all: Collected;
  readonly #folder: string;
  readonly #sources: EnvoySources;
  readonly #done = new Set<string>();

  constructor(all: Collected, folder: string, sources: EnvoySources) {
    this.#all = all;
    this.#folder = folder;
    this.#sources = sources;
  }

  /** Routes and filters that listeners get by subscription; those of a dump are in it, or nowhere. */
  async ofListeners(isDump: boolean): Promise<void> {
    for (const listener of [...this.#all.listeners])
      for (const manager of managersOf(listener)) {
        const rds = manager.message('rds');
        const routes = rds?.text('route_config_name') ?? '';
        if (rds !== null && !this.#all.routes.has(routes))
          await this.#orUnread(rds.message('config_source'), `routes ${routes}`, isDump);
        for (const filter of manager.list('http_filters')) {
          const discovery = filter.message('config_discovery');
          const name = filter.text('name') ?? '';
          if (discovery !== null && !this.#all.filters.has(name))
            await this.#orUnread(discovery.message('config_source'), `filter ${name}`, isDump);
        }
      }
  }

  /** What the file of a subscription holds; a source that is no file is unread. */
  async follow(source: Message | null, what: string): Promise<void> {
    if (source === null) return;
    const path = source.at('path_config_source')?.text('path') ?? source.text('path');
    if (path === null) {
      this.#all.unread.push(`${what}: they come from a server`);
      return;
    }
    const file = resolve(this.#folder, path);
    if (this.#done.has(file)) return;
    this.#done.add(file);
    const read = await this.#sources.file(file);
    if (read instanceof Fault) this.#all.unread.push(`${what}: ${read.detail}`);
    else addResources(Message.root(read)?.list('resources') ?? [], this.#all);
  }

  async #orUnread(source: Message | null, what: string, isDump: boolean): Promise<void> {
    if (isDump) this.#all.unread.push(`${what}: the dump does not have them`);
    else await this.follow(source, what);
  }
}

const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** The filter chains of a listener, the default one last. */
export function chainsOf(listener: Message): readonly Message[] {
  const last = listener.message('default_filter_chain');
  return [...listener.list('filter_chains'), ...(last === null ? [] : [last])];
}

/** The HTTP connection manager of a filter chain; null where it has none. */
export function managerOf(chain: Message): Message | null {
  const filters = chain.list('filters').map((filter) => filter.message('typed_config'));
  return filters.find((config) => config?.type === MANAGER) ?? null;
}

const managersOf = (listener: Message): readonly Message[] =>
  chainsOf(listener).flatMap((chain) => managerOf(chain) ?? []);

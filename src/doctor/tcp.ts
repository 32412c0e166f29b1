import { endpointsOf } from './endpoints.ts';
import { isAlwaysMarked } from './marked.ts';
import type { Message } from './message.ts';
import type { EnvoyResources } from './resources.ts';

const EXT_AUTHZ = 'envoy.extensions.filters.network.ext_authz.v3.ExtAuthz';
const TCP_PROXY = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';

/**
 * Whether nothing that a client sends passes through a filter chain without an HTTP connection manager: the sidecar is asked
 * about each connection, and refuses what is no HTTP request; or the chain leads to a cluster that has no endpoint.
 */
export function isClosed(chain: Message, resources: EnvoyResources): boolean {
  const filters = chain.list('filters').flatMap((filter) => filter.message('typed_config') ?? []);
  const proxies = filters.filter(({ type }) => type === TCP_PROXY);
  if (proxies.length > 0 && proxies.every((proxy) => leadsNowhere(proxy, resources))) return true;
  return filters.some(
    (config, at) =>
      config.type === EXT_AUTHZ &&
      config.has('grpc_service') &&
      !config.flag('failure_mode_allow') &&
      isAlwaysMarked(config, filters.slice(0, at)),
  );
}

function leadsNowhere(proxy: Message, resources: EnvoyResources): boolean {
  const cluster = resources.clusters.get(proxy.text('cluster') ?? '');
  if (cluster === undefined || cluster.word('type', ['STATIC', 'STRICT_DNS']) !== 'STATIC') return false;
  return !cluster.has('cluster_type') && endpointsOf(cluster, resources)?.length === 0;
}

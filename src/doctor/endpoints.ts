import type { Message } from './message.ts';
import type { EnvoyResources } from './resources.ts';

/** Where an endpoint of a cluster is. */
export type EndpointAddress = { readonly socket: string } | { readonly host: string; readonly port: number };

/** The endpoints of a cluster, of its own configuration or as a dump has them; null where they are discovered and not there. */
export function endpointsOf(
  cluster: Message,
  { endpoints }: Pick<EnvoyResources, 'endpoints'>,
): readonly EndpointAddress[] | null {
  const service = cluster.message('eds_cluster_config')?.text('service_name') ?? '';
  const discovered = endpoints.get(service === '' ? (cluster.text('name') ?? '') : service);
  const own = cluster.message('load_assignment');
  if (own === null && discovered === undefined && cluster.text('type') === 'EDS') return null;
  return [own, discovered]
    .flatMap((assignment) => assignment?.list('endpoints') ?? [])
    .flatMap((place) => place.list('lb_endpoints'))
    .flatMap((each): EndpointAddress[] => {
      const address = each.at('endpoint', 'address');
      const socket = address?.message('pipe')?.text('path') ?? null;
      if (socket !== null) return [{ socket }];
      const tcp = address?.message('socket_address') ?? null;
      const host = tcp?.text('address') ?? null;
      return tcp === null || host === null ? [] : [{ host, port: tcp.number('port_value') ?? 0 }];
    });
}

/** Whether an address is of this machine alone. A name may resolve elsewhere. */
export const isLoopback = (host: string): boolean => host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

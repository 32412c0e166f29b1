import type { Message } from './message.ts';

/** Where an endpoint of a cluster is. */
export type EndpointAddress = { readonly socket: string } | { readonly host: string; readonly port: number };

/** The endpoints that the configuration of a cluster itself has. */
export function endpointsOf(cluster: Message): readonly EndpointAddress[] {
  const places = cluster.message('load_assignment')?.list('endpoints') ?? [];
  return places
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

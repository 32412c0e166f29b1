import { Refusal } from '../base/outcome.ts';
import type { CheckInput, Connection } from '../http/input.ts';

/** What of a request tells who vouches for its host. */
export interface Vouched extends Pick<CheckInput, 'host'> {
  readonly connection: Pick<Connection, 'destinationPrincipal' | 'extensions'>;
}

/** Who may say that this Envoy serves a host. */
export interface Vouchers {
  /** The names that the config says this Envoy serves. */
  readonly serves: readonly string[];
  /** Hosts of the inventory by the SPIFFE ID of a workload that serves them. */
  readonly servedBy: ReadonlyMap<string, readonly string[]>;
}

/**
 * Null when somebody but the caller says that this Envoy serves the host: the route's `context_extensions.host`, else the
 * only name in `serves`, else the only host that `destination.principal` serves. A route that names another host than the
 * caller is read neither way.
 */
export function vouch(input: Vouched, vouchers: Vouchers): Refusal | null {
  const { destinationPrincipal, extensions } = input.connection;
  const routed = extensions.get('host');
  if (routed !== undefined) {
    return routed === input.host ? null : unserved(`the route serves ${routed}`);
  }
  const { serves } = vouchers;
  if (serves.length === 1 && serves[0] === input.host) return null;
  const hosts = destinationPrincipal === '' ? [] : (vouchers.servedBy.get(destinationPrincipal) ?? []);
  if (hosts.length === 1 && hosts[0] === input.host) return null;
  if (serves.includes(input.host) || hosts.includes(input.host)) {
    return unserved('this Envoy serves several hosts; state context_extensions.host on the route');
  }
  return unserved("neither the route's context_extensions.host, serves nor servedBy names it for this Envoy");
}

function unserved(why: string): Refusal {
  return new Refusal('request_host_not_served', why);
}

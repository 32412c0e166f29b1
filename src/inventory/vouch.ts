import { Refusal } from '../base/outcome.ts';
import type { CheckInput, Connection } from '../http/input.ts';

/** What of a request tells who vouches for its host. */
export interface Vouched extends Pick<CheckInput, 'host'> {
  readonly connection: Pick<Connection, 'checkPeer' | 'destinationPrincipal' | 'extensions'>;
}

/** What assigns hosts to this Envoy, beside its routes. */
export interface Vouchers {
  /** `hosts` of the configuration. */
  readonly hosts: readonly string[];
  /** Hosts of the inventory by the SPIFFE ID of a workload that serves them. */
  readonly servedBy: ReadonlyMap<string, readonly string[]>;
}

/**
 * Null when somebody but the caller says that this Envoy serves the host: the route's `context_extensions.host`, else the
 * only name in `hosts`, else the only host that `destination.principal` serves. A route that names another host than the
 * caller is read neither way. All of this is the word of the Envoy that asks; under mutual TLS the host must also be one
 * that it is bound to. Refusals: `request_host_not_served`, `request_host_not_bound`.
 */
export function vouch(input: Vouched, vouchers: Vouchers): Refusal | null {
  return unassigned(input, vouchers) ?? unbound(input, vouchers);
}

function unassigned(input: Vouched, vouchers: Vouchers): Refusal | null {
  const { destinationPrincipal, extensions } = input.connection;
  const routed = extensions.get('host');
  if (routed !== undefined) {
    return routed === input.host ? null : unserved(`the route serves ${routed}`);
  }
  const { hosts } = vouchers;
  if (hosts.length === 1 && hosts[0] === input.host) return null;
  const served = destinationPrincipal === '' ? [] : (vouchers.servedBy.get(destinationPrincipal) ?? []);
  if (served.length === 1 && served[0] === input.host) return null;
  if (hosts.includes(input.host) || served.includes(input.host)) {
    return unserved('this Envoy serves several hosts; set context_extensions.host on the route');
  }
  return unserved(
    `host '${input.host}' is not assigned to this Envoy; set context_extensions.host on the route, or hosts, or servedBy`,
  );
}

function unbound({ host, connection: { checkPeer } }: Vouched, { servedBy }: Vouchers): Refusal | null {
  if (checkPeer === null || checkPeer.hosts.has(host)) return null;
  if (checkPeer.servedHosts && servedBy.get(checkPeer.id.text)?.includes(host)) return null;
  const cure = checkPeer.servedHosts ? 'add it to servedBy of the host' : 'add the host to hosts of this peer';
  return new Refusal(
    'request_host_not_bound',
    `${checkPeer.id.text} is not bound to the host '${host}'; ${cure}, if it may ask about it`,
  );
}

function unserved(why: string): Refusal {
  return new Refusal('request_host_not_served', why);
}

import { isIP } from 'node:net';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { PeerEntry } from '../config/peers.ts';
import type { Config } from '../config/schema.ts';
import type { EndpointAddress } from './endpoints.ts';
import type { EnvoyFindings, EnvoyPlace } from './findings.ts';
import type { Message } from './message.ts';

/** What Envoy writes in a dump for what its API marks as sensitive, such as `context_extensions`. */
const REDACTED = '[redacted]';

/** The SPIFFE IDs of `servedBy`, by the host of the inventory. */
export type ServedHosts = ReadonlyMap<string, ReadonlySet<string>>;

interface HostCheck {
  /** The SPIFFE IDs by which this Envoy is known to clients; empty where its configuration does not say. */
  readonly ids: ReadonlySet<string>;
  readonly route: Message;
  readonly domains: readonly string[];
  readonly place: EnvoyPlace;
  /** `context_extensions.host` of the route. */
  readonly routed: string | null;
  readonly findings: EnvoyFindings;
}

interface ClusterCheck {
  readonly cluster: Message;
  readonly place: EnvoyPlace;
  readonly tls: Message | null;
  readonly addresses: readonly EndpointAddress[];
  readonly findings: EnvoyFindings;
}

/** The configuration of the sidecar, held against that of the Envoy which asks it. */
export class ProductView {
  readonly config: Config;
  readonly #peers: readonly PeerEntry[] | null;
  readonly #served: ServedHosts | null;
  /** Hosts that this Envoy asks about. */
  readonly #asked = new Set<string>();

  /**
   * `peers` are those of `listen.peers` or of its file; null where they are not known. `served` is what the inventory says,
   * null where none was given.
   */
  constructor(config: Config, peers: readonly PeerEntry[] | null, served: ServedHosts | null = null) {
    this.config = config;
    this.#peers = peers;
    this.#served = served;
  }

  /** Whether the sidecar refuses every host but one, whatever a route takes. */
  get servesOneHost(): boolean {
    return this.config.hosts.length === 1;
  }

  /** Whether something assigns the hosts of a route to this Envoy. */
  checkHosts({ ids, route, domains, place, routed, findings }: HostCheck): void {
    const hosts = domains.map(withoutPort).filter((host) => !host.includes('*'));
    if (routed !== null) {
      if (routed === REDACTED) return;
      this.#asked.add(routed);
      if (hosts.length > 0 && hosts.length === domains.length && !hosts.includes(routed))
        findings.add('host-mismatch', route, place, { detail: `${routed}, ${domains.join(', ')}` });
      return;
    }
    for (const host of hosts) {
      const detail = this.#unassigned(host, ids);
      if (detail === null) {
        this.#asked.add(host);
        continue;
      }
      const write = `check_settings: { context_extensions: { host: ${host} } }`;
      findings.add('host-unserved', route, place, { detail, write });
    }
  }

  /** Why neither `hosts` nor `servedBy` assigns a host to this Envoy; null where one does, or may. */
  #unassigned(host: string, ids: ReadonlySet<string>): string | null {
    const ours = this.config.hosts;
    if (ours.length === 1 && ours[0] === host) return null;
    if (this.#served === null) {
      // Without `hosts` the inventory may assign it.
      if (ours.length === 0) return null;
      return ours.includes(host) ? `${host}: hosts has several` : host;
    }
    const serving = this.#served.get(host) ?? new Set<string>();
    if (ids.size === 0 && serving.size > 0) return null;
    const own = [...ids].find((id) => serving.has(id));
    if (own === undefined) return ours.includes(host) ? `${host}: hosts has several` : host;
    const several = [...this.#served].filter(([, by]) => by.has(own)).length > 1;
    return several ? `${host}: ${own} serves several` : null;
  }

  /** Whether health checks notice within limits.drainDelay that the sidecar drains. */
  checkDrain(check: Message, place: EnvoyPlace, findings: EnvoyFindings): void {
    const interval = check.milliseconds('interval') ?? 0;
    const { drainDelayMs } = this.config.limits;
    if (interval > drainDelayMs)
      findings.add('drain-delay', check, place, { field: 'interval', detail: `${drainDelayMs} ms, ${interval} ms` });
  }

  /** Whether the cluster leads to listen.check, in the way that it asks, as one of its peers. */
  checkCluster({ cluster, place, tls, addresses, findings }: ClusterCheck): void {
    const { check, tls: listens } = this.config.listen;
    if (check === null) return;
    for (const address of addresses)
      if (!leadsTo(address, check))
        findings.add('check-address', cluster, place, {
          field: 'load_assignment',
          detail: `${'socket' in address ? address.socket : `${address.host}:${address.port}`}, ${addressText(check)}`,
        });
    if ((tls === null) !== (listens === null)) {
      const detail = tls === null ? 'listen.tls is on' : 'listen.tls is off';
      findings.add('check-tls', cluster, place, { field: 'transport_socket', detail });
    }
    if (tls !== null && listens !== null) this.#checkPeer(tls, place, findings);
  }

  #checkPeer(tls: Message, place: EnvoyPlace, findings: EnvoyFindings): void {
    const secrets = tls.message('common_tls_context')?.list('tls_certificate_sds_secret_configs') ?? [];
    if (this.#peers === null) return;
    for (const secret of secrets) {
      // Agents of SPIFFE name a secret by the id of its certificate; other names say nothing.
      const id = SpiffeId.parse(secret.text('name') ?? '');
      if (id instanceof Refusal) continue;
      const matching = this.#peers.filter(({ pattern }) => pattern.matches(id));
      if (matching.length === 0) {
        findings.add('peer-unlisted', secret, place, { field: 'name', detail: id.text });
        continue;
      }
      const asksServed = matching.some(({ hosts }) => hosts === null);
      if (asksServed && this.#served === null) continue;
      const served = asksServed ? [...(this.#served ?? [])].filter(([, by]) => by.has(id.text)) : [];
      const bound = new Set([...matching.flatMap(({ hosts }) => hosts ?? []), ...served.map(([host]) => host)]);
      for (const host of this.#asked.difference(bound))
        findings.add('peer-hosts', secret, place, { field: 'name', detail: `${id.text}, ${host}` });
    }
  }
}

type CheckAddress = NonNullable<Config['listen']['check']>;

const addressText = (check: CheckAddress): string =>
  check.kind === 'unix' ? check.path : `${check.host}:${check.port}`;

function leadsTo(address: EndpointAddress, check: CheckAddress): boolean {
  if ('socket' in address) return check.kind === 'unix' && check.path === address.socket;
  if (check.kind === 'unix') return false;
  // Names, Services and other addresses of this machine may lead to one that listens everywhere, or elsewhere.
  const isAnywhere = isIP(address.host) === 0 || !check.loopback;
  const isSamePort = check.port === 0 || check.port === address.port || isIP(address.host) === 0;
  return isSamePort && (isAnywhere || check.host === address.host);
}

/** The name of a domain of Envoy, without its port. */
const withoutPort = (domain: string): string => domain.replace(/:(?:\d+|\*)$/, '');

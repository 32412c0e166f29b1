import type { ProductView } from './against-product.ts';
import { checkClients, ownIds } from './clients.ts';
import { checkCluster } from './cluster.ts';
import { isLoopback } from './endpoints.ts';
import type { Examination } from './examination.ts';
import { checkFilters } from './filters.ts';
import { EnvoyFindings, type EnvoyPlace, type Finding } from './findings.ts';
import { checkManager } from './manager.ts';
import type { Message } from './message.ts';
import { chainsOf, type EnvoyResources, managerOf } from './resources.ts';
import { checkRoutes } from './routes.ts';
import { isClosed } from './tcp.ts';

/** What the doctor found, and how much it looked at. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly seen: Readonly<Examination['seen']>;
}

/**
 * What is missing in Envoy's configuration, or opens something. Looks at every listener for requests that come in, but for
 * those in `skipped`; with `product` also at what the sidecar's configuration says of this Envoy. Time is linear in the
 * configuration.
 */
export function examineEnvoy(
  resources: EnvoyResources,
  product: ProductView | null,
  skipped: ReadonlySet<string>,
): Diagnosis {
  const findings = new EnvoyFindings();
  const seen = { listeners: 0, chains: 0, routes: 0 };
  if (resources.admin !== null) checkAdmin(resources.admin, findings);
  const asked = new Set<string>();
  for (const listener of resources.listeners) {
    const name = listener.text('name') ?? '';
    if (skipped.has(name) || skipped.has(addressOf(listener)) || isOutbound(listener)) continue;
    seen.listeners++;
    const isInternal = listener.has('internal_listener');
    const examination: Examination = { resources, product, findings, isInternal, seen };
    for (const cluster of checkListener(listener, name, examination)) asked.add(cluster);
  }
  for (const name of asked) {
    const cluster = resources.clusters.get(name);
    const examination: Examination = { resources, product, findings, isInternal: false, seen };
    if (cluster !== undefined) checkCluster(cluster, name, examination);
  }
  const first = resources.listeners[0] ?? resources.admin ?? [...resources.clusters.values()][0];
  if (first !== undefined) for (const detail of resources.unread) findings.add('unseen', first, {}, { detail });
  return { findings: findings.all, seen };
}

/** Checks a listener; gives the clusters that its filters ask. */
function checkListener(listener: Message, name: string, examination: Examination): readonly string[] {
  return chainsOf(listener).flatMap((chain, at) => {
    examination.seen.chains++;
    const place: EnvoyPlace = { listener: name, chain: at + 1 };
    const manager = managerOf(chain);
    if (manager === null) {
      if (!isClosed(chain, examination.resources)) examination.findings.add('listener-unchecked', chain, place);
      return [];
    }
    if (!examination.isInternal) checkClients(chain, place, examination);
    checkManager(manager, place, examination);
    const filters = checkFilters(manager, place, examination);
    checkRoutes(manager, place, filters, examination, ownIds(chain));
    return filters.map(({ cluster }) => cluster).filter((cluster) => cluster !== null);
  });
}

/** `HOST:PORT`, for listeners of a bootstrap that have no name. */
function addressOf(listener: Message): string {
  const address = listener.at('address', 'socket_address');
  return `${address?.text('address') ?? ''}:${address?.number('port_value') ?? ''}`;
}

/** Envoy says so of listeners of a mesh that take what a workload sends. */
const isOutbound = (listener: Message): boolean =>
  listener.word('traffic_direction', ['UNSPECIFIED', 'INBOUND', 'OUTBOUND']) === 'OUTBOUND';

function checkAdmin(admin: Message, findings: EnvoyFindings): void {
  const address = admin.at('address', 'socket_address');
  const host = address?.text('address') ?? null;
  if (address !== null && host !== null && !isLoopback(host))
    findings.add('admin-exposed', address, {}, { field: 'address', detail: host });
}

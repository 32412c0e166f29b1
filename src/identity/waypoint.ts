import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { CheckInput } from '../http/input.ts';

/** For whom a waypoint speaks. */
export interface WaypointRule {
  readonly hosts: ReadonlySet<string>;
  readonly trustDomains: ReadonlySet<string>;
  /** The segment after `ns` in the SPIFFE IDs of callers. */
  readonly namespaces: ReadonlySet<string>;
}

/** Waypoints by their SPIFFE IDs. */
export type Waypoints = ReadonlyMap<string, WaypointRule>;

/** Whom a waypoint names; or why its word is not believed, which refuses who shows nothing else. */
export interface WaypointsWord {
  readonly waypoint: SpiffeId;
  /** Null where its word is not believed. */
  readonly id: SpiffeId | null;
  readonly why: Refusal | null;
}

/** The SPIFFE ID of a Kubernetes service account, as meshes write it. */
const SERVICE_ACCOUNT = /^\/ns\/([^/]+)\/sa\/[^/]+$/;

/**
 * The caller that a waypoint names. A waypoint of an ambient mesh does not see the caller's certificate, which ends at the
 * node's tunnel: it writes x-forwarded-client-cert with a bare URI, and nothing in it can be verified again. So the word is
 * taken from a client of the check port alone that proved there to be a waypoint of the configuration, and that shows no
 * connection of its own; of one element, written by it, without any part of a certificate; and of callers of its trust
 * domains and namespaces, on its hosts. It proves no possession. Null where no waypoint says anything.
 *
 * Refusals: those of a header that cannot be read, and `identity_xfcc_mismatch` where it says more than a waypoint knows.
 */
export function waypointsWord(
  { connection, host }: Pick<CheckInput, 'connection' | 'host'>,
  waypoints: Waypoints,
  trustedProxies: ReadonlySet<string>,
): WaypointsWord | Refusal | null {
  const { checkPeer, source, forwarded } = connection;
  const rule = checkPeer === null ? undefined : waypoints.get(checkPeer.id.text);
  if (checkPeer === null || rule === undefined || source.certificate !== '' || source.principal !== '') return null;
  if (forwarded instanceof Refusal) return forwarded;
  const { element, nearer } = forwarded;
  if (element === null) return null;
  const { by, uri, cert, chain, hash, subject, dns } = element;
  if (nearer.length > 0) return mismatch('a waypoint writes one element');
  if ([cert, chain, hash, subject].some((part) => part !== null) || dns.length > 0)
    return mismatch('a waypoint sees no certificate of the caller, and the element has a part of one');
  if (by.length > 1 || by.some((writer) => writer !== checkPeer.id.text))
    return mismatch(`By is not ${checkPeer.id.text}, which asks`);
  if (uri === null) return null;
  const id = SpiffeId.parse(uri);
  if (id instanceof Refusal) return id;
  const unbelieved = (why: string): WaypointsWord => {
    const detail = `${checkPeer.id.text} is not believed about ${id.text}: ${why}`;
    return { waypoint: checkPeer.id, id: null, why: new Refusal('identity_proxy_untrusted', detail) };
  };
  if (!rule.hosts.has(host)) return unbelieved(`its entry has no host '${host}'`);
  if (!rule.trustDomains.has(id.trustDomain)) return unbelieved('the trust domain is none of its entry');
  const namespace = SERVICE_ACCOUNT.exec(id.path)?.[1];
  if (namespace === undefined) return unbelieved('it is no service account of a namespace');
  if (!rule.namespaces.has(namespace)) return unbelieved('the namespace is none of its entry');
  if (trustedProxies.has(id.text) || waypoints.has(id.text)) return unbelieved('it is a proxy, and never a caller');
  return { waypoint: checkPeer.id, id, why: null };
}

const mismatch = (detail: string): Refusal => new Refusal('identity_xfcc_mismatch', detail);

import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { BundleSnapshot, TrustBundle } from './bundle.ts';
import { parseBundleDocument } from './bundle-document.ts';
import { type EndpointProof, fetchProven } from './federation-fetch.ts';
import { RefreshedBundle } from './refreshed-bundle.ts';

/** The shortest time between two fetches, whatever a document or `maxStaleMs` asks for. */
const MIN_INTERVAL_MS = 1000;
/** Between two fetches, until a document states a refresh hint. */
const REFRESH_SECONDS = 300;

/** The proof that an endpoint gives; `bootstrap` is for while nothing was fetched, where it serves its own trust domain. */
export type FederationProfile =
  | Extract<EndpointProof, { kind: 'https_web' }>
  | (Omit<Extract<EndpointProof, { kind: 'https_spiffe' }>, 'bundles'> & { readonly bootstrap: TrustBundle | null });

export interface FederationOptions {
  /** From the configuration: never what the URL or the document says. */
  readonly trustDomain: string;
  readonly url: string;
  readonly profile: FederationProfile;
  /** Milliseconds: the document is fetched at least three times within this. */
  readonly maxStaleMs: number;
  readonly clock: Clock;
  /** The bundles in force, for an endpoint that lies in another trust domain. */
  readonly bundles: () => BundleSnapshot;
}

/**
 * The bundle of a foreign trust domain from its bundle endpoint (SPIFFE Federation section 5): fetched at the start and as
 * often as the document asks, between 30 s and an hour (SPIFFE Trust Domain and Bundle section 4.1.2). A document whose
 * sequence number is lower than that of the last one is refused; so is the same number over other content.
 */
export function federationEndpoint(options: FederationOptions): RefreshedBundle {
  const { trustDomain, url, profile, maxStaleMs, clock } = options;
  return new RefreshedBundle(trustDomain, {
    clock,
    maxStaleMs,
    leastMs: MIN_INTERVAL_MS,
    refreshMs: (last) => (last?.refreshSeconds ?? REFRESH_SECONDS) * 1000,
    read: async (signal, last) => {
      const proof = profile.kind === 'https_web' ? profile : { ...profile, bundles: () => provers(options, last) };
      const bytes = await fetchProven(url, proof, clock.now(), signal);
      return bytes instanceof Fault ? bytes : readDocument(trustDomain, bytes, last);
    },
  });
}

function readDocument(trustDomain: string, bytes: Uint8Array, last: TrustBundle | null): TrustBundle | Fault {
  const text = decodeUtf8(bytes);
  if (text instanceof Fault) return text;
  const content = parseBundleDocument(text);
  if (content instanceof Fault) return content;
  const next = new TrustBundle(trustDomain, content);
  if (last === null || last.sequence === null) return next;
  if (next.sequence === null) return new Fault('the document has lost its sequence number');
  if (next.sequence < last.sequence)
    return new Fault(`the sequence number ${next.sequence} is lower than ${last.sequence}`);
  if (next.sequence === last.sequence && next.revision !== last.revision)
    return new Fault(`two documents have the sequence number ${next.sequence}`);
  return next;
}

/**
 * What proves an https_spiffe endpoint: the bundle of the trust domain of its id. An endpoint that serves its own trust
 * domain is proven by the newest bundle that it gave, however old, since nothing else could ever replace it.
 */
function provers(
  { profile, trustDomain, bundles, clock }: FederationOptions,
  last: TrustBundle | null,
): BundleSnapshot {
  if (profile.kind === 'https_web' || profile.endpoint.trustDomain !== trustDomain) return bundles();
  const state = { name: trustDomain, local: false, maxStaleMs: Number.POSITIVE_INFINITY };
  return new BundleSnapshot([{ ...state, bundle: last ?? profile.bootstrap, freshAt: clock.now() }]);
}

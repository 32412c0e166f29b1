import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { wakeAfter } from '../source/wake.ts';
import { BundleSnapshot, TrustBundle } from './bundle.ts';
import { parseBundleDocument } from './bundle-document.ts';
import type { BundleSink, BundleSource } from './bundle-source.ts';
import { type EndpointProof, fetchBundle } from './federation-fetch.ts';

/** The shortest time between two fetches, whatever a document or `maxStaleMs` asks for. */
const MIN_INTERVAL_MS = 1000;

export type FederationProfile =
  | { readonly kind: 'https_web'; readonly ca: string | null }
  | {
      readonly kind: 'https_spiffe';
      readonly endpoint: SpiffeId;
      /** Proves the endpoint while nothing was fetched, where it lies in the trust domain that it serves. */
      readonly bootstrap: TrustBundle | null;
      readonly maxLifetimeSeconds: number;
    };

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
export class FederationEndpoint implements BundleSource {
  readonly #options: FederationOptions;
  readonly #proof: EndpointProof;
  readonly #abort = new AbortController();
  #sink: BundleSink | null = null;
  #latest: TrustBundle | null = null;
  #failures = 0;
  #cancel: () => void = () => {};

  constructor(options: FederationOptions) {
    this.#options = options;
    const { profile } = options;
    this.#proof = profile.kind === 'https_web' ? profile : { ...profile, bundles: () => this.#provers() };
  }

  async start(sink: BundleSink): Promise<void> {
    this.#sink = sink;
    await this.#fetch();
  }

  stop(): void {
    this.#sink = null;
    this.#abort.abort();
    this.#cancel();
  }

  async #fetch(): Promise<void> {
    const { trustDomain, url, clock } = this.#options;
    const read = this.#read(await fetchBundle(url, this.#proof, clock.now(), this.#abort.signal));
    if (this.#sink === null) return;
    if (read instanceof Fault) {
      this.#failures++;
      this.#sink.reject(trustDomain, read.detail);
    } else {
      this.#failures = 0;
      this.#latest = read;
      this.#sink.accept(trustDomain, read);
    }
    this.#cancel = wakeAfter(clock, this.#delayMs(), () => void this.#fetch());
  }

  #read(bytes: Uint8Array | Fault): TrustBundle | Fault {
    if (bytes instanceof Fault) return bytes;
    const text = decodeUtf8(bytes);
    if (text instanceof Fault) return text;
    const content = parseBundleDocument(text);
    if (content instanceof Fault) return content;
    const next = new TrustBundle(this.#options.trustDomain, content);
    const latest = this.#latest;
    if (latest === null || latest.sequence === null) return next;
    if (next.sequence === null) return new Fault('the document has lost its sequence number');
    if (next.sequence < latest.sequence)
      return new Fault(`the sequence number ${next.sequence} is lower than ${latest.sequence}`);
    if (next.sequence === latest.sequence && next.revision !== latest.revision)
      return new Fault(`two documents have the sequence number ${next.sequence}`);
    return next;
  }

  /** The document's hint, and less where that would be too old; after a failure soon, then less and less often. */
  #delayMs(): number {
    const hint = (this.#latest?.refreshSeconds ?? 300) * 1000;
    const usual = Math.max(Math.min(hint, this.#options.maxStaleMs / 3), MIN_INTERVAL_MS);
    return this.#failures === 0 ? usual : Math.min(usual, MIN_INTERVAL_MS * 2 ** Math.min(this.#failures, 20));
  }

  /**
   * What proves an https_spiffe endpoint: the bundle of the trust domain of its id. An endpoint that serves its own trust
   * domain is proven by the newest bundle that it gave, however old, since nothing else could ever replace it.
   */
  #provers(): BundleSnapshot {
    const { profile, trustDomain, bundles, clock } = this.#options;
    if (profile.kind === 'https_web' || profile.endpoint.trustDomain !== trustDomain) return bundles();
    const bundle = this.#latest ?? profile.bootstrap;
    const state = { name: trustDomain, local: false, maxStaleMs: Number.POSITIVE_INFINITY };
    return new BundleSnapshot([{ ...state, bundle, freshAt: clock.now() }]);
  }
}

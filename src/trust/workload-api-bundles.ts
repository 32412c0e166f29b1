import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { type BundleContent, TrustBundle } from './bundle.ts';
import { parseJwtAuthorities, parseX509Authorities } from './bundle-document.ts';
import type { BundleSink, BundleSource } from './bundle-source.ts';
import type { WorkloadApi } from './workload-api.ts';
import type { StreamFault } from './workload-api-call.ts';
import { type BundleMap, streams } from './workload-api-messages.ts';

export interface WorkloadApiBundlesOptions {
  readonly api: WorkloadApi;
  /** The trust domains that are taken from it; what it says of others is not looked at. */
  readonly trustDomains: readonly string[];
  readonly clock: Clock;
}

/** What one stream said last of one trust domain. */
interface Said {
  /** Null: nothing is trusted, since the trust domain is absent or the agent denies everything. */
  readonly content: BundleContent | null;
  /** Milliseconds. */
  readonly at: number;
}

type Read = (bytes: Uint8Array) => BundleContent | Fault;

/**
 * The trust bundles that a SPIFFE agent knows, its own trust domain's and the federated ones (SPIFFE Workload API sections
 * 5.2.2 and 6.2.2). Each message of a stream is its complete state: a trust domain that is absent was withdrawn, and a key
 * that is absent verifies nothing from then on. X.509 roots and JWT keys come in two streams and make one bundle, as old as
 * the older of the two. A trust domain whose part of a message is broken keeps what it had, and grows stale by itself.
 */
export class WorkloadApiBundles implements BundleSource {
  readonly #options: WorkloadApiBundlesOptions;
  readonly #x509 = new Map<string, Said>();
  readonly #jwt = new Map<string, Said>();
  #sink: BundleSink | null = null;

  constructor(options: WorkloadApiBundlesOptions) {
    this.#options = options;
  }

  async start(sink: BundleSink): Promise<void> {
    this.#sink = sink;
    const { api } = this.#options;
    await Promise.all([
      api.keepOpen(
        streams.x509Bundles,
        ({ bundles }) => this.#heard(this.#x509, bundles, parseX509Authorities),
        (fault) => this.#failed(this.#x509, fault),
      ),
      api.keepOpen(
        streams.jwtBundles,
        ({ bundles }) => this.#heard(this.#jwt, bundles, readJwt),
        (fault) => this.#failed(this.#jwt, fault),
      ),
    ]);
  }

  stop(): void {
    this.#sink = null;
    this.#options.api.stop();
  }

  #heard(said: Map<string, Said>, bundles: BundleMap, read: Read): void {
    if (Object.keys(bundles).length === 0) {
      this.#reject('the message holds no bundle');
      return;
    }
    const at = this.#options.clock.now();
    for (const trustDomain of this.#options.trustDomains) {
      const bytes = bundles[`spiffe://${trustDomain}`];
      const content = bytes === undefined ? null : read(bytes);
      if (content instanceof Fault) {
        this.#sink?.reject(trustDomain, `the agent's bundle: ${content.detail}`);
      } else {
        said.set(trustDomain, { content, at });
        this.#deliver(trustDomain);
      }
    }
  }

  #failed(said: Map<string, Said>, { kind, detail }: StreamFault): void {
    if (kind === 'denied' || kind === 'unsupported') {
      const at = this.#options.clock.now();
      for (const trustDomain of this.#options.trustDomains) {
        const before = said.get(trustDomain);
        said.set(trustDomain, { content: null, at });
        if (before === undefined || before.content !== null) this.#deliver(trustDomain);
      }
    }
    // An agent without JWT-SVIDs is no fault: there are no JWT keys then.
    if (kind !== 'unsupported' || said === this.#x509) this.#reject(detail);
  }

  #deliver(trustDomain: string): void {
    const x509 = this.#x509.get(trustDomain);
    if (x509 === undefined) return;
    const jwt = this.#jwt.get(trustDomain);
    const freshAt = Math.min(x509.at, jwt?.at ?? x509.at);
    const bundle =
      x509.content === null
        ? null
        : new TrustBundle(trustDomain, {
            ...x509.content,
            jwtAuthorities: jwt?.content?.jwtAuthorities ?? [],
            unreadable: [...x509.content.unreadable, ...(jwt?.content?.unreadable ?? [])],
          });
    this.#sink?.accept(trustDomain, bundle, freshAt);
  }

  #reject(detail: string): void {
    for (const trustDomain of this.#options.trustDomains) this.#sink?.reject(trustDomain, detail);
  }
}

function readJwt(bytes: Uint8Array): BundleContent | Fault {
  const text = decodeUtf8(bytes);
  return text instanceof Fault ? new Fault(text.detail) : parseJwtAuthorities(text);
}

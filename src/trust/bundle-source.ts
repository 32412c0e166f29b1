import { type Freshness, freshness } from '../source/refresher.ts';
import { BundleSnapshot, type TrustBundle, type TrustDomainOptions, type TrustDomainState } from './bundle.ts';

/** Where a source puts what it learns. A source knows nothing else of the program. */
export interface BundleSink {
  /**
   * The complete state of one trust domain; null: it was withdrawn. `freshAt` (milliseconds) is when its oldest part was
   * read or received, and now where it is left out.
   */
  accept(trustDomain: string, bundle: TrustBundle | null, freshAt?: number): void;
  /** A read or message that was no good: what was accepted before stays, and grows stale. `detail` is for the log. */
  reject(trustDomain: string, detail: string): void;
}

/** A place that bundles come from: a file, the Workload API, a federation endpoint. */
export interface BundleSource {
  /** Begins to feed the sink; resolves after the first attempt, whether it succeeded or not. Never rejects. */
  start(sink: BundleSink): Promise<void>;
  stop(): void;
}

/** What became of one read or message, for the log and a metric. */
export interface BundleEvent {
  readonly trustDomain: string;
  readonly result: 'updated' | 'unchanged' | 'withdrawn' | 'rejected';
  /** Of the bundle that is in force after it; null when there is none. */
  readonly revision: string | null;
  /** What was wrong with a rejected one, and what of an accepted one cannot be used. Empty when nothing. */
  readonly detail: string;
}

/** One trust domain as the status page shows it. Times are milliseconds since the epoch. */
export interface TrustDomainStatus {
  readonly name: string;
  readonly local: boolean;
  readonly state: Freshness;
  readonly freshAt: number | null;
  readonly revision: string | null;
  /** Decimal digits: it may be beyond 2^53. */
  readonly sequence: string | null;
  readonly x509Authorities: number;
  readonly jwtAuthorities: number;
  readonly unreadable: readonly string[];
  /** What was wrong with the last read; null when it was good. */
  readonly fault: string | null;
}

export interface BundleStoreOptions {
  readonly domains: readonly TrustDomainOptions[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onEvent: (event: BundleEvent) => void;
}

/**
 * The bundles in force. Sources push into it, checks take snapshots from it; each accepted update makes a new snapshot
 * and leaves the old ones as they were. What no source ever delivered is absent, and absence refuses.
 */
export class BundleStore implements BundleSink {
  readonly #states: Map<string, TrustDomainState>;
  readonly #faults = new Map<string, string>();
  readonly #clock: () => number;
  readonly #onEvent: (event: BundleEvent) => void;
  #snapshot: BundleSnapshot;

  constructor({ domains, clock, onEvent }: BundleStoreOptions) {
    this.#states = new Map(domains.map((domain) => [domain.name, { ...domain, bundle: null, freshAt: null }]));
    this.#clock = clock;
    this.#onEvent = onEvent;
    this.#snapshot = new BundleSnapshot(this.#states.values());
  }

  snapshot(): BundleSnapshot {
    return this.#snapshot;
  }

  accept(trustDomain: string, bundle: TrustBundle | null, freshAt = this.#clock()): void {
    const before = this.#states.get(trustDomain);
    if (before === undefined) return;
    this.#states.set(trustDomain, { ...before, bundle, freshAt });
    this.#snapshot = new BundleSnapshot(this.#states.values());
    this.#faults.delete(trustDomain);
    const known = before.freshAt !== null;
    const unchanged = known && bundle?.revision === before.bundle?.revision;
    const result = unchanged ? 'unchanged' : bundle === null ? 'withdrawn' : 'updated';
    const detail = bundle === null ? '' : bundle.unreadable.join('; ');
    this.#onEvent({ trustDomain, result, revision: bundle?.revision ?? null, detail });
  }

  reject(trustDomain: string, detail: string): void {
    const state = this.#states.get(trustDomain);
    if (state === undefined) return;
    this.#faults.set(trustDomain, detail);
    this.#onEvent({ trustDomain, result: 'rejected', revision: state.bundle?.revision ?? null, detail });
  }

  /** Every configured trust domain at `now` (milliseconds), in the order of the configuration. */
  status(now: number): readonly TrustDomainStatus[] {
    return [...this.#states.values()].map(({ name, local, bundle, freshAt, maxStaleMs }) => ({
      name,
      local,
      state: freshness(bundle === null ? null : freshAt, maxStaleMs, now),
      freshAt,
      revision: bundle?.revision ?? null,
      sequence: bundle?.sequence?.toString() ?? null,
      x509Authorities: bundle?.x509Authorities.length ?? 0,
      jwtAuthorities: bundle?.jwtAuthorities.length ?? 0,
      unreadable: bundle?.unreadable ?? [],
      fault: this.#faults.get(name) ?? null,
    }));
  }
}

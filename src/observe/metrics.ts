import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Reason, reasons } from '../outcome.ts';

/** The stages of one check that are timed. */
export const stages = ['identity', 'task', 'facts', 'policy', 'commit', 'audit'] as const;
export type Stage = (typeof stages)[number];

/** The names that labels may take: each comes from the code or the config, never from a request. */
export interface MetricNames {
  readonly trustDomains: readonly string[];
  /** Issuers whose keys are fetched or read. */
  readonly issuers: readonly string[];
  readonly caches: readonly string[];
  readonly sinks: readonly string[];
}

/** What one check contributes. Times are seconds. */
export interface CheckMetrics {
  readonly result: 'allow' | 'deny';
  readonly reason: Reason | 'permitted';
  /** `none` when the check ended before it was known. */
  readonly effect: 'read' | 'write' | 'none';
  readonly seconds: number;
  readonly stages: Readonly<Partial<Record<Stage, number>>>;
}

/** How full a memory of the sidecar is, in entries and in the bytes that they count as. */
export interface CacheLoad {
  readonly entries: number;
  readonly limit: number;
  readonly bytes: number;
  readonly byteLimit: number;
}

const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1];

/**
 * All metrics of the sidecar, in a registry of their own. A series exists only for names of closed sets, so their number is
 * bounded whatever callers send (design section 11).
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #names: { readonly [K in keyof MetricNames]: ReadonlySet<string> };
  readonly #before: (() => void)[] = [];
  readonly #decisions;
  readonly #duration;
  readonly #stage;
  readonly #shadow;
  readonly #snapshotInfo;
  readonly #snapshotAge;
  readonly #reloads;
  readonly #policyErrors;
  readonly #guardrailsDisabled;
  readonly #shadowedForbids;
  readonly #rebuilds;
  readonly #bundleAge;
  readonly #bundleReloads;
  readonly #svidExpiry;
  readonly #keysAge;
  readonly #keyRefreshes;
  readonly #cacheEntries;
  readonly #cacheLimit;
  readonly #cacheBytes;
  readonly #cacheByteLimit;
  readonly #audit;
  readonly #inflight;
  readonly #shed;
  readonly #replays;

  /** `process: false` leaves out prom-client's metrics of the Node process. */
  constructor(names: MetricNames, options: { readonly process: boolean } = { process: true }) {
    this.#names = {
      trustDomains: new Set(names.trustDomains),
      issuers: new Set(names.issuers),
      caches: new Set(names.caches),
      sinks: new Set(names.sinks),
    };
    const registers = [this.#registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Counter<L>({ name, help, labelNames, registers });
    const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Gauge<L>({ name, help, labelNames, registers });
    const histogram = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Histogram<L>({ name, help, labelNames, registers, buckets: BUCKETS });

    this.#decisions = counter('authz_decisions_total', 'Checks by what was decided and why', [
      'result',
      'reason',
      'effect',
    ]);
    this.#duration = histogram('authz_decision_duration_seconds', 'Time from the check to its answer', ['result']);
    this.#stage = histogram('authz_stage_duration_seconds', 'Time of one stage of a check', ['stage']);
    this.#shadow = counter(
      'authz_shadow_disagreements_total',
      'Checks that a shadowed policy would have decided otherwise',
      ['policy'],
    );
    this.#snapshotInfo = gauge('authz_policy_snapshot_info', 'The snapshot that decides, by its revision', [
      'revision',
    ]);
    this.#snapshotAge = gauge('authz_policy_snapshot_age_seconds', 'Time since the snapshot was loaded');
    this.#reloads = counter('authz_policy_reloads_total', 'Attempts to load a changed snapshot', ['result']);
    this.#policyErrors = counter('authz_policy_errors_total', 'Checks refused because a policy could not be evaluated');
    this.#guardrailsDisabled = gauge('authz_guardrails_disabled', 'Guardrails that the config disables');
    this.#shadowedForbids = gauge(
      'authz_shadowed_forbids',
      'Forbids that are only recorded, since they are in shadow mode',
    );
    this.#rebuilds = counter('authz_engine_rebuilds_total', 'Times that the policy engine was replaced');
    this.#bundleAge = gauge('authz_trust_bundle_age_seconds', 'Time since the trust bundle was last read well', [
      'trust_domain',
    ]);
    this.#bundleReloads = counter('authz_trust_bundle_reloads_total', 'Attempts to read a trust bundle', [
      'trust_domain',
      'result',
    ]);
    this.#svidExpiry = gauge('authz_svid_expiry_seconds', 'Time until our own X.509-SVID expires; below 0 once it has');
    this.#keysAge = gauge('authz_issuer_keys_age_seconds', 'Time since the keys of the issuer were last read well', [
      'issuer',
    ]);
    this.#keyRefreshes = counter('authz_issuer_keys_refreshes_total', 'Attempts to read the keys of an issuer', [
      'issuer',
      'result',
    ]);
    this.#cacheEntries = gauge('authz_cache_entries', 'Entries that are remembered', ['cache']);
    this.#cacheLimit = gauge('authz_cache_limit', 'Entries that may be remembered', ['cache']);
    this.#cacheBytes = gauge('authz_cache_bytes', 'Bytes that the remembered entries count as', ['cache']);
    this.#cacheByteLimit = gauge('authz_cache_limit_bytes', 'Bytes that the remembered entries may count as', [
      'cache',
    ]);
    this.#audit = counter('authz_audit_records_total', 'Audit records by what became of them', ['sink', 'result']);
    this.#inflight = gauge('authz_inflight_checks', 'Checks that are being answered');
    this.#shed = counter('authz_shed_total', 'Checks refused because the sidecar had too much to do');
    this.#replays = counter('authz_replays_total', 'Checks refused because a proof was used before');
    if (options.process) collectDefaultMetrics({ register: this.#registry });
  }

  /** One check was answered. */
  decided({ result, reason, effect, seconds, stages: times }: CheckMetrics): void {
    const known = reason === 'permitted' || Object.hasOwn(reasons, reason) ? reason : 'internal';
    this.#decisions.inc({ result, reason: known, effect });
    this.#duration.observe({ result }, seconds);
    for (const stage of stages) {
      const time = times[stage];
      if (time !== undefined) this.#stage.observe({ stage }, time);
    }
    if (known === 'policy_error') this.#policyErrors.inc();
    if (known === 'overloaded') this.#shed.inc();
    if (known.endsWith('_replayed')) this.#replays.inc();
  }

  /** The checks that are being answered now. */
  inflight(checks: number): void {
    this.#inflight.set(checks);
  }

  /**
   * A snapshot decides from now on. `shadows` are its shadowed policies, `shadowedForbids` of them forbids: only they get a
   * series, and those of the last snapshot lose theirs.
   */
  snapshot(revision: string, guardrailsDisabled: number, shadows: readonly string[], shadowedForbids: number): void {
    this.#snapshotInfo.reset();
    this.#snapshotInfo.set({ revision }, 1);
    this.#guardrailsDisabled.set(guardrailsDisabled);
    this.#shadowedForbids.set(shadowedForbids);
    const kept = new Set(shadows);
    for (const policy of this.#shadows) if (!kept.has(policy)) this.#shadow.remove({ policy });
    for (const policy of kept) if (!this.#shadows.has(policy)) this.#shadow.inc({ policy }, 0);
    this.#shadows = kept;
  }
  #shadows: ReadonlySet<string> = new Set();

  /** A shadowed policy would have decided otherwise. */
  shadowDisagreed(policy: string): void {
    if (this.#shadows.has(policy)) this.#shadow.inc({ policy });
  }

  snapshotAge(seconds: number): void {
    this.#snapshotAge.set(seconds);
  }

  /** A changed snapshot was loaded, or refused. */
  reloaded(result: 'loaded' | 'refused'): void {
    this.#reloads.inc({ result });
  }

  engineRebuilt(): void {
    this.#rebuilds.inc();
  }

  bundleAge(trustDomain: string, seconds: number): void {
    if (this.#names.trustDomains.has(trustDomain)) this.#bundleAge.set({ trust_domain: trustDomain }, seconds);
  }

  bundleRead(trustDomain: string, result: 'loaded' | 'refused'): void {
    if (this.#names.trustDomains.has(trustDomain)) this.#bundleReloads.inc({ trust_domain: trustDomain, result });
  }

  svidExpiry(seconds: number): void {
    this.#svidExpiry.set(seconds);
  }

  issuerKeysAge(issuer: string, seconds: number): void {
    if (this.#names.issuers.has(issuer)) this.#keysAge.set({ issuer }, seconds);
  }

  issuerKeysRead(issuer: string, result: 'loaded' | 'refused'): void {
    if (this.#names.issuers.has(issuer)) this.#keyRefreshes.inc({ issuer, result });
  }

  cache(name: string, { entries, limit, bytes, byteLimit }: CacheLoad): void {
    if (!this.#names.caches.has(name)) return;
    this.#cacheEntries.set({ cache: name }, entries);
    this.#cacheLimit.set({ cache: name }, limit);
    this.#cacheBytes.set({ cache: name }, bytes);
    this.#cacheByteLimit.set({ cache: name }, byteLimit);
  }

  /** Records became lines of a sink, or did not. */
  audited(sink: string, result: 'written' | 'failed', records: number): void {
    if (this.#names.sinks.has(sink)) this.#audit.inc({ sink, result }, records);
  }

  /** Runs before each scrape: the place to set ages and fill levels. */
  beforeScrape(update: () => void): void {
    this.#before.push(update);
  }

  /** What a scrape gets: the Prometheus text format. */
  async scrape(): Promise<{ readonly type: string; readonly body: string }> {
    for (const update of this.#before) update();
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}

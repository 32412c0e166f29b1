import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type AnsweredReason, reasons } from '../base/outcome.ts';
import type { SignalKind } from '../behaviour/signals.ts';
import { type ControlCounter, type MetricName, metricRows, type PlainCounter } from './metrics-table.ts';
import { PolicySeries } from './policy-series.ts';
import type { CacheLoad, MetricRow } from './tables/metric-row.ts';
import { TimeHistogram } from './time-histogram.ts';

/** The stages of one check that are timed. */
export const stages = ['identity', 'task', 'facts', 'policy', 'commit', 'audit'] as const;
export type Stage = (typeof stages)[number];

/** Why a connection to the check port was refused. */
export const refusedConnections = ['handshake', 'timeout', 'peer'] as const;
export type RefusedConnection = (typeof refusedConnections)[number];

/** The names that labels may take: each comes from the code or the config, never from a request. */
export interface MetricNames {
  readonly trustDomains: readonly string[];
  /** Issuers whose keys are fetched or read. */
  readonly issuers: readonly string[];
  readonly caches: readonly string[];
  readonly sinks: readonly string[];
  /** Every unsafe setting, whether or not it is in force. */
  readonly unsafe: readonly string[];
}

/** What one check contributes. Times are seconds. */
export interface CheckMetrics {
  readonly result: 'allow' | 'deny';
  readonly reason: AnsweredReason;
  /** `none` when the check ended before it was known. */
  readonly effect: 'read' | 'write' | 'none';
  readonly seconds: number;
  /** Those that ran, in microseconds. */
  readonly stages: readonly { readonly stage: Stage; readonly micros: number }[];
  /** The forbids that decided, over all hops. */
  readonly forbids: readonly string[];
  /** What was noticed about the caller. */
  readonly signals?: readonly SignalKind[];
}

/** What metrics show of a snapshot. */
export interface SnapshotMetrics {
  readonly revision: string;
  readonly label: string | null;
  /** Guardrails that are in force, and those that the config disables. */
  readonly guardrails: number;
  readonly guardrailsDisabled: number;
  /** Enforced forbids. */
  readonly forbids: readonly { readonly id: string; readonly guardrail: boolean }[];
  /** Ids of shadowed policies. */
  readonly shadows: readonly string[];
  readonly shadowedForbids: number;
}

const answers = { permitted: true, observed: true };
const EFFECTS = ['read', 'write', 'none'] as const;

type NamesOf<T extends MetricRow['type']> = {
  [N in MetricName]: (typeof metricRows)[N]['type'] extends T ? N : never;
}[MetricName];
type Labels = Readonly<Record<string, string>>;

/**
 * All metrics of the sidecar, in a registry of their own. A series exists only for names of closed sets, so their number is
 * bounded whatever callers send. Counters are there with 0 from the start, so that a first event is a rise; a gauge of what
 * is not known is absent.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #names: { readonly [K in keyof MetricNames]: ReadonlySet<string> };
  readonly #before: (() => void)[] = [];
  readonly #metrics: ReadonlyMap<string, Counter | Gauge | TimeHistogram>;
  /** Decisions since the last scrape, by their labels. */
  readonly #decisions = new Map<string, { readonly labels: Labels; count: number }>();
  readonly #policies: PolicySeries;

  /** `process: false` leaves out prom-client's metrics of the Node process. */
  constructor(names: MetricNames, options: { readonly process: boolean } = { process: true }) {
    this.#names = {
      trustDomains: new Set(names.trustDomains),
      issuers: new Set(names.issuers),
      caches: new Set(names.caches),
      sinks: new Set(names.sinks),
      unsafe: new Set(names.unsafe),
    };
    this.#metrics = new Map(Object.entries(metricRows).map(([name, row]) => [name, this.#make(name, row)]));
    this.#policies = new PolicySeries(
      this.#of('authz_policy_forbids_total') as Counter,
      this.#of('authz_shadow_disagreements_total') as Counter,
    );
    this.#begin();
    if (options.process) collectDefaultMetrics({ register: this.#registry });
  }

  /** One check was answered. */
  decided({ result, reason, effect, seconds, stages: times, forbids, signals = [] }: CheckMetrics): void {
    const known = Object.hasOwn(answers, reason) || Object.hasOwn(reasons, reason) ? reason : 'internal';
    const series = `${result} ${known} ${effect}`;
    const decisions = this.#decisions.get(series) ?? { labels: { result, reason: known, effect }, count: 0 };
    if (++decisions.count === 1) this.#decisions.set(series, decisions);
    this.#observe('authz_decision_duration_seconds', result, seconds);
    for (const { stage, micros } of times) this.#observe('authz_stage_duration_seconds', stage, micros / 1e6);
    if (known === 'policy_error') this.#count('authz_policy_errors_total');
    if (known === 'overloaded') this.#count('authz_shed_total');
    if (known.endsWith('_replayed')) this.#count('authz_replays_total');
    this.#policies.forbidden(forbids, result);
    for (const signal of signals) this.#count('authz_behaviour_signals_total', { signal });
  }

  /** A snapshot decides from now on: only its policies have series. */
  snapshot(shown: SnapshotMetrics): void {
    const { revision, label, guardrails, guardrailsDisabled, shadowedForbids } = shown;
    const info = this.#of('authz_policy_snapshot_info') as Gauge;
    info.reset();
    info.set({ revision, label: label ?? '' }, 1);
    this.#set('authz_guardrails_in_force', guardrails);
    this.#set('authz_guardrails_disabled', guardrailsDisabled);
    this.#set('authz_shadowed_forbids', shadowedForbids);
    this.#policies.follow(shown.forbids, shown.shadows);
  }

  /** A shadowed policy would have decided otherwise. */
  shadowDisagreed(policy: string): void {
    this.#policies.disagreed(policy);
  }

  /** The teams whose folder is not served as it is. */
  teamsHeldBack(teams: number): void {
    this.#set('authz_policy_teams_held_back', teams);
  }

  /** Whether what a file of the check port holds now is not what is in force. */
  checkPortOutOfDate(file: 'certificate' | 'ca' | 'peers', is: boolean): void {
    this.#set('authz_check_port_out_of_date', is ? 1 : 0, { file });
  }

  /** A changed snapshot was loaded, or refused. */
  reloaded(result: 'loaded' | 'refused'): void {
    this.#count('authz_policy_reloads_total', { result });
  }

  revocationsRead(result: 'loaded' | 'refused'): void {
    this.#count('authz_revocations_reads_total', { result });
  }

  /** Counts what has no labels. */
  counted(name: PlainCounter, by = 1): void {
    this.#count(name, {}, by);
  }

  bundleAge(trustDomain: string, seconds: number): void {
    if (!this.#names.trustDomains.has(trustDomain)) return;
    this.#set('authz_trust_bundle_age_seconds', seconds, { trust_domain: trustDomain });
  }

  bundleMaxStale(trustDomain: string, seconds: number): void {
    if (!this.#names.trustDomains.has(trustDomain)) return;
    this.#set('authz_trust_bundle_max_stale_seconds', seconds, { trust_domain: trustDomain });
  }

  bundleRead(trustDomain: string, result: 'loaded' | 'refused'): void {
    if (!this.#names.trustDomains.has(trustDomain)) return;
    this.#count('authz_trust_bundle_reloads_total', { trust_domain: trustDomain, result });
  }

  /** Sets gauges without labels; null: not known, so that they are absent. */
  gauges(values: Readonly<Partial<Record<NamesOf<'gauge'>, number | null>>>): void {
    for (const [name, value] of Object.entries(values) as [NamesOf<'gauge'>, number | null][]) {
      if (value === null) (this.#of(name) as Gauge).remove();
      else this.#set(name, value);
    }
  }

  /** The store was connected to, or began a new history. */
  storeEvent(kind: 'connected' | 'history'): void {
    this.#count(kind === 'connected' ? 'authz_store_connects_total' : 'authz_store_histories_total');
  }

  issuerKeysAge(issuer: string, seconds: number): void {
    if (this.#names.issuers.has(issuer)) this.#set('authz_issuer_keys_age_seconds', seconds, { issuer });
  }

  issuerKeysMaxStale(issuer: string, seconds: number): void {
    if (this.#names.issuers.has(issuer)) this.#set('authz_issuer_keys_max_stale_seconds', seconds, { issuer });
  }

  issuerKeysRead(issuer: string, result: 'loaded' | 'refused'): void {
    if (this.#names.issuers.has(issuer)) this.#count('authz_issuer_keys_refreshes_total', { issuer, result });
  }

  cache(cache: string, { entries, limit, bytes, byteLimit }: CacheLoad): void {
    if (!this.#names.caches.has(cache)) return;
    this.#set('authz_cache_entries', entries, { cache });
    if (limit !== undefined) this.#set('authz_cache_limit', limit, { cache });
    this.#set('authz_cache_bytes', bytes, { cache });
    this.#set('authz_cache_limit_bytes', byteLimit, { cache });
  }

  /** Lines were written to a sink, or were not. */
  audited(sink: string, result: 'written' | 'failed', records: number): void {
    if (this.#names.sinks.has(sink)) this.#count('authz_audit_records_total', { sink, result }, records);
  }

  /** Lines that wait for a sink, and how many may. */
  auditQueue(sink: string, waiting: number, limit: number): void {
    if (this.#names.sinks.has(sink)) this.#set('authz_audit_queue_entries', waiting, { sink });
    this.#set('authz_audit_queue_limit', limit);
  }

  connectionRefused(cause: RefusedConnection): void {
    this.#count('authz_tls_refused_total', { cause });
  }

  /** Counts at the control port, and of traces; `labels` come from their code. With 0 the series begins. */
  readonly control = (name: ControlCounter, labels: Labels = {}, by = 1): void => this.#count(name, labels, by);

  /** Somebody decided what was asked for so many seconds before. */
  readonly approvalDecided = (decision: string, seconds: number): void =>
    this.#observe('authz_approval_decision_seconds', decision, seconds);

  /** An unsafe setting is in force. */
  unsafe(setting: string): void {
    if (this.#names.unsafe.has(setting)) this.#set('authz_unsafe_settings', 1, { setting });
  }

  build(version: string, node: string): void {
    this.#set('authz_build_info', 1, { version, node });
  }

  /** Runs before each scrape: the place to set ages and fill levels. */
  beforeScrape(update: () => void): void {
    this.#before.push(update);
  }

  /** What a scrape gets: the Prometheus text format. */
  async scrape(): Promise<{ readonly type: string; readonly body: string }> {
    for (const { labels, count } of this.#decisions.values()) this.#count('authz_decisions_total', labels, count);
    this.#decisions.clear();
    for (const update of this.#before) update();
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #make(name: string, { type, help, labels, buckets }: MetricRow): Counter | Gauge | TimeHistogram {
    const options = { name, help, labelNames: Object.keys(labels), registers: [this.#registry] };
    if (type === 'histogram') return new TimeHistogram(name, help, options.labelNames[0]!, this.#registry, buckets);
    if (type === 'counter') return new Counter(options);
    const gauge = new Gauge(options);
    // A gauge begins with 0, which would say something that nobody measured.
    if (options.labelNames.length === 0) gauge.remove();
    return gauge;
  }

  /** Every series that a closed set foresees is there from the start. */
  #begin(): void {
    const { trustDomains, issuers, sinks, unsafe } = this.#names;
    const reads = ['loaded', 'refused'] as const;
    for (const effect of EFFECTS) {
      for (const reason of Object.keys(reasons))
        this.#count('authz_decisions_total', { result: 'deny', reason, effect }, 0);
      if (effect === 'none') continue;
      for (const reason of ['permitted', 'observed']) {
        this.#count('authz_decisions_total', { result: 'allow', reason, effect }, 0);
      }
    }
    const begin = (name: NamesOf<'histogram'>) => (label: string) => (this.#of(name) as TimeHistogram).begin(label);
    ['allow', 'deny'].forEach(begin('authz_decision_duration_seconds'));
    stages.forEach(begin('authz_stage_duration_seconds'));
    ['granted', 'refused', 'break-glass'].forEach(begin('authz_approval_decision_seconds'));
    for (const result of reads) {
      this.#count('authz_policy_reloads_total', { result }, 0);
      this.#count('authz_revocations_reads_total', { result }, 0);
      for (const name of trustDomains)
        this.#count('authz_trust_bundle_reloads_total', { trust_domain: name, result }, 0);
      for (const issuer of issuers) this.#count('authz_issuer_keys_refreshes_total', { issuer, result }, 0);
    }
    for (const sink of sinks) {
      for (const result of ['written', 'failed']) this.#count('authz_audit_records_total', { sink, result }, 0);
    }
    for (const cause of refusedConnections) this.#count('authz_tls_refused_total', { cause }, 0);
    for (const setting of unsafe) this.#set('authz_unsafe_settings', 0, { setting });
  }

  #of(name: MetricName): Counter | Gauge | TimeHistogram {
    return this.#metrics.get(name)!;
  }

  #count(name: NamesOf<'counter'>, labels: Labels = {}, by = 1): void {
    (this.#of(name) as Counter).inc(labels, by);
  }

  #set(name: NamesOf<'gauge'>, value: number, labels: Labels = {}): void {
    (this.#of(name) as Gauge).set(labels, value);
  }

  #observe(name: NamesOf<'histogram'>, label: string, seconds: number): void {
    (this.#of(name) as TimeHistogram).observe(label, seconds);
  }
}

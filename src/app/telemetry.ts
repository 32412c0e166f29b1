import { Refusal } from '../base/outcome.ts';
import { shadowOf } from '../check/judge.ts';
import type { Config } from '../config/schema.ts';
import { unsafeInForce, unsafeSettings } from '../config/unsafe.ts';
import type { Concluded } from '../envoy/handler.ts';
import type { Audit } from '../observe/audit.ts';
import { Metrics } from '../observe/metrics.ts';
import type { SnapshotHolder } from '../policy/load/holder.ts';
import type { MemoryState } from '../state/memory.ts';
import type { Identity } from './identity.ts';
import type { Tasks } from './task.ts';

/** The metrics of one configuration: every label comes from it or from the code. */
export function metricsFor(config: Config, version: string, node: string): Metrics {
  const { identity, task, audit } = config;
  const fetched = [...identity.oidc, ...task.issuers.filter((issuer) => issuer.kind !== 'jwt-svid')];
  const metrics = new Metrics({
    trustDomains: Object.keys(identity.trustDomains),
    issuers: [...new Set(fetched.map(({ issuer }) => issuer))],
    caches: ['certificates', 'tokens', 'proofs'],
    sinks: audit.sinks.map(({ to }) => to),
    unsafe: unsafeSettings,
  });
  metrics.build(version, node);
  for (const { setting } of unsafeInForce(config)) metrics.unsafe(setting);
  for (const [name, { maxStaleMs }] of Object.entries(identity.trustDomains)) {
    metrics.bundleMaxStale(name, maxStaleMs / 1000);
  }
  for (const { issuer, maxStaleMs } of fetched) metrics.issuerKeysMaxStale(issuer, maxStaleMs / 1000);
  return metrics;
}

/** Passes on one call a second, so that strangers cannot fill the log. */
export function atMostOnceASecond<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (...args) => {
    const now = performance.now();
    if (now - last < 1000) return;
    last = now;
    run(...args);
  };
}

/** What is measured before each scrape. */
export interface Measured {
  readonly identity: Identity;
  readonly tasks: Tasks;
  readonly policy: SnapshotHolder;
  readonly state: MemoryState;
  readonly audit: Audit;
  readonly inflight: () => number;
  readonly ready: () => boolean;
}

/** Fills in, before each scrape, what is an age or a fill level. `clock` gives milliseconds since the epoch. */
export function measureAtScrape(metrics: Metrics, measured: Measured, { limits, audit }: Config, clock: () => number) {
  const { identity, tasks, policy, state } = measured;
  metrics.beforeScrape(() => {
    const now = clock();
    metrics.ready(measured.ready());
    metrics.inflight(measured.inflight(), limits.concurrentChecks);
    metrics.cache('certificates', identity.verifier.load);
    metrics.cache('tokens', identity.tokens.load);
    metrics.cache('proofs', state.load);
    const { loadedAt, problems } = policy.status();
    if (loadedAt !== null) metrics.snapshotAge((now - loadedAt) / 1000);
    metrics.outOfDate(loadedAt === null || problems.length > 0);
    for (const { name, freshAt } of identity.bundles.status(now)) {
      if (freshAt !== null) metrics.bundleAge(name, (now - freshAt) / 1000);
    }
    const notAfter = identity.own?.status(now).notAfter ?? null;
    metrics.svidExpiry(notAfter === null ? null : notAfter - now / 1000);
    for (const { issuer, freshAt } of [...identity.keySources(), ...tasks.keySources()]) {
      if (freshAt !== null) metrics.issuerKeysAge(issuer, (now - freshAt) / 1000);
    }
    for (const [sink, waiting] of measured.audit.waiting()) metrics.auditQueue(sink, waiting, audit.queue);
  });
}

/** Counts one answered check. `auditMicros` is how long the answer waited for its audit line. */
export function observer(metrics: Metrics): (concluded: Concluded, auditMicros: number) => void {
  return ({ decided: { outcome, trail }, microseconds }, auditMicros) => {
    const refusal = outcome instanceof Refusal ? outcome : null;
    const observed = outcome instanceof Refusal ? null : outcome.observed;
    const byPolicy = refusal ?? observed;
    const forbidden = byPolicy?.reason === 'policy_forbidden' || byPolicy?.reason === 'approval_required';
    metrics.decided({
      result: refusal === null ? 'allow' : 'deny',
      reason: refusal?.reason ?? (observed === null ? 'permitted' : 'observed'),
      effect: trail.target?.effect ?? 'none',
      seconds: microseconds / 1e6,
      stages: seconds({ ...trail.micros, audit: auditMicros }),
      forbids: forbidden ? (trail.hops ?? []).flatMap(({ verdict }) => verdict.forbids) : [],
    });
    for (const { policy } of shadowOf(trail.hops ?? [], outcome)) metrics.shadowDisagreed(policy);
  };
}

const seconds = (micros: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(micros).map(([stage, time]) => [stage, time / 1e6]));

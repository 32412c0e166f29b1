import { Refusal } from '../base/outcome.ts';
import type { CheckResult } from '../check/decision.ts';
import { shadowOf } from '../check/judge.ts';
import type { Config } from '../config/schema.ts';
import type { Audit } from '../observe/audit.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { SnapshotHolder } from '../policy/load/holder.ts';
import type { State } from '../state/model.ts';
import type { RedisBook } from '../state/redis/book.ts';
import { MAX_WAITING } from '../state/redis/link.ts';
import type { StoreStatus } from '../state/redis/status.ts';
import { MAX_ORDERED, MAX_ORDERED_BYTES } from '../state/revocation-book.ts';
import type { CheckTlsPart } from './check-tls.ts';
import { byEmergency } from './emergency/emergency.ts';
import type { Identity } from './identity.ts';
import { rotationGauges } from './legacy/rotation.ts';
import type { RevocationsPart } from './revocations.ts';
import type { Tasks } from './task.ts';
import type { Trust } from './trust.ts';

/** What is measured before each scrape. */
export interface Measured {
  readonly trust: Trust;
  readonly checkTls: CheckTlsPart;
  readonly identity: Identity;
  readonly tasks: Tasks;
  readonly policy: SnapshotHolder;
  readonly state: State;
  readonly store: () => StoreStatus | null;
  readonly revocations: RevocationsPart;
  readonly audit: Audit;
  readonly inflight: () => number;
  readonly ready: () => boolean;
}

/** Fills in, before each scrape, what is an age or a fill level. `clock` gives milliseconds since the epoch. */
export function measureAtScrape(metrics: Metrics, measured: Measured, { limits, audit }: Config, clock: () => number) {
  const { trust, checkTls, identity, tasks, policy, state, revocations } = measured;
  metrics.beforeScrape(() => {
    const now = clock();
    metrics.cache('certificates', identity.verifier.load);
    metrics.cache('tokens', identity.tokens.load);
    if (state.load !== null) metrics.cache('proofs', state.load);
    if (state.countLoad !== null) metrics.cache('counts', state.countLoad);
    if (state.touchedLoad !== null) metrics.cache('touched', state.touchedLoad);
    const verdicts = policy.current()?.load;
    if (verdicts !== undefined) metrics.cache('verdicts', verdicts);
    const { loadedAt, problems } = policy.status();
    for (const { name, freshAt } of trust.bundles.status(now)) {
      if (freshAt !== null) metrics.bundleAge(name, (now - freshAt) / 1000);
    }
    for (const { file, fault } of checkTls.files(now)) metrics.checkPortOutOfDate(file, fault !== null);
    const { notBefore = null, notAfter = null } = checkTls.validity(now) ?? {};
    metrics.gauges({
      authz_ready: Number(measured.ready()),
      authz_inflight_checks: measured.inflight(),
      authz_inflight_limit: limits.concurrentChecks,
      authz_policy_snapshot_age_seconds: loadedAt === null ? null : (now - loadedAt) / 1000,
      authz_policy_out_of_date: Number(loadedAt === null || problems.length > 0),
      authz_svid_expiry_seconds: notAfter === null ? null : notAfter - now / 1000,
      authz_revocations: revocations.inForce(now),
      authz_revocations_out_of_date: Number(revocations.problems().length > 0),
      authz_revocations_unknown_names: revocations.unknownNames().length,
      authz_svid_lifetime_seconds: notBefore === null || notAfter === null ? null : notAfter - notBefore,
      authz_decision_duration_limit_seconds: limits.deadlineMs / 1000,
      ...rotationGauges(policy, now),
      ...storeGauges(measured.store(), now),
      ...storedRevocationGauges(revocations.stored, now),
    });
    for (const { issuer, freshAt } of [...identity.keySources(), ...tasks.keySources()]) {
      if (freshAt !== null) metrics.issuerKeysAge(issuer, (now - freshAt) / 1000);
    }
    for (const [sink, waiting] of measured.audit.waiting()) metrics.auditQueue(sink, waiting, audit.queue);
  });
}

/** None where the state is the memory of this process. */
function storeGauges(store: StoreStatus | null, now: number) {
  if (store === null) return {};
  const { fault, answeredAtMs, skewMs, waiting, facts } = store;
  return {
    authz_store_up: Number(fault === null),
    authz_store_answer_age_seconds: answeredAtMs === null ? null : (now - answeredAtMs) / 1000,
    authz_store_clock_skew_seconds: skewMs === null ? null : skewMs / 1000,
    authz_store_waiting_calls: waiting,
    authz_store_waiting_limit: MAX_WAITING,
    authz_store_memory_bytes: facts?.usedBytes ?? null,
    authz_store_memory_limit_bytes: facts === null || facts.maxBytes === 0 ? null : facts.maxBytes,
    authz_store_replicas: facts?.replicas ?? null,
  };
}

/** None where revocations are ordered in this process alone. */
function storedRevocationGauges(stored: RedisBook | null, now: number) {
  if (stored === null) return {};
  const { head, unreadable, maxStaleMs } = stored.status();
  const staleMs = stored.stalenessMs(now);
  return {
    authz_revocations_staleness_seconds: staleMs === null ? null : staleMs / 1000,
    authz_revocations_staleness_limit_seconds: maxStaleMs / 1000,
    authz_store_revocations: head === null ? null : head.records + head.marks,
    authz_store_revocations_limit: MAX_ORDERED,
    authz_store_revocations_bytes: head?.bytes ?? null,
    authz_store_revocations_limit_bytes: MAX_ORDERED_BYTES,
    authz_store_revocations_unreadable: unreadable,
  };
}

/** Notes and counts an allow that nobody waited for any more. */
export function undelivered(metrics: Metrics, audit: Audit): (decision: string) => void {
  return (decision) => {
    audit.undelivered(decision);
    metrics.counted('authz_undelivered_total');
  };
}

/** Counts each answered check. */
export function counter(metrics: Metrics): (result: CheckResult) => void {
  return ({ decided: { outcome, trail }, microseconds }) => {
    const { target, hops = [] } = trail.found;
    const refusal = outcome instanceof Refusal ? outcome : null;
    const observed = outcome instanceof Refusal ? null : outcome.observed;
    const byPolicy = refusal ?? observed;
    const forbidden = byPolicy?.reason === 'policy_forbidden' || byPolicy?.reason === 'approval_required';
    metrics.decided({
      result: refusal === null ? 'allow' : 'deny',
      reason: refusal?.reason ?? (observed === null ? 'permitted' : 'observed'),
      effect: target?.effect ?? 'none',
      seconds: microseconds / 1e6,
      stages: trail.spans,
      signals: trail.found.behaviour?.found.signals ?? [],
      forbids: forbidden ? hops.flatMap(({ verdict }) => verdict.forbids) : [],
    });
    if (refusal !== null && hops.some(({ verdict }) => byEmergency(verdict.forbids)))
      metrics.counted('authz_emergency_denials_total');
    if (trail.wouldForbid.length > 0) metrics.counted('authz_behaviour_would_refuse_total');
    if (trail.wouldQuarantine && refusal === null) metrics.counted('authz_behaviour_would_quarantine_total');
    for (const { policy } of shadowOf(hops, outcome)) metrics.shadowDisagreed(policy);
  };
}

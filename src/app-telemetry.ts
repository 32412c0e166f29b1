import type { Identity, IdentityEvents } from './app-identity.ts';
import type { Config } from './config/schema.ts';
import type { Concluded } from './envoy/handler.ts';
import { formatProblem } from './inventory/problem.ts';
import type { Log } from './observe/log.ts';
import { Metrics } from './observe/metrics.ts';
import { Refusal } from './outcome.ts';
import type { SnapshotHolder } from './policy/holder.ts';
import type { MemoryState } from './state/memory.ts';

/** The metrics of one configuration: every label comes from it or from the code. */
export function metricsFor({ identity, task, audit }: Config): Metrics {
  const fetched = task.issuers.flatMap((issuer) => (issuer.kind === 'jwt-svid' ? [] : [issuer.issuer]));
  return new Metrics({
    trustDomains: Object.keys(identity.trustDomains),
    issuers: [...new Set([...identity.oidc.map(({ issuer }) => issuer), ...fetched])],
    caches: ['certificates', 'proofs'],
    sinks: audit.sinks.map(({ to }) => to),
  });
}

/** Tells of bundles and keys: in the log when something changed or was refused, in the metrics always. */
export function identityEvents(log: Log, metrics: Metrics): IdentityEvents {
  return {
    onBundle: ({ trustDomain, result, revision, detail }) => {
      const refused = result === 'rejected';
      metrics.bundleRead(trustDomain, refused ? 'refused' : 'loaded');
      const what = revision === null ? 'there is no trust bundle' : 'no new trust bundle came; the last good one stays';
      if (refused) log.error(what, { trustDomain, revision, detail });
      else if (result !== 'unchanged') log.info(`a trust bundle was ${result}`, { trustDomain, revision, detail });
    },
    onKeys: ({ issuer, result, detail }) => {
      const refused = result === 'rejected';
      metrics.issuerKeysRead(issuer, refused ? 'refused' : 'loaded');
      if (refused) log.error('the keys of an issuer were refused; the last good ones stay', { issuer, detail });
      else if (result === 'updated') log.info('the keys of an issuer were read', { issuer, detail });
    },
    onOwnSvid: ({ result, id, notAfter, detail }) => {
      const until = notAfter === null ? null : new Date(notAfter * 1000).toISOString();
      if (result === 'rotated') log.info('our own SVID was rotated', { id, until });
      else if (result === 'withdrawn') log.error('our own SVID was withdrawn', { detail });
      else log.error('no new SVID of our own came; the last one serves to its end', { id, until, detail });
    },
  };
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

/** Tells of snapshots, the one that was loaded at the start included. */
export function watchPolicy(
  policy: SnapshotHolder,
  config: Config,
  log: Log,
  metrics: Metrics,
  clock: () => number,
): void {
  const loaded = () => {
    const { revision, warnings } = policy.status();
    if (revision === null) return;
    const shadows = policy.current()?.policies.filter(({ shadow }) => shadow) ?? [];
    metrics.snapshot(
      revision,
      config.policy.guardrails.disable.filter(({ untilMs }) => clock() < untilMs).length,
      shadows.map(({ id }) => id),
      shadows.filter(({ effect }) => effect === 'forbid').length,
    );
    metrics.reloaded('loaded');
    log.info('a policy snapshot is in force', { revision, warnings: warnings.map(formatProblem) });
  };
  const refused = () => {
    const { revision, problems } = policy.status();
    metrics.reloaded('refused');
    log.error('a policy snapshot was refused; the last good one stays', {
      revision,
      problems: problems.map(formatProblem),
    });
  };
  policy.events.on('loaded', loaded);
  policy.events.on('refused', refused);
  if (policy.status().problems.length > 0) refused();
  else loaded();
}

/** Fills in, before each scrape, what is an age or a fill level. */
export function measureAtScrape(
  metrics: Metrics,
  identity: Identity,
  policy: SnapshotHolder,
  state: MemoryState,
  inflight: () => number,
  clock: () => number,
): void {
  metrics.beforeScrape(() => {
    const now = clock();
    metrics.inflight(inflight());
    metrics.cache('certificates', identity.verifier.load);
    metrics.cache('proofs', state.load);
    const { loadedAt } = policy.status();
    if (loadedAt !== null) metrics.snapshotAge((now - loadedAt) / 1000);
    for (const { name, freshAt } of identity.bundles.status(now)) {
      if (freshAt !== null) metrics.bundleAge(name, (now - freshAt) / 1000);
    }
    const notAfter = identity.own?.status(now).notAfter ?? null;
    if (notAfter !== null) metrics.svidExpiry(notAfter - now / 1000);
    for (const { issuer, freshAt } of identity.keySources()) {
      if (freshAt !== null) metrics.issuerKeysAge(issuer, (now - freshAt) / 1000);
    }
  });
}

/** Counts one answered check. */
export function observer(metrics: Metrics): (concluded: Concluded) => void {
  return ({ decided: { outcome, trail }, microseconds }) => {
    const refusal = outcome instanceof Refusal ? outcome : null;
    metrics.decided({
      result: refusal === null ? 'allow' : 'deny',
      reason: refusal?.reason ?? 'permitted',
      effect: trail.target?.effect ?? 'none',
      seconds: microseconds / 1e6,
      stages: seconds(trail.micros ?? {}),
    });
    for (const { verdict } of trail.hops ?? []) {
      for (const { policy } of verdict.shadow) metrics.shadowDisagreed(policy);
    }
  };
}

const seconds = (micros: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(micros).map(([stage, time]) => [stage, time / 1e6]));

import { readFile } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/schema.ts';
import type { BundleOrigin, FederationProfileConfig } from '../config/trust-domain.ts';
import { TrustBundle } from '../trust/bundle.ts';
import { parseBundleFile } from '../trust/bundle-document.ts';
import { type BundleEvent, type BundleSource, BundleStore } from '../trust/bundle-source.ts';
import { bundleFile } from '../trust/bundle-source-file.ts';
import { federationEndpoint, type FederationProfile as Profile } from '../trust/federation.ts';
import { WorkloadApi, type WorkloadEndpoint } from '../trust/workload-api.ts';
import { WorkloadApiBundles } from '../trust/workload-api-bundles.ts';
import { type Part, timeText } from './part.ts';

/** What a silent agent said is confirmed so often, and three times within the age that the configuration allows. */
const CONFIRM_MS = 300_000;
const LEAST_CONFIRM_MS = 1000;

/** The bundles, running: they are read in the background. */
export interface Trust extends Part {
  readonly bundles: BundleStore;
}

/** Starts the source of each trust domain's bundle. */
export async function startTrust({ identity }: Config, onBundle: (event: BundleEvent) => void): Promise<Trust> {
  const domains = Object.entries(identity.trustDomains);
  const bundles = new BundleStore({
    domains: domains.map(([name, { local, maxStaleMs }]) => ({ name, local, maxStaleMs })),
    clock: systemClock.now,
    onEvent: onBundle,
  });
  const { socket } = identity.workloadApi;
  const sources: BundleSource[] = [];
  for (const [trustDomain, { source, maxStaleMs }] of domains) {
    if (source.from === 'file')
      sources.push(bundleFile({ trustDomain, file: source.path, maxStaleMs, clock: systemClock }));
    if (source.from === 'federation') {
      sources.push(
        federationEndpoint({
          trustDomain,
          url: source.url,
          profile: await readProfile(trustDomain, source.profile, identity.maxLifetime.x509Ms / 1000),
          maxStaleMs,
          clock: systemClock,
          bundles: () => bundles.snapshot(),
        }),
      );
    }
  }
  const fromAgent = domains.filter(([, { source }]) => isFromAgent(source));
  if (fromAgent.length > 0 && socket !== null) {
    sources.push(
      new WorkloadApiBundles({
        api: agentApi(socket, Math.min(...fromAgent.map(([, { maxStaleMs }]) => maxStaleMs / 3))),
        trustDomains: fromAgent.map(([trustDomain]) => trustDomain),
        clock: systemClock,
      }),
    );
  }
  await Promise.all(sources.map((source) => source.start(bundles)));
  return {
    bundles,
    missing: (nowMs) =>
      bundles
        .status(nowMs)
        .filter(({ local, state }) => local && state !== 'fresh')
        .map(({ name, state, fault }) => `the bundle of ${name} is ${state}${reason(fault)}`),
    status: (nowMs) => ({
      trustDomains: bundles.status(nowMs).map((each) => ({ ...each, freshAt: timeText(each.freshAt) })),
    }),
    stop: () => {
      for (const source of sources) source.stop();
    },
  };
}

const isFromAgent = ({ from }: BundleOrigin): boolean => from === 'workloadApi';
const reason = (fault: string | null): string => (fault === null ? '' : `: ${fault}`);

/** The SPIFFE agent; what it said last is confirmed after `confirmMs` milliseconds of silence, within bounds. */
export function agentApi(endpoint: WorkloadEndpoint, confirmMs = CONFIRM_MS): WorkloadApi {
  const refreshMs = Math.max(Math.min(confirmMs, CONFIRM_MS), LEAST_CONFIRM_MS);
  return new WorkloadApi({ endpoint, clock: systemClock, refreshMs });
}

async function readProfile(
  trustDomain: string,
  profile: FederationProfileConfig,
  maxLifetimeSeconds: number,
): Promise<Profile> {
  if (profile.kind === 'https_web') {
    return { kind: 'https_web', ca: profile.ca === null ? null : await readFile(profile.ca, 'utf8') };
  }
  const { endpoint } = profile;
  if (profile.bootstrap === null) return { kind: 'https_spiffe', endpoint, bootstrap: null, maxLifetimeSeconds };
  const content = parseBundleFile(trustDomain, await readFile(profile.bootstrap, 'utf8'));
  if (content === null || content instanceof Fault) {
    throw new Error(`${profile.bootstrap}: ${content?.detail ?? `holds no bundle of ${trustDomain}`}`);
  }
  return { kind: 'https_spiffe', endpoint, bootstrap: new TrustBundle(trustDomain, content), maxLifetimeSeconds };
}

import { readFile } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import { credentialReader, type ReadCredentials } from '../identity/credentials.ts';
import type { IdentityRules } from '../identity/identify.ts';
import { JwksSource, type KeyEvent, type KeySourceStatus, whyNoKeys } from '../token/jwks-source.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { type BundleEvent, BundleStore } from '../trust/bundle-source.ts';
import type { OwnIdentity, OwnIdentityEvent } from '../trust/own-svid-source.ts';
import { SvidVerifier } from '../trust/svid-cache.ts';
import type { Certificate } from '../x509/certificate.ts';
import { PemFault, readCertificates } from '../x509/certificate-pem.ts';
import { startSpiffe } from './trust.ts';

/** Everything that proves callers, running: bundles and keys are read in the background. */
export interface Identity {
  readonly rules: IdentityRules;
  readonly bundles: BundleStore;
  readonly verifier: SvidVerifier;
  /** Verifies every token, of identity and of tasks. */
  readonly tokens: TokenVerifier;
  readonly readCredentials: ReadCredentials;
  keySources(): readonly KeySourceStatus[];
  /** The sidecar's own SVID; null where it needs none. */
  readonly own: OwnIdentity | null;
  /** What keeps the sidecar from being ready, one line each. */
  notReady(now: number): readonly string[];
  stop(): void;
}

export interface IdentityEvents {
  readonly onBundle: (event: BundleEvent) => void;
  readonly onKeys: (event: KeyEvent) => void;
  readonly onOwnSvid: (event: OwnIdentityEvent) => void;
}

/** Reads every bundle, key set and intermediate of the configuration once, and goes on reading them. */
export async function startIdentity(config: Config, events: IdentityEvents): Promise<Identity> {
  const { identity, task, limits } = config;
  const tokens = new TokenVerifier({ byteLimit: limits.rememberedTokenBytes });
  const onKeys = afterForgetting(tokens, events.onKeys);
  const clock = systemClock;
  const domains = Object.entries(identity.trustDomains);
  const bundles = new BundleStore({
    domains: domains.map(([name, { ours, maxStaleMs }]) => ({ name, ours, maxStaleMs })),
    clock: clock.now,
    onEvent: afterForgetting(tokens, events.onBundle),
  });
  const spiffe = await startSpiffe(config, bundles, events.onOwnSvid);
  const oidc = await Promise.all(
    identity.oidc.map(async ({ issuer, audience, keys, maxStaleMs, algorithms, maxLifetimeMs, required }) => {
      const source = await JwksSource.open({ issuer, origin: keys, maxStaleMs, clock, onEvent: onKeys });
      return {
        issuer,
        source,
        required,
        rules: { issuer, audience, keys: source, algorithms, maxLifetimeSeconds: maxLifetimeMs / 1000 },
      };
    }),
  );
  const verifier = new SvidVerifier({
    maxLifetimeSeconds: identity.maxLifetime.x509Ms / 1000,
    intermediates: await readIntermediates(identity.intermediates),
    limit: limits.rememberedCertificates,
  });
  const oidcRules = new Map(oidc.map(({ issuer, rules }) => [issuer, rules]));
  const taskIssuers = new Set(task.issuers.flatMap((issuer) => (issuer.kind === 'jwt-svid' ? [] : [issuer.issuer])));
  return {
    bundles,
    verifier,
    tokens,
    readCredentials: credentialReader({
      tokens,
      issuers: { has: (issuer) => oidcRules.has(issuer) || taskIssuers.has(issuer) },
    }),
    rules: {
      verifier,
      tokens,
      bundles: () => bundles.snapshot(),
      trustedProxies: new Set(identity.forwarded.trustedProxies.map(({ id }) => id.text)),
      oidc: oidcRules,
      maxTokenLifetimeSeconds: identity.maxLifetime.jwtMs / 1000,
      challenge: {
        resourceMetadata: task.resourceMetadata,
        dpopAlgorithms: task.issuers.some(({ kind }) => kind === 'access-token') ? task.dpop.algorithms : null,
      },
      unsafeTrustEnvoyValidation: identity.unsafeTrustEnvoyValidation,
    },
    own: spiffe.own,
    keySources: () => oidc.map(({ source }) => source.status()),
    notReady: (now) => [
      ...bundles
        .status(now)
        .filter(({ ours, state }) => ours && state !== 'fresh')
        .map(({ name, state, fault }) => `the bundle of ${name} is ${state}${fault === null ? '' : `: ${fault}`}`),
      ...oidc
        .filter(({ required, source }) => required && source.status().state !== 'fresh')
        .map(({ source }) => whyNoKeys(source.status())),
      ...spiffe.notReady(now),
    ],
    stop: () => {
      spiffe.stop();
      for (const { source } of oidc) source.close();
    },
  };
}

/** Passes an event on, and forgets what was verified with keys that have changed. */
export const afterForgetting =
  <T extends { readonly result: string }>(tokens: TokenVerifier, listener: (event: T) => void) =>
  (event: T): void => {
    if (event.result === 'updated' || event.result === 'withdrawn') tokens.forget();
    listener(event);
  };

async function readIntermediates(files: readonly string[]): Promise<readonly Certificate[]> {
  const certificates: Certificate[] = [];
  for (const file of files) {
    const read = readCertificates(await readFile(file, 'utf8'));
    if (read instanceof PemFault) throw new Error(`${file}: ${read.detail}; it must hold intermediates as PEM`);
    certificates.push(...read);
  }
  return certificates;
}

import { readFile } from 'node:fs/promises';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/schema.ts';
import { credentialReader, type ReadCredentials } from '../identity/credentials.ts';
import type { IdentityRules } from '../identity/identify.ts';
import { type LegacyAuthority, LegacyCertificates } from '../identity/legacy-certificate.ts';
import type { KeyEvent } from '../token/jwks-source.ts';
import type { TokenVerifier } from '../token/verifier.ts';
import { SvidVerifier } from '../trust/svid-cache.ts';
import type { Certificate } from '../x509/certificate.ts';
import { readCertificates } from '../x509/certificate-pem.ts';
import { type KeysPart, keysPart, readIssuerKeys } from './issuer-keys.ts';
import type { Trust } from './trust.ts';

/** What proves callers, running: the keys of identity tokens are read in the background. */
export interface Identity extends KeysPart {
  readonly rules: IdentityRules;
  readonly verifier: SvidVerifier;
  /** Verifies every token, of identity and of tasks. */
  readonly tokens: TokenVerifier;
  readonly readCredentials: ReadCredentials;
}

/** Reads every key set and intermediate of the configuration once, and goes on reading the key sets. */
export async function startIdentity(
  { identity, task, limits }: Config,
  { bundles }: Trust,
  tokens: TokenVerifier,
  onKeys: (event: KeyEvent) => void,
): Promise<Identity> {
  const keys = await Promise.all(identity.oidc.map((issuer) => readIssuerKeys(issuer, onKeys)));
  const oidc = identity.oidc.map(({ issuer, audience, algorithms, maxLifetimeMs }, at) => ({
    issuer,
    audience,
    keys: keys[at]!.source,
    algorithms,
    maxLifetimeSeconds: maxLifetimeMs / 1000,
  }));
  const verifier = new SvidVerifier({
    maxLifetimeSeconds: identity.maxLifetime.x509Ms / 1000,
    intermediates: await readIntermediates(identity.intermediates),
    limit: limits.rememberedCertificates,
  });
  const oidcRules = new Map(oidc.map((rules) => [rules.issuer, rules]));
  const taskIssuers = new Set(task.issuers.flatMap((issuer) => (issuer.kind === 'jwt-svid' ? [] : [issuer.issuer])));
  return {
    ...keysPart(keys),
    verifier,
    tokens,
    readCredentials: credentialReader({
      tokens,
      keyHeader: identity.legacy.keyHeader,
      issuers: { has: (issuer) => oidcRules.has(issuer) || taskIssuers.has(issuer) },
    }),
    rules: {
      verifier,
      tokens,
      bundles: () => bundles.snapshot(),
      trustedProxies: new Set(identity.forwarded.trustedProxies.map(({ id }) => id.text)),
      oidc: oidcRules,
      maxTokenLifetimeSeconds: identity.maxLifetime.jwtMs / 1000,
      legacyCertificates: await readAuthorities(identity.legacy.authorities),
      challenge: {
        resourceMetadata: task.resourceMetadata,
        dpopAlgorithms: task.issuers.some(({ kind }) => kind === 'access-token') ? task.dpop.algorithms : null,
      },
      unsafeTrustEnvoyValidation: identity.unsafeTrustEnvoyValidation,
      waypoints: new Map(
        identity.waypoints.map(({ id, hosts, trustDomains, namespaces }) => [
          id.text,
          { hosts: new Set(hosts), trustDomains: new Set(trustDomains), namespaces: new Set(namespaces) },
        ]),
      ),
    },
  };
}

/** The header with API keys, where one is configured. */
export const keyHeaders = ({ identity: { legacy } }: Config): readonly string[] =>
  legacy.keyHeader === null ? [] : [legacy.keyHeader];

/** Passes an event on, and forgets what was verified with keys that have changed. */
export const afterForgetting =
  <T extends { readonly result: string }>(tokens: TokenVerifier, listener: (event: T) => void) =>
  (event: T): void => {
    if (event.result === 'updated' || event.result === 'withdrawn') tokens.forget();
    listener(event);
  };

/** Null where none is configured. */
async function readAuthorities(
  authorities: Config['identity']['legacy']['authorities'],
): Promise<LegacyCertificates | null> {
  const read: LegacyAuthority[] = [];
  for (const { name, file } of authorities) read.push({ name, anchors: await readAnchors(file) });
  return read.length === 0 ? null : new LegacyCertificates(read);
}

async function readAnchors(file: string): Promise<readonly Certificate[]> {
  const anchors = readCertificates(await readFile(file, 'utf8'));
  if (anchors instanceof Fault) throw new Error(`${file}: ${anchors.detail}; it must hold authorities as PEM`);
  if (anchors.some(({ extensions }) => !extensions.basicConstraints?.ca))
    throw new Error(`${file}: holds a certificate that is no authority; name an account's own by its digest`);
  return anchors;
}

async function readIntermediates(files: readonly string[]): Promise<readonly Certificate[]> {
  const certificates: Certificate[] = [];
  for (const file of files) {
    const read = readCertificates(await readFile(file, 'utf8'));
    if (read instanceof Fault) throw new Error(`${file}: ${read.detail}; it must hold intermediates as PEM`);
    certificates.push(...read);
  }
  return certificates;
}

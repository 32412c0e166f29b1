import { randomBytes } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import { authoritiesOf, witKeysOf } from '../identity/jwt-authorities.ts';
import type { JwtAuthorities } from '../identity/jwt-svid.ts';
import type { TaskIssuer } from '../task/options.ts';
import { type ReadTask, taskReader } from '../task/read-task.ts';
import { JwksSource, type KeyEvent, type KeySourceStatus, whyNoKeys } from '../token/jwks-source.ts';
import { afterForgetting, type Identity } from './identity.ts';

const NONCE_SECRET_BYTES = 32;

/** What reads tasks, running: the keys of the issuers are read in the background. */
export interface Tasks {
  readonly read: ReadTask;
  keySources(): readonly KeySourceStatus[];
  /** What keeps the sidecar from being ready, one line each. */
  notReady(): readonly string[];
  stop(): void;
}

/**
 * Reads the keys of every task issuer once, and goes on reading them. `startedAtMs` is when the process started, in
 * milliseconds since the epoch.
 */
export async function startTasks(
  { task, chain }: Config,
  identity: Identity,
  startedAtMs: number,
  onKeys: (event: KeyEvent) => void,
): Promise<Tasks> {
  const sources: { readonly source: JwksSource; readonly required: boolean }[] = [];
  const authorities: JwtAuthorities = {
    jwtKeys: (trustDomain, now) => authoritiesOf(identity.bundles.snapshot()).jwtKeys(trustDomain, now),
  };
  const issuers = await Promise.all(
    task.issuers.map(async (issuer): Promise<TaskIssuer> => {
      const { maxLifetimeMs, ...scope } = issuer;
      const maxLifetimeSeconds = maxLifetimeMs / 1000;
      if (scope.kind === 'jwt-svid') return { ...scope, maxLifetimeSeconds, authorities };
      const { keys: origin, maxStaleMs, required, ...rest } = scope;
      const keys = await JwksSource.open({
        issuer: rest.issuer,
        origin,
        maxStaleMs,
        clock: systemClock,
        onEvent: afterForgetting(identity.tokens, onKeys),
      });
      sources.push({ source: keys, required });
      return { ...rest, maxLifetimeSeconds, keys };
    }),
  );
  const { dpop, wimse } = task;
  const read = taskReader({
    headers: task.headers,
    tokens: identity.tokens,
    issuers,
    identityIssuers: identity.rules.oidc,
    startedAtMs,
    maxDepth: chain.maxDepth,
    dpop: {
      algorithms: dpop.algorithms,
      maxAgeSeconds: dpop.maxAgeMs / 1000,
      nonce: {
        required: dpop.nonce.required,
        secret: randomBytes(NONCE_SECRET_BYTES),
        lifetimeSeconds: dpop.nonce.lifetimeMs / 1000,
      },
    },
    wimse:
      wimse === null
        ? null
        : {
            witKeys: (trustDomain, now) => witKeysOf(identity.bundles.snapshot(), trustDomain, now),
            algorithms: wimse.algorithms,
            maxWitLifetimeSeconds: wimse.maxWitLifetimeMs / 1000,
            maxProofLifetimeSeconds: wimse.maxProofLifetimeMs / 1000,
          },
    resourceMetadata: task.resourceMetadata,
  });
  return {
    read,
    keySources: () => sources.map(({ source }) => source.status()),
    notReady: () =>
      sources
        .filter(({ required, source }) => required && source.status().state !== 'fresh')
        .map(({ source }) => whyNoKeys(source.status())),
    stop: () => {
      for (const { source } of sources) void source.close();
    },
  };
}

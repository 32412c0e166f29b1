import { randomBytes } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import { authoritiesOf, witKeysOf } from '../identity/jwt-authorities.ts';
import type { JwtAuthorities } from '../identity/jwt-svid.ts';
import type { TaskIssuer } from '../task/options.ts';
import { type ReadTask, taskReader } from '../task/read-task.ts';
import type { KeyEvent } from '../token/jwks-source.ts';
import type { Identity } from './identity.ts';
import { type IssuerKeys, type KeysPart, keysPart, readIssuerKeys } from './issuer-keys.ts';
import type { Trust } from './trust.ts';

const NONCE_SECRET_BYTES = 32;

/** What reads tasks, running: the keys of the issuers are read in the background. */
export interface Tasks extends KeysPart {
  readonly read: ReadTask;
}

/**
 * Reads the keys of every task issuer once, and goes on reading them. `startedAtMs` is when the process started, in
 * milliseconds since the epoch.
 */
export async function startTasks(
  { task, chain }: Config,
  { bundles }: Trust,
  identity: Pick<Identity, 'rules' | 'tokens'>,
  startedAtMs: number,
  onKeys: (event: KeyEvent) => void,
): Promise<Tasks> {
  const authorities: JwtAuthorities = {
    jwtKeys: (trustDomain, now) => authoritiesOf(bundles.snapshot()).jwtKeys(trustDomain, now),
  };
  const issuers = await Promise.all(
    task.issuers.map(async (issuer): Promise<{ readonly issuer: TaskIssuer; readonly keys: IssuerKeys | null }> => {
      const { maxLifetimeMs, ...scope } = issuer;
      const maxLifetimeSeconds = maxLifetimeMs / 1000;
      if (scope.kind === 'jwt-svid') return { issuer: { ...scope, maxLifetimeSeconds, authorities }, keys: null };
      const keys = await readIssuerKeys(scope, onKeys);
      return { issuer: { ...scope, maxLifetimeSeconds, keys: keys.source }, keys };
    }),
  );
  const { dpop, wimse } = task;
  const read = taskReader({
    headers: task.headers,
    tokens: identity.tokens,
    issuers: issuers.map(({ issuer }) => issuer),
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
            witKeys: (trustDomain, now) => witKeysOf(bundles.snapshot(), trustDomain, now),
            algorithms: wimse.algorithms,
            maxWitLifetimeSeconds: wimse.maxWitLifetimeMs / 1000,
            maxProofLifetimeSeconds: wimse.maxProofLifetimeMs / 1000,
          },
    resourceMetadata: task.resourceMetadata,
  });
  return { ...keysPart(issuers.flatMap(({ keys }) => keys ?? [])), read };
}

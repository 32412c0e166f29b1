import type { Fault } from '../base/fault.ts';
import type { Config } from '../config/schema.ts';
import { authoritiesOf, witKeysOf } from '../identity/jwt-authorities.ts';
import type { JwtAuthorities } from '../identity/jwt-svid.ts';
import type { State } from '../state/model.ts';
import type { TaskIssuer } from '../task/options.ts';
import { type ReadTask, taskReader } from '../task/read-task.ts';
import type { KeyEvent } from '../token/jwks-source.ts';
import type { KeySource } from '../token/key-source.ts';
import type { Identity } from './identity.ts';
import { fromTokenService, type IssuerKeys, type KeysPart, keysPart, readIssuerKeys } from './issuer-keys.ts';
import { startNonceSecrets } from './nonce-secrets.ts';
import type { Trust } from './trust.ts';

/** What is told of the files and servers that tasks are read by. */
export interface TaskEvents {
  readonly onKeys: (event: KeyEvent) => void;
  /** `kept`: there were good secrets before. */
  readonly onSecrets: (read: readonly Uint8Array[] | Fault, kept: boolean) => void;
}

/** What reads tasks, running: the keys of the issuers are read in the background. */
export interface Tasks extends KeysPart {
  readonly read: ReadTask;
}

/**
 * Reads the keys of every task issuer once, and goes on reading them. `state` tells since when uses are remembered;
 * `tokenKeys` are those of the token service of this process.
 */
export async function startTasks(
  config: Config,
  trust: Trust,
  identity: Pick<Identity, 'rules' | 'tokens'>,
  state: State,
  { onKeys, onSecrets }: TaskEvents,
  tokenKeys: KeySource | null,
): Promise<Tasks> {
  const { task, chain } = config;
  const { bundles } = trust;
  const maxSvidSeconds = config.identity.maxLifetime.x509Ms / 1000;
  const authorities: JwtAuthorities = {
    jwtKeys: (trustDomain, now) => authoritiesOf(bundles.snapshot()).jwtKeys(trustDomain, now),
  };
  const issuers = await Promise.all(
    task.issuers.map(async (issuer): Promise<{ readonly issuer: TaskIssuer; readonly keys: IssuerKeys | null }> => {
      const { maxLifetimeMs, ...scope } = issuer;
      const maxLifetimeSeconds = maxLifetimeMs / 1000;
      if (scope.kind === 'jwt-svid') return { issuer: { ...scope, maxLifetimeSeconds, authorities }, keys: null };
      const { keys: origin } = scope;
      if (origin.from === 'own') {
        if (tokenKeys === null) throw new Error('an issuer is built in, and there is no token service in this process');
        return { issuer: { ...scope, maxLifetimeSeconds, keys: tokenKeys }, keys: null };
      }
      const read = fromTokenService(origin, trust, maxSvidSeconds);
      const keys = await readIssuerKeys({ ...scope, keys: origin }, onKeys, read);
      return { issuer: { ...scope, maxLifetimeSeconds, keys: keys.source }, keys };
    }),
  );
  const { dpop, wimse } = task;
  const nonces = await startNonceSecrets(dpop.nonce.secretFile, onSecrets);
  const read = taskReader({
    headers: task.headers,
    tokens: identity.tokens,
    issuers: issuers.map(({ issuer }) => issuer),
    identityIssuers: identity.rules.oidc,
    history: () => state.history(),
    maxDepth: chain.maxDepth,
    dpop: {
      algorithms: dpop.algorithms,
      maxAgeSeconds: dpop.maxAgeMs / 1000,
      nonce: {
        required: dpop.nonce.required,
        secrets: nonces.secrets,
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
  const keys = keysPart(issuers.flatMap(({ keys }) => keys ?? []));
  return {
    ...keys,
    read,
    missing: (nowMs) => [...keys.missing(nowMs), ...nonces.missing(nowMs)],
    stop: async () => {
      await nonces.stop();
      await keys.stop();
    },
  };
}

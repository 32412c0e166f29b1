import { Refusal } from '../../base/outcome.ts';
import { type RegistrationSource, registered } from '../../check/registered.ts';
import { type RevocationSource, revoked, revokedClient } from '../../check/revoked.ts';
import type { Config } from '../../config/schema.ts';
import { builtIn, subjectAudience, tokenServiceDomain } from '../../config/task.ts';
import type { TokenGrant, TokenServiceParts } from '../../control/http/parts.ts';
import type { ReadCredentials } from '../../identity/credentials.ts';
import { type IdentityRules, identifyClient } from '../../identity/identify.ts';
import type { TaskRegistry } from '../../state/tasks/registry.ts';
import { authorizationHeader } from './authenticate.ts';
import type { TokenKeys } from './token-keys.ts';

/** What the token service stands on, running. */
interface TokenServiceStands {
  readonly keys: TokenKeys;
  readonly identity: { readonly rules: IdentityRules; readonly readCredentials: ReadCredentials };
  readonly registry: TaskRegistry;
  readonly registrations: RegistrationSource;
  readonly revocations: RevocationSource;
  readonly issued: (grant: TokenGrant) => void;
}

/** The token service of the configuration; null where it is off. */
export function tokenServiceOf(config: Config, stands: TokenServiceStands | null): TokenServiceParts | null {
  const { tokenService, chain } = config;
  if (tokenService === null || stands === null) return null;
  const { keys, registry, registrations, revocations, issued } = stands;
  const { rules, readCredentials } = stands.identity;
  // Whether or not this process also answers checks in such tasks.
  const own: RegistrationSource = { ...registrations, required: () => true, handedOn: () => true };
  const audience = subjectAudience(config);
  const { maxLifetimeMs, ...issuer } = builtIn(tokenServiceDomain(tokenService.trustDomain, config) ?? '');
  return {
    issuer: { ...issuer, maxLifetimeSeconds: maxLifetimeMs / 1000, keys: keys.source },
    tokens: rules.tokens,
    keys: keys.current,
    maxTokenSeconds: tokenService.tokenLifetimeMs / 1000,
    maxTaskSeconds: tokenService.taskLifetimeMs / 1000,
    maxDepth: chain.maxDepth,
    registry,
    subjectOf: async (token, inventory, nowMs) => {
      const { authorization } = readCredentials(authorizationHeader(`Bearer ${token}`), { authorization: 'ours' });
      const named = await identifyClient({ svid: null, authorization }, audience, inventory, rules, nowMs);
      return named instanceof Refusal ? named : (revokedClient(revocations, named, nowMs) ?? named);
    },
    over: (caller, { task, chain }, nowMs) => {
      const rests = { chain, backing: [task], keys: [], challenge: null };
      return revoked(revocations, caller, rests, null, nowMs) ?? registered(own, rests, nowMs);
    },
    issued,
  };
}

import type { Refusal } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import { after, type Soon } from '../base/soon.ts';
import type { UnverifiedJws } from '../token/jws.ts';
import { checkAudience, checkBearer, checkTimes, requireText } from '../token/jws-claims.ts';
import type { JwsProfile } from '../token/jws-compact.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { SigningIssuer } from '../token/key-source.ts';
import { type TokenFacts, tokenFacts } from '../token/verified-token.ts';
import type { TokenVerifier, VerifiedJws } from '../token/verifier.ts';
import { identityRefusal } from './token-refusal.ts';

/** Neither an access token nor a proof may pass as a workload's identity: RFC 8725 section 3.11. */
const types: JwsProfile['types'] = [null, 'jwt'];

/** An issuer of workload tokens, from the config: a cluster's service accounts, a CI system. */
export type OidcIssuer = SigningIssuer;

/** What holds for a token that names the caller. */
export interface OidcRules {
  readonly tokens: TokenVerifier;
  /** The audience of the host that is asked for; an empty one accepts nothing. */
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** base64url SHA-256 of the caller's certificate, for a token that is bound to it; null when none was proven. */
  readonly certificateThumbprint: string | null;
}

/**
 * An OIDC workload token that was verified. Having one is the proof: `verifyOidcToken` alone makes it. Issuer and subject
 * name a workload only through the inventory's credentials.
 */
export type VerifiedOidcToken = Proven<'oidc', TokenFacts & { issuer: string; subject: string }>;

/**
 * Verifies a workload token with the keys of one configured issuer: `iss` is that issuer, the signature holds, `exp`,
 * `nbf`, `iat` and the lifetime, `aud` names the audience, `sub` is there, and it is not bound to a key that was not
 * proven. A key that is not known asks the source for a refresh, and refuses this token. Refusals: `identity_token_…`.
 */
export function verifyOidcToken(
  token: UnverifiedJws,
  issuer: OidcIssuer,
  rules: OidcRules,
): Soon<VerifiedOidcToken | Refusal> {
  if (token.unverifiedClaims.iss !== issuer.issuer)
    return identityRefusal(new TokenFault('issuer', 'iss is not the issuer whose keys are asked'));
  const keys = issuer.keys.current(rules.now);
  if (keys instanceof TokenFault) return identityRefusal(keys);
  const profile = { algorithms: issuer.algorithms, types };
  return after(rules.tokens.verify(token, profile, keys, rules.now), (jws) => judged(jws, issuer, rules));
}

function judged(
  jws: VerifiedJws | TokenFault,
  { issuer, keys, maxLifetimeSeconds }: OidcIssuer,
  { audience, now, certificateThumbprint }: OidcRules,
): VerifiedOidcToken | Refusal {
  if (jws instanceof TokenFault) {
    if (jws.kind === 'key_unknown') keys.refreshSoon();
    return identityRefusal(jws);
  }
  const times = checkTimes(jws.claims, { now, maxLifetimeSeconds });
  if (times instanceof TokenFault) return identityRefusal(times);
  const subject = requireText(jws.claims, 'sub', 'subject');
  if (subject instanceof TokenFault) return identityRefusal(subject);
  const fault = checkAudience(jws.claims, audience) ?? checkBearer(jws.claims, certificateThumbprint);
  if (fault !== null) return identityRefusal(fault);
  return Object.freeze({ issuer, subject, ...tokenFacts(jws, times) } as VerifiedOidcToken);
}

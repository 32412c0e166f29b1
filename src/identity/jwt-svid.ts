import { Refusal } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import { after, type Soon } from '../base/soon.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { UnverifiedJws } from '../token/jws.ts';
import { standardAlgorithms } from '../token/jws-algorithms.ts';
import { checkAudience, checkBearer, checkTimes } from '../token/jws-claims.ts';
import type { JwsProfile } from '../token/jws-compact.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { KeySet } from '../token/key-set.ts';
import { type TokenFacts, tokenFacts } from '../token/verified-token.ts';
import type { VerifiedJws } from '../token/verifier.ts';
import type { OidcRules } from './oidc.ts';
import { identityRefusal } from './token-refusal.ts';

/** JWT-SVID section 2: the algorithms of its table, and `typ` absent, `JWT` or `JOSE`. */
export const jwtSvidProfile: JwsProfile = { algorithms: standardAlgorithms, types: [null, 'jwt', 'jose'] };

/** The JWT authorities of one trust domain, or why there are none to believe (unknown domain, stale bundle). */
export interface JwtAuthorities {
  jwtKeys(trustDomain: string, now: number): KeySet | Refusal;
}

export interface JwtSvidRules extends OidcRules {
  readonly maxLifetimeSeconds: number;
}

/** A JWT-SVID that was verified. Having one is the proof: `verifyJwtSvid` alone makes it. */
export type VerifiedJwtSvid = Proven<'jwt-svid', TokenFacts & { id: SpiffeId }>;

/**
 * Verifies a JWT-SVID (JWT-SVID sections 2 to 5): `sub` is a SPIFFE ID with a path; the signature holds under a JWT
 * authority of *that id's* trust domain, whatever `iss` says; `exp`, `nbf`, `iat` and the lifetime; `aud` names the
 * audience; it is not bound to a key that was not proven. The refusals are `identity_token_…`, or that of the
 * authorities.
 */
export function verifyJwtSvid(
  token: UnverifiedJws,
  authorities: JwtAuthorities,
  rules: JwtSvidRules,
): Soon<VerifiedJwtSvid | Refusal> {
  const id = subject(token);
  if (id instanceof TokenFault) return identityRefusal(id);
  const keys = authorities.jwtKeys(id.trustDomain, rules.now);
  if (keys instanceof Refusal) return keys;
  return after(rules.tokens.verify(token, jwtSvidProfile, keys, rules.now), (jws) => judged(jws, id, rules));
}

function judged(jws: VerifiedJws | TokenFault, id: SpiffeId, rules: JwtSvidRules): VerifiedJwtSvid | Refusal {
  if (jws instanceof TokenFault) return identityRefusal(jws);
  const times = checkTimes(jws.claims, rules);
  if (times instanceof TokenFault) return identityRefusal(times);
  const fault = checkAudience(jws.claims, rules.audience) ?? checkBearer(jws.claims, rules.certificateThumbprint);
  if (fault !== null) return identityRefusal(fault);
  return Object.freeze({ id, ...tokenFacts(jws, times) } as VerifiedJwtSvid);
}

/** `sub` is part of what is signed: it is believed only once the signature held. */
function subject(token: UnverifiedJws): SpiffeId | TokenFault {
  const { sub } = token.unverifiedClaims;
  if (typeof sub !== 'string') return new TokenFault('subject', 'sub is not a string');
  const id = SpiffeId.parse(sub);
  if (id instanceof Refusal) return new TokenFault('subject', `sub is no SPIFFE ID: ${id.detail}`);
  return id.path === '' ? new TokenFault('subject', 'sub is the id of a trust domain, not of a workload') : id;
}

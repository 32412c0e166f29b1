import type { Refusal } from '../base/outcome.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { type UnverifiedJws, verifyWithKeySet } from '../token/jws.ts';
import type { JwsAlgorithm } from '../token/jws-algorithms.ts';
import { checkAudience, checkBearer, checkTimes, requireText } from '../token/jws-claims.ts';
import type { JwsProfile } from '../token/jws-compact.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { KeySource } from '../token/key-source.ts';
import { type TokenFacts, tokenFacts } from '../token/verified-token.ts';
import { identityRefusal } from './token-refusal.ts';

/** Neither an access token nor a proof may pass as a workload's identity: RFC 8725 section 3.11. */
const types: JwsProfile['types'] = [null, 'jwt'];

/** An issuer of workload tokens, from the config: a cluster's service accounts, a CI system. */
export interface OidcIssuer {
  /** Compared byte by byte with `iss` (OpenID Connect Core section 3.1.3.7). */
  readonly issuer: string;
  readonly keys: KeySource;
  readonly algorithms: readonly JwsAlgorithm[];
  readonly maxLifetimeSeconds: number;
}

export interface OidcRules {
  /** The audience of the host that is asked for; an empty one accepts nothing. */
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** base64url SHA-256 of the caller's certificate, for a token that is bound to it; null when none was proven. */
  readonly certificateThumbprint: string | null;
}

/**
 * An OIDC workload token that was verified. Holding one is the proof: `VerifiedOidcToken.verify` alone makes it. Issuer
 * and subject name a workload only through the inventory's credentials.
 */
export class VerifiedOidcToken implements TokenFacts {
  readonly issuer: string;
  readonly subject: string;
  readonly thumbprint: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly claims: JsonObject;
  #proof = true;

  private constructor(issuer: string, subject: string, facts: TokenFacts) {
    this.issuer = issuer;
    this.subject = subject;
    this.thumbprint = facts.thumbprint;
    this.issuedAt = facts.issuedAt;
    this.expiresAt = facts.expiresAt;
    this.claims = facts.claims;
    void this.#proof;
    Object.freeze(this);
  }

  /**
   * Verifies a workload token with the keys of one configured issuer: `iss` is that issuer, the signature holds, `exp`,
   * `nbf`, `iat` and the lifetime, `aud` names the audience, `sub` is there, and it is not bound to a key that was not
   * proven. A key that is not known asks the source for a refresh, and refuses this token. Refusals: `identity_token_…`.
   */
  static async verify(
    token: UnverifiedJws,
    issuer: OidcIssuer,
    rules: OidcRules,
  ): Promise<VerifiedOidcToken | Refusal> {
    if (token.unverifiedClaims.iss !== issuer.issuer)
      return identityRefusal(new TokenFault('issuer', 'iss is not the issuer whose keys are asked'));
    const keys = issuer.keys.current(rules.now);
    if (keys instanceof TokenFault) return identityRefusal(keys);
    const jws = await verifyWithKeySet(token, { algorithms: issuer.algorithms, types }, keys);
    if (jws instanceof TokenFault) {
      if (jws.kind === 'key_unknown') issuer.keys.refreshSoon();
      return identityRefusal(jws);
    }
    const times = checkTimes(jws.claims, { now: rules.now, maxLifetimeSeconds: issuer.maxLifetimeSeconds });
    if (times instanceof TokenFault) return identityRefusal(times);
    const subject = requireText(jws.claims, 'sub', 'subject');
    if (subject instanceof TokenFault) return identityRefusal(subject);
    const fault = checkAudience(jws.claims, rules.audience) ?? checkBearer(jws.claims, rules.certificateThumbprint);
    if (fault !== null) return identityRefusal(fault);
    return new VerifiedOidcToken(issuer.issuer, subject, tokenFacts(jws, times));
  }
}

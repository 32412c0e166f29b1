import type { JsonObject } from '../base/strict-json.ts';
import type { TokenTimes } from './jws-claims.ts';
import type { VerifiedJws } from './verifier.ts';

/** What every verified identity token says. Times are seconds since the epoch. */
export interface TokenFacts {
  /** base64url SHA-256 of the token's canonical content: the same for every spelling of its signature. */
  readonly thumbprint: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly claims: JsonObject;
}

/** The facts of a token whose signature and times were verified. */
export function tokenFacts(jws: VerifiedJws, times: TokenTimes): TokenFacts {
  return {
    thumbprint: Buffer.from(jws.digest, 'hex').toString('base64url'),
    issuedAt: times.issuedAt,
    expiresAt: times.expiresAt,
    claims: jws.claims,
  };
}

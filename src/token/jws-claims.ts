import { isJsonObject, type JsonObject, type JsonValue } from '../base/strict-json.ts';
import { TokenFault } from './jws-fault.ts';

/** How far the clocks of an issuer and of this sidecar may be apart. */
export const LEEWAY_SECONDS = 5;

export interface TimeRules {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The longest life that is accepted, from `iat` (else from now) to `exp`. */
  readonly maxLifetimeSeconds: number;
}

/** Seconds since the epoch. */
export interface TokenTimes {
  /** `iat`, else `nbf`, else the earliest moment that the longest accepted life allows: never younger than it is. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/**
 * Judges `exp`, `nbf` and `iat` (RFC 7519 sections 4.1.4 to 4.1.6) with five seconds of leeway. `exp` is required. A
 * NumericDate must be an integer in the safe range: a fraction or a string is `malformed`, though RFC 7519 admits
 * fractions, since no issuer of workload tokens needs them and readers round them differently. `iat` may not lie in the
 * future, and `exp` lies after it. Kinds: `malformed`, `expired`, `not_yet_valid`, `lifetime`.
 */
export function checkTimes(claims: JsonObject, { now, maxLifetimeSeconds }: TimeRules): TokenTimes | TokenFault {
  for (const name of ['exp', 'nbf', 'iat']) {
    const value = claims[name];
    if (value === undefined && name === 'exp') return new TokenFault('expired', 'exp is missing');
    if (value !== undefined && !Number.isSafeInteger(value))
      return new TokenFault('malformed', `${name} is not an integer number of seconds`);
  }
  const { exp, nbf, iat } = claims as { readonly exp: number; readonly nbf?: number; readonly iat?: number };
  const seconds = now / 1000;
  if (seconds >= exp + LEEWAY_SECONDS) return new TokenFault('expired', `it expired at ${exp}`);
  if (nbf !== undefined && seconds < nbf - LEEWAY_SECONDS)
    return new TokenFault('not_yet_valid', `it is not valid before ${nbf}`);
  if (iat !== undefined && seconds < iat - LEEWAY_SECONDS)
    return new TokenFault('not_yet_valid', `it was issued at ${iat}, in the future`);
  if (iat !== undefined && exp <= iat) return new TokenFault('lifetime', `exp ${exp} is not after iat ${iat}`);
  const lifetime = exp - (iat ?? seconds);
  if (!(lifetime <= maxLifetimeSeconds))
    return new TokenFault('lifetime', `it lives ${Math.ceil(lifetime)} s, longer than ${maxLifetimeSeconds} s`);
  return { issuedAt: iat ?? nbf ?? exp - maxLifetimeSeconds, expiresAt: exp };
}

/**
 * Whether the token was meant for us (RFC 7519 section 4.1.3): null when `aud` is our audience, or an array of non-empty
 * strings that holds it. A missing, empty or differently shaped `aud` is the fault, and so is an audience of ours that
 * is empty, which no `aud` may hold: it is never "any".
 */
export function checkAudience(claims: JsonObject, audience: string): TokenFault | null {
  const { aud } = claims;
  const values = typeof aud === 'string' ? [aud] : aud;
  if (!Array.isArray(values) || values.length === 0) return new TokenFault('audience', 'aud is missing or empty');
  if (!values.every((value) => typeof value === 'string' && value !== ''))
    return new TokenFault('audience', 'aud is not made of non-empty strings');
  return values.includes(audience) ? null : new TokenFault('audience', 'aud does not name our audience');
}

/** A claim that must be a non-empty string; a fault of the given kind otherwise. */
export function requireText(
  claims: JsonObject,
  name: string,
  kind: 'issuer' | 'subject' | 'malformed',
): string | TokenFault {
  const value = claims[name];
  return typeof value === 'string' && value !== '' ? value : new TokenFault(kind, `${name} is not a non-empty string`);
}

/**
 * Whether a token that is used as a mere bearer token may be: one with `cnf` (RFC 7800) is bound to a key, and passes
 * only when it is bound to the caller's certificate (RFC 8705 section 3.1), and to no key besides (`jkt`, `jwk`). Members
 * that are not understood are passed over (RFC 7800 section 3.1). `certificateThumbprint` is the base64url SHA-256 of that
 * certificate, null when the request proved none.
 */
export function checkBearer(claims: JsonObject, certificateThumbprint: string | null): TokenFault | null {
  const { cnf } = claims;
  if (cnf === undefined) return null;
  if (!isJsonObject(cnf)) return new TokenFault('bound', 'cnf is not an object');
  if (cnf['x5t#S256'] === undefined || cnf.jkt !== undefined || cnf.jwk !== undefined)
    return new TokenFault('bound', 'cnf binds the token to something other than a certificate');
  if (certificateThumbprint !== null && cnf['x5t#S256'] === certificateThumbprint) return null;
  return new TokenFault('bound', 'it is bound to another certificate than that of the caller');
}

/** The claim at the end of the path (RFC 6901 without array steps); undefined when it is not there. */
export function claimAt(claims: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = claims;
  for (const name of path) {
    if (!isJsonObject(value)) return undefined;
    value = value[name];
  }
  return value;
}

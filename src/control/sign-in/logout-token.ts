import { Fault } from '../../base/fault.ts';
import { isJsonObject, type JsonObject } from '../../base/strict-json.ts';
import type { JwksSource } from '../../token/jwks-source.ts';
import { standardAlgorithms } from '../../token/jws-algorithms.ts';
import { checkAudience, checkTimes } from '../../token/jws-claims.ts';
import type { JwsProfile } from '../../token/jws-compact.ts';
import { TokenFault, type TokenFaultKind } from '../../token/jws-fault.ts';
import type { TokenVerifier, VerifiedJws } from '../../token/verifier.ts';
import type { EndedAt } from './sessions.ts';

/** OpenID Connect Back-Channel Logout section 2.4: explicit typing is recommended, and not all do it. */
const profile: JwsProfile = { algorithms: [...standardAlgorithms, 'EdDSA'], types: [null, 'jwt', 'logout+jwt'] };
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** It is sent at once; one that is older is sent again by somebody else. */
const MAX_LIFETIME_SECONDS = 600;
const MAX_ID = 255;
/** What newer keys may mend, and how long they are waited for: a provider tells of a logout once, whatever it is answered. */
const MAY_MEND: ReadonlySet<TokenFaultKind> = new Set(['keys_stale', 'key_unknown']);
const WAIT_MS = 4000;

export interface LogoutRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly keys: Pick<JwksSource, 'current' | 'refreshed'>;
  readonly tokens: TokenVerifier;
}

/** Whose sessions the provider ended, and until when they had begun (milliseconds since the epoch). */
export interface Logout {
  readonly of: EndedAt;
  readonly untilMs: number;
}

/**
 * Verifies a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6). One that is signed with a key that is not
 * known waits for a read of the keys: the provider may have changed them. Never rejects.
 */
export async function readLogoutToken(text: string, rules: LogoutRules, nowMs: number): Promise<Logout | Fault> {
  const { issuer, clientId, keys, tokens } = rules;
  const token = tokens.read(text);
  if (token instanceof TokenFault) return new Fault(token.detail);
  if (token.unverifiedClaims.iss !== issuer) return new Fault('iss is not the provider');
  const verified = async (): Promise<VerifiedJws | TokenFault> => {
    const set = keys.current(nowMs);
    return set instanceof TokenFault ? set : tokens.verify(token, profile, set, nowMs);
  };
  let jws = await verified();
  if (jws instanceof TokenFault && MAY_MEND.has(jws.kind)) {
    await keys.refreshed(WAIT_MS);
    jws = await verified();
  }
  if (jws instanceof TokenFault) return new Fault(jws.detail);
  const { claims } = jws;
  const times = checkTimes(claims, { now: nowMs, maxLifetimeSeconds: MAX_LIFETIME_SECONDS });
  const wrong = times instanceof TokenFault ? times : checkAudience(claims, clientId);
  if (wrong !== null) return new Fault(wrong.detail);
  return logoutOf(claims, issuer);
}

function logoutOf(claims: JsonObject, issuer: string): Logout | Fault {
  const { events, nonce, sid, sub, iat, jti } = claims;
  if (typeof iat !== 'number') return new Fault('iat is missing');
  if (typeof jti !== 'string' || jti === '') return new Fault('jti is missing');
  if (!isJsonObject(events) || !isJsonObject(events[EVENT]))
    return new Fault('events does not say that it is a logout');
  // Else an ID token could pass as one.
  if (nonce !== undefined) return new Fault('it has a nonce, so it is an ID token');
  const untilMs = iat * 1000 + 999;
  const of = { issuer, ...(isId(sub) ? { subject: sub } : {}), ...(isId(sid) ? { sid } : {}) };
  return isId(sub) || isId(sid) ? { of, untilMs } : new Fault('it names neither sub nor sid');
}

const isId = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= MAX_ID;

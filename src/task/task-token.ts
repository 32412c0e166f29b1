import { isIdentifier } from '../base/identifier.ts';
import { Refusal } from '../base/outcome.ts';
import { after, type Soon } from '../base/soon.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { jwtSvidProfile } from '../identity/jwt-svid.ts';
import type { UnverifiedJws } from '../token/jws.ts';
import { checkAudience, checkTimes, requireText, type TokenTimes } from '../token/jws-claims.ts';
import type { JwsProfile } from '../token/jws-compact.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { KeySet } from '../token/key-set.ts';
import type { TokenVerifier, VerifiedJws } from '../token/verifier.ts';
import { claimAt } from './claim-path.ts';
import type { TaskSource } from './model.ts';
import type { AccessTokenIssuer, IssuerScope, JwtSvidIssuer, TxnTokenIssuer } from './options.ts';

const TXN_TYPES: JwsProfile['types'] = ['txntoken+jwt'];
/** RFC 9068 section 4. */
const ACCESS_TOKEN_TYPES: JwsProfile['types'] = ['at+jwt'];
/** RFC 6749 section 3.3. */
const SCOPES = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;
const MAX_SCOPES = 64;
/** Names of earlier drafts, with what they are called now. */
const OLD_NAMES = { azd: 'tctx', purp: 'scope', purpose: 'scope' } as const;

/** What a task token says of its task. */
interface Statement {
  readonly id: string;
  readonly purpose: string;
  readonly scopes: readonly string[];
}

declare const proven: unique symbol;

/**
 * A task token that was verified: signature, `typ`, times and lifetime, audience, and the claims that its kind requires.
 * Having one is the proof: the functions below alone make it. Whether it has to do with the caller is not judged yet (binding.ts), nor whether its purpose
 * is one of the inventory.
 */
export interface TaskToken {
  readonly [proven]: true;
  readonly source: TaskSource;
  readonly scope: IssuerScope;
  /** `iss`, or the SPIFFE ID of the trust domain of a JWT-SVID. */
  readonly issuer: string;
  readonly statement: Statement;
  readonly subject: string;
  readonly times: TokenTimes;
  readonly claims: JsonObject;
  /** SHA-256 (hex) of the canonical content. */
  readonly digest: string;
}

/**
 * A Transaction Token (draft-ietf-oauth-transaction-tokens, section 7). `iat`, `exp`, `aud`, `txn`, `sub`, `scope` and
 * `req_wl` are required; names of earlier drafts are refused unless the issuer is marked. The id of the task is `txn`.
 */
export function verifyTxnToken(
  token: UnverifiedJws,
  issuer: TxnTokenIssuer,
  tokens: TokenVerifier,
  now: number,
): Soon<TaskToken | TokenFault> {
  const keys = issuer.keys.current(now);
  if (keys instanceof TokenFault) return keys;
  const profile = { algorithms: issuer.algorithms, types: TXN_TYPES };
  return after(tokens.verify(token, profile, keys, now), (jws) => readTxnToken(jws, issuer, now));
}

function readTxnToken(jws: VerifiedJws | TokenFault, issuer: TxnTokenIssuer, now: number): TaskToken | TokenFault {
  if (jws instanceof TokenFault) return refreshing(jws, issuer);
  const times = checkTimes(jws.claims, { now, maxLifetimeSeconds: issuer.maxLifetimeSeconds });
  if (times instanceof TokenFault) return times;
  const audience = checkAudience(jws.claims, issuer.audience);
  if (audience !== null) return audience;
  const claims = withCurrentNames(jws.claims, issuer);
  if (claims instanceof TokenFault) return claims;
  const missing = missingClaim(claims, ['iat']) ?? missingText(claims, ['txn', 'sub', 'scope', 'req_wl']);
  if (missing !== null) return missing;
  const stated = readStatement(claims, ['txn'], issuer.purposeClaim);
  if (stated instanceof TokenFault) return stated;
  return taskToken('txn-token', issuer, issuer.issuer, stated, claims.sub as string, times, jws);
}

/**
 * An access token (RFC 9068 section 4) with task claims. `iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti` are
 * required (section 2.2); `aud` names the audience of the host that is called.
 */
export function verifyAccessToken(
  token: UnverifiedJws,
  issuer: AccessTokenIssuer,
  audience: string,
  tokens: TokenVerifier,
  now: number,
): Soon<TaskToken | TokenFault> {
  const keys = issuer.keys.current(now);
  if (keys instanceof TokenFault) return keys;
  const profile = { algorithms: issuer.algorithms, types: ACCESS_TOKEN_TYPES };
  return after(tokens.verify(token, profile, keys, now), (jws) => readAccessToken(jws, issuer, audience, now));
}

function readAccessToken(
  jws: VerifiedJws | TokenFault,
  issuer: AccessTokenIssuer,
  audience: string,
  now: number,
): TaskToken | TokenFault {
  if (jws instanceof TokenFault) return refreshing(jws, issuer);
  const { claims } = jws;
  const times = checkTimes(claims, { now, maxLifetimeSeconds: issuer.maxLifetimeSeconds });
  if (times instanceof TokenFault) return times;
  const wrong =
    checkAudience(claims, audience) ??
    missingClaim(claims, ['iat']) ??
    missingText(claims, ['iss', 'sub', 'client_id', 'jti']);
  if (wrong !== null) return wrong;
  if (claims.iss !== issuer.issuer) return new TokenFault('issuer', 'iss is not the issuer whose keys were asked');
  const stated = readStatement(claims, issuer.idClaim, issuer.purposeClaim);
  if (stated instanceof TokenFault) return stated;
  return taskToken('access-token', issuer, issuer.issuer, stated, claims.sub as string, times, jws);
}

/**
 * A JWT-SVID (JWT-SVID sections 2 to 5) with task claims, under the authorities of the trust domain of its `sub`. The
 * refusal is that of the authorities.
 */
export function verifySvidTask(
  token: UnverifiedJws,
  issuer: JwtSvidIssuer,
  subject: SpiffeId,
  audience: string,
  tokens: TokenVerifier,
  now: number,
): Soon<TaskToken | TokenFault | Refusal> {
  const keys: KeySet | Refusal = issuer.authorities.jwtKeys(subject.trustDomain, now);
  if (keys instanceof Refusal) return keys;
  return after(tokens.verify(token, jwtSvidProfile, keys, now), (jws) =>
    readSvidTask(jws, issuer, subject, audience, now),
  );
}

function readSvidTask(
  jws: VerifiedJws | TokenFault,
  issuer: JwtSvidIssuer,
  subject: SpiffeId,
  audience: string,
  now: number,
): TaskToken | TokenFault {
  if (jws instanceof TokenFault) return jws;
  const { claims } = jws;
  const times = checkTimes(claims, { now, maxLifetimeSeconds: issuer.maxLifetimeSeconds });
  if (times instanceof TokenFault) return times;
  const wrong = checkAudience(claims, audience);
  if (wrong !== null) return wrong;
  const stated = readStatement(claims, issuer.idClaim, issuer.purposeClaim);
  if (stated instanceof TokenFault) return stated;
  return taskToken('jwt-svid', issuer, `spiffe://${subject.trustDomain}`, stated, subject.text, times, jws);
}
function taskToken(
  source: TaskSource,
  scope: IssuerScope,
  issuer: string,
  statement: Statement,
  subject: string,
  times: TokenTimes,
  { claims, digest }: VerifiedJws,
): TaskToken {
  return Object.freeze({ source, scope, issuer, statement, subject, times, claims, digest } as TaskToken);
}

/** The SPIFFE ID that a token claims in `sub`; null when it is none. */
export function unverifiedSubject(token: UnverifiedJws): SpiffeId | null {
  const { sub } = token.unverifiedClaims;
  const id = typeof sub === 'string' ? SpiffeId.parse(sub) : null;
  return id instanceof SpiffeId ? id : null;
}

function refreshing(fault: TokenFault, issuer: TxnTokenIssuer | AccessTokenIssuer): TokenFault {
  if (fault.kind === 'key_unknown') issuer.keys.refreshSoon();
  return fault;
}

function missingClaim(claims: JsonObject, names: readonly string[]): TokenFault | null {
  const missing = names.find((name) => claims[name] === undefined);
  return missing === undefined ? null : new TokenFault('malformed', `${missing} is missing`);
}

function missingText(claims: JsonObject, names: readonly string[]): TokenFault | null {
  for (const name of names) {
    const value = requireText(claims, name, 'malformed');
    if (value instanceof TokenFault) return value;
  }
  return null;
}

/**
 * The claims by their names of today. A member with an old name is refused (it would be read as nothing by one reader
 * and as the purpose by another), unless the issuer is marked, or states its purpose just there.
 */
function withCurrentNames(
  claims: JsonObject,
  { legacyClaimNames, purposeClaim }: TxnTokenIssuer,
): JsonObject | TokenFault {
  const renamed: Record<string, JsonObject[string]> = Object.assign(Object.create(null), claims);
  for (const [old, current] of Object.entries(OLD_NAMES)) {
    const value = claims[old];
    if (value === undefined || purposeClaim?.[0] === old) continue;
    if (!legacyClaimNames)
      return new TokenFault('malformed', `${old} is a name of an earlier draft; it is ${current} now`);
    if (renamed[current] !== undefined) return new TokenFault('malformed', `${old} stands beside ${current}`);
    renamed[current] = value;
  }
  return renamed;
}

function readStatement(
  claims: JsonObject,
  idClaim: readonly string[],
  purposeClaim: readonly string[] | null,
): Statement | TokenFault {
  const id = claimAt(claims, idClaim);
  if (typeof id !== 'string' || !isIdentifier(id))
    return new TokenFault('malformed', `${idClaim.join('/')} is no identifier of a task`);
  const scopes = readScopes(claims);
  if (scopes instanceof TokenFault) return scopes;
  if (purposeClaim === null) {
    const [purpose, ...others] = scopes;
    if (purpose === undefined || others.length > 0)
      return new TokenFault('malformed', 'scope is not exactly one, so no purpose is stated');
    return { id, purpose, scopes: [] };
  }
  const purpose = claimAt(claims, purposeClaim);
  if (typeof purpose !== 'string' || !isIdentifier(purpose))
    return new TokenFault('malformed', `${purposeClaim.join('/')} states no purpose`);
  return { id, purpose, scopes };
}

/**
 * RFC 6749 section 3.3, each scope once. An absent claim limits nothing. An empty one, which Keycloak writes for a client
 * that was granted no scope, is the one scope '': no resource asks for it, so it opens nothing that asks for any.
 */
function readScopes({ scope }: JsonObject): readonly string[] | TokenFault {
  if (scope === undefined) return [];
  if (scope === '') return [scope];
  if (typeof scope !== 'string' || !SCOPES.test(scope))
    return new TokenFault('malformed', 'scope is no list of scopes');
  const scopes = scope.split(' ');
  if (scopes.length > MAX_SCOPES) return new TokenFault('malformed', `more than ${MAX_SCOPES} scopes`);
  return Object.freeze([...new Set(scopes)]);
}

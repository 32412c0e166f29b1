import { isIdentifier } from '../base/identifier.ts';
import { Refusal } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import { after, type Soon } from '../base/soon.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { jwtSvidProfile } from '../identity/jwt-svid.ts';
import type { UnverifiedJws } from '../token/jws.ts';
import { checkAudience, checkTimes, claimAt, requireText, type TokenTimes } from '../token/jws-claims.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { TokenVerifier, VerifiedJws } from '../token/verifier.ts';
import type { TaskSource } from './model.ts';
import type { AccessTokenIssuer, JwtSvidIssuer, TaskIssuer, TxnTokenIssuer } from './options.ts';
import { readTaskResources, type TaskResource } from './resources.ts';

/**
 * The `typ` of a kind, the claims that it requires, and those of them that are texts with something in them; of access
 * tokens RFC 9068 sections 2.2 and 4.
 */
const forms = {
  'txn-token': { types: ['txntoken+jwt'], present: ['iat', 'scope'], texts: ['txn', 'sub', 'req_wl'] },
  'access-token': { types: ['at+jwt'], present: ['iat'], texts: ['iss', 'sub', 'client_id', 'jti'] },
} as const;
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
  readonly resources: readonly TaskResource[] | null;
}

/**
 * A task token that was verified: signature, `typ`, times and lifetime, audience, and the claims that its kind requires.
 * Having one is the proof: the functions below alone make it. Whether it has to do with the caller is not judged yet (binding.ts), nor whether its purpose
 * is one of the inventory.
 */
export type TaskToken = Proven<
  'task-token',
  {
    source: TaskSource;
    scope: TaskIssuer;
    /** `iss`, or the SPIFFE ID of the trust domain of a JWT-SVID. */
    issuer: string;
    statement: Statement;
    subject: string;
    times: TokenTimes;
    claims: JsonObject;
    /** SHA-256 (hex) of the canonical content. */
    digest: string;
  }
>;

/**
 * A Transaction Token (draft-ietf-oauth-transaction-tokens, section 7) or an access token (RFC 9068 section 4) with task
 * claims. Of the former `iat`, `exp`, `aud`, `txn`, `sub`, `scope` and `req_wl` are required; it names the audience of its
 * issuer; names of earlier drafts are refused unless the issuer is marked; the id of the task is `txn`. Of the latter
 * `iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti` are required (section 2.2); it names the audience of the host
 * that is called.
 */
export function verifyIssuedTask(
  token: UnverifiedJws,
  issuer: TxnTokenIssuer | AccessTokenIssuer,
  hostAudience: string,
  tokens: TokenVerifier,
  now: number,
): Soon<TaskToken | TokenFault> {
  const keys = issuer.keys.current(now);
  if (keys instanceof TokenFault) return keys;
  const profile = { algorithms: issuer.algorithms, types: forms[issuer.kind].types };
  return after(tokens.verify(token, profile, keys, now), (jws) => {
    if (jws instanceof TokenFault && jws.kind === 'key_unknown') issuer.keys.refreshSoon();
    return jws instanceof TokenFault ? jws : taskToken(jws, issuer, issuer.issuer, hostAudience, now);
  });
}

/**
 * A JWT-SVID (JWT-SVID sections 2 to 5) with task claims, under the authorities of the trust domain of its `sub`. The
 * refusal is that of the authorities.
 */
export function verifySvidTask(
  token: UnverifiedJws,
  issuer: JwtSvidIssuer,
  { trustDomain }: SpiffeId,
  hostAudience: string,
  tokens: TokenVerifier,
  now: number,
): Soon<TaskToken | TokenFault | Refusal> {
  const keys = issuer.authorities.jwtKeys(trustDomain, now);
  if (keys instanceof Refusal) return keys;
  return after(tokens.verify(token, jwtSvidProfile, keys, now), (jws) =>
    jws instanceof TokenFault ? jws : taskToken(jws, issuer, `spiffe://${trustDomain}`, hostAudience, now),
  );
}

/** Judges the claims of a token whose signature was verified. */
function taskToken(
  jws: VerifiedJws,
  scope: TaskIssuer,
  issuer: string,
  hostAudience: string,
  now: number,
): TaskToken | TokenFault {
  const { claims, digest } = jws;
  const times = checkTimes(claims, { now, maxLifetimeSeconds: scope.maxLifetimeSeconds });
  if (times instanceof TokenFault) return times;
  const elsewhere = checkAudience(claims, scope.kind === 'txn-token' ? scope.audience : hostAudience);
  if (elsewhere !== null) return elsewhere;
  const statement = statementOf(jws, scope);
  if (statement instanceof TokenFault) return statement;
  const subject = claims.sub as string;
  const proven = { source: scope.kind, scope, issuer, statement, subject, times, claims, digest };
  return Object.freeze(proven) as TaskToken;
}

interface Said {
  readonly to: TaskIssuer;
  readonly statement: Statement | TokenFault;
}

/** What a verified token says of its task, for as long as it is remembered that it was verified: its claims do not change. */
const said = new WeakMap<VerifiedJws, Said>();

function statementOf(jws: VerifiedJws, scope: TaskIssuer): Statement | TokenFault {
  const known = said.get(jws);
  if (known?.to === scope) return known.statement;
  const statement = statementIn(jws.claims, scope);
  said.set(jws, { to: scope, statement });
  return statement;
}

/** What the claims say of a task to one who reads them as those of this issuer. */
function statementIn(claims: JsonObject, scope: TaskIssuer): Statement | TokenFault {
  const named = scope.kind === 'txn-token' ? withCurrentNames(claims, scope) : claims;
  if (named instanceof TokenFault) return named;
  const missing = scope.kind === 'jwt-svid' ? null : missingClaim(named, forms[scope.kind]);
  if (missing !== null) return missing;
  if (scope.kind === 'access-token' && claims.iss !== scope.issuer)
    return new TokenFault('issuer', 'iss is not the issuer whose keys were asked');
  const resources = readTaskResources(named, scope.resources);
  if (resources instanceof TokenFault) return resources;
  const read = readStatement(named, scope.kind === 'txn-token' ? ['txn'] : scope.idClaim, scope.purposeClaim);
  return read instanceof TokenFault ? read : { ...read, resources };
}

/** The SPIFFE ID that a token claims in `sub`; null when it is none. */
export function unverifiedSubject(token: UnverifiedJws): SpiffeId | null {
  const { sub } = token.unverifiedClaims;
  const id = typeof sub === 'string' ? SpiffeId.parse(sub) : null;
  return id instanceof SpiffeId ? id : null;
}

/** What is missing of the claims that a kind requires. */
function missingClaim(claims: JsonObject, { present, texts }: (typeof forms)[keyof typeof forms]): TokenFault | null {
  const absent = present.find((name) => claims[name] === undefined);
  if (absent !== undefined) return new TokenFault('malformed', `${absent} is missing`);
  return texts.map((name) => requireText(claims, name, 'malformed')).find((text) => text instanceof TokenFault) ?? null;
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
): Omit<Statement, 'resources'> | TokenFault {
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
 * that was granted no scope, and the token service for a task that asked for none, is the one scope '': no resource asks
 * for it, so it opens nothing that asks for any.
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

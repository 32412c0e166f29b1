import { Fault } from '../../base/fault.ts';
import { isJsonObject, type JsonObject } from '../../base/strict-json.ts';
import type { BoundTask } from '../../task/binding.ts';
import { MAX_TOKEN_CHARS, parseTokenJson } from '../../token/jws-compact.ts';
import { TokenFault } from '../../token/jws-fault.ts';
import { resourcesSchema } from './details.ts';
import type { Grant } from './grant.ts';

/** Where tokens of this service state the purpose: `tctx` never changes, and a purpose may be narrowed. */
export const PURPOSE_CLAIM = ['task', 'purpose'] as const;

/** Who issues a token, and when, in seconds since the epoch. */
interface Issue {
  readonly issuer: string;
  readonly audience: string;
  readonly jti: string;
  readonly now: number;
}

/**
 * The claims of a Transaction Token for a grant. `req_wl` and the outermost `act` name the one workload that may use it;
 * nested actors are those before (RFC 8693 section 4.1). `scope` without any is empty, which opens nothing that asks for one.
 */
export function claimsOf(grant: Grant, { issuer, audience, jti, now }: Issue): JsonObject {
  const { id, chain, purpose, scopes, endsAt, expiresAt, resources } = grant;
  const [originator, ...later] = chain;
  const act = later.reduce<JsonObject>((nested, sub) => ({ sub, act: nested }), { sub: originator });
  return {
    iss: issuer,
    aud: audience,
    iat: now,
    exp: expiresAt,
    jti,
    txn: id,
    sub: originator,
    scope: scopes.join(' '),
    req_wl: chain.at(-1) ?? originator,
    act,
    task: { purpose, end: endsAt },
    ...(resources === null ? {} : { tctx: { resources: resources.map((each) => ({ ...each })) } }),
  };
}

/** Characters that header and signature take at most, with dots: those of an RSA key of 8192 bits, and a long `kid`. */
const REST_CHARS = 2048;

/** Whether readers take a token with these claims: none that is longer, or nested deeper, is any good. */
export function isReadable(claims: JsonObject): boolean {
  const payload = Buffer.from(JSON.stringify(claims));
  const chars = Math.ceil((payload.length * 4) / 3) + REST_CHARS;
  return chars <= MAX_TOKEN_CHARS && !(parseTokenJson(payload, 'the payload') instanceof TokenFault);
}

/** What a token of this service grants: read by the reader of every sidecar, and then for what that one does not need. */
export function grantOf({ task, chain }: BoundTask, claims: JsonObject): Grant | Fault {
  const end = isJsonObject(claims.task) ? claims.task.end : undefined;
  if (typeof end !== 'number' || !Number.isSafeInteger(end)) return new Fault('it does not say when its task ends');
  const about = isJsonObject(claims.tctx) ? claims.tctx.resources : undefined;
  const resources = about === undefined ? null : resourcesSchema.safeParse(about);
  if (resources?.success === false) return new Fault('its resources cannot be read');
  const [originator, ...later] = chain.map(({ id }) => id.text);
  if (originator === undefined) return new Fault('it names nobody');
  return {
    id: task.id,
    chain: [originator, ...later],
    purpose: task.purpose,
    scopes: task.scopes.filter((scope) => scope !== ''),
    endsAt: end,
    expiresAt: task.expiresAt,
    resources: resources?.data ?? null,
  };
}

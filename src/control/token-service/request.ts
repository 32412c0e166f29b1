import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { isJsonObject, parseStrictJson } from '../../base/strict-json.ts';
import { ApiProblem } from '../http/problem.ts';
import { readDetails, type TaskDetails } from './details.ts';

/** The grant of RFC 8693 section 2.1. */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** The URN of a kind of token (RFC 8693 section 3, draft-ietf-oauth-transaction-tokens). */
export const tokenType = (kind: 'txn_token' | 'jwt' | 'id_token' | 'unsigned_json'): string =>
  `urn:ietf:params:oauth:token-type:${kind}`;

/** Whose task it is, or the token that is exchanged. */
export type SubjectToken =
  /** What the caller says of itself: to be compared with its certificate. */
  | { readonly kind: 'named'; readonly subject: string }
  /** A JWT-SVID, or a workload token of an issuer under `identity.oidc`. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A Transaction Token of this service. */
  | { readonly kind: 'txn-token'; readonly token: string };

/** A request of a token, read whole; nothing of it is believed yet. */
export interface TokenRequest extends TaskDetails {
  readonly subject: SubjectToken;
  readonly audience: string;
  /** None that is not asked for is given. */
  readonly scopes: readonly string[];
  /** The workload that shall act next; null: the caller itself. */
  readonly actor: SpiffeId | null;
}

/** RFC 6749 section 3.3. */
const SCOPES = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;
const MAX_SCOPES = 64;
const MAX_SCOPE = 256;
/** What would be a second proof of who asks, beside the certificate (RFC 6749 section 2.3), or another way to name a target or an actor. */
const REFUSED = ['client_secret', 'client_assertion', 'client_assertion_type', 'actor_token', 'actor_token_type'];

const invalid = (detail: string): ApiProblem => ApiProblem.of('token_request_invalid', detail);

/**
 * A request of a Transaction Token (RFC 8693 section 2.1, draft-ietf-oauth-transaction-tokens section "Txn-Token
 * Request") of the parameters of its form. Parameters that are not known are ignored (RFC 6749 section 3.2). Beside those
 * of the standards there is `actor`, the SPIFFE ID of the workload that shall act next. Problems: `token_request_invalid`,
 * `grant_type_unsupported`, `scope_exceeded` for a scope that cannot be one, `target_invalid`.
 */
export function readTokenRequest(form: Readonly<Record<string, string>>): TokenRequest | ApiProblem {
  const { grant_type: grantType, audience, resource, scope, actor, request_details: details } = form;
  if (grantType === undefined) return invalid('grant_type is missing');
  if (grantType !== TOKEN_EXCHANGE)
    return ApiProblem.of('grant_type_unsupported', `the grant_type here is ${TOKEN_EXCHANGE}`);
  const refused = REFUSED.find((name) => form[name] !== undefined);
  if (refused !== undefined) return invalid(`${refused} is not taken: the certificate of the connection says who asks`);
  if (form.requested_token_type !== tokenType('txn_token'))
    return invalid(`requested_token_type is not ${tokenType('txn_token')}`);
  if (audience === undefined) return invalid('audience is missing: the trust domain');
  if (resource !== undefined)
    return ApiProblem.of('target_invalid', 'resource is not taken; name the trust domain as audience');
  const subject = readSubject(form);
  if (subject instanceof ApiProblem) return subject;
  const scopes = readScopes(scope);
  if (scopes instanceof ApiProblem) return scopes;
  const next = actor === undefined ? null : readWorkload(actor);
  if (next instanceof ApiProblem) return next;
  const read = readDetails(details);
  if (read instanceof Fault) return invalid(`request_details: ${read.detail}`);
  return { subject, audience, scopes, actor: next, ...read };
}

function readSubject(form: Readonly<Record<string, string>>): SubjectToken | ApiProblem {
  const { subject_token: token, subject_token_type: type } = form;
  if (token === undefined) return invalid('subject_token is missing');
  switch (type) {
    case undefined:
      return invalid('subject_token_type is missing');
    case tokenType('txn_token'):
      return { kind: 'txn-token', token };
    case tokenType('jwt'):
    case tokenType('id_token'):
      return { kind: 'identity', token };
    case tokenType('unsigned_json'): {
      const json = parseStrictJson(token);
      const sub = json instanceof Fault || !isJsonObject(json) ? undefined : json.sub;
      if (typeof sub !== 'string') return invalid('subject_token is no JSON object with a text sub');
      return { kind: 'named', subject: sub };
    }
    default:
      return invalid('subject_token_type is none of txn_token, jwt, id_token, unsigned_json');
  }
}

function readScopes(scope: string | undefined): readonly string[] | ApiProblem {
  if (scope === undefined) return [];
  if (!SCOPES.test(scope)) return ApiProblem.of('scope_exceeded', 'scope is no list of scopes (RFC 6749 section 3.3)');
  const scopes = [...new Set(scope.split(' '))];
  if (scopes.length > MAX_SCOPES) return ApiProblem.of('scope_exceeded', `more than ${MAX_SCOPES} scopes`);
  if (scopes.some(({ length }) => length > MAX_SCOPE))
    return ApiProblem.of('scope_exceeded', `a scope is longer than ${MAX_SCOPE} characters`);
  return scopes;
}

function readWorkload(text: string): SpiffeId | ApiProblem {
  const id = SpiffeId.parse(text);
  if (id instanceof Refusal) return invalid(`actor is no SPIFFE ID: ${id.detail}`);
  return id.path === '' ? invalid('actor names a trust domain, and no workload') : id;
}

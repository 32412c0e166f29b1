import { Refusal } from '../base/outcome.ts';
import type { Headers } from '../http/input.ts';
import { UnverifiedJws } from '../token/jws.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { identityRefusal } from './token-refusal.ts';

const HEADER = 'authorization';
/** RFC 6750 section 2.1 and RFC 9449 section 7.1: scheme, spaces, token68 (RFC 9110 sections 11.2 and 11.4). */
const CREDENTIALS = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i;

/** An `Authorization` header that is ours to judge. Nothing in it is verified. */
export interface PresentedToken {
  readonly scheme: 'bearer' | 'dpop';
  readonly token: UnverifiedJws;
  /** The configured issuer that the token names; null: its `sub` claims a SPIFFE ID, so it is judged as a JWT-SVID. */
  readonly issuer: string | null;
}

export interface AuthorizationRules {
  /** Whose header this is, by the host: where it is the app's, what is not for us is left alone. */
  readonly authorization: 'ours' | 'app';
  /** Every configured issuer of identity and of task tokens. */
  readonly issuers: { has(issuer: string): boolean };
}

/**
 * Whose `Authorization` header is it? A token whose `iss` is a configured issuer is that issuer's, else one whose `sub`
 * begins with `spiffe://` is a JWT-SVID: both are ours on any host, and must then be good. Anything else is refused
 * where the header is ours, and null (not our business) where it is the app's. Null also when there is no header. Two
 * `Authorization` headers are refused on any host (RFC 9110 section 5.3: it is no list). Refusals:
 * `request_header_repeated`, `identity_token_malformed`, `identity_token_issuer`.
 */
export function readAuthorization(headers: Headers, rules: AuthorizationRules): PresentedToken | null | Refusal {
  const [value, ...others] = headers.all(HEADER);
  if (value === undefined) return null;
  if (others.length > 0) return new Refusal('request_header_repeated', 'authorization stands there more than once');
  const presented = decodeUnverifiedAuthorization(value);
  const notForUs = (fault: TokenFault) => (rules.authorization === 'app' ? null : identityRefusal(fault));
  if (presented instanceof TokenFault) return notForUs(presented);
  const { scheme, token } = presented;
  const { iss, sub } = token.unverifiedClaims;
  if (typeof iss === 'string' && rules.issuers.has(iss)) return { scheme, token, issuer: iss };
  if (typeof sub === 'string' && sub.startsWith('spiffe://')) return { scheme, token, issuer: null };
  return notForUs(new TokenFault('issuer', 'neither iss nor sub names anybody that is known'));
}

function decodeUnverifiedAuthorization(value: string): Pick<PresentedToken, 'scheme' | 'token'> | TokenFault {
  const [, scheme, text] = CREDENTIALS.exec(value) ?? [];
  if (scheme === undefined || text === undefined)
    return new TokenFault('malformed', 'authorization is neither Bearer nor DPoP with one token');
  const token = UnverifiedJws.decodeUnverified(text);
  if (token instanceof TokenFault) return token;
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer', token };
}

import { Fault } from '../base/fault.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/strict-json.ts';
import { PublicJwk } from './jwk.ts';
import { TokenFault } from './jws-fault.ts';

/** What a token is bound to by its `cnf` claim (RFC 7800). Nothing here is proven to hold. */
export interface Confirmation {
  /** base64url SHA-256 of a certificate (RFC 8705 section 3.1). */
  readonly certificate: string | null;
  /** RFC 7638 thumbprints of keys: `jkt` (RFC 9449 section 6.1), `jwk` (RFC 7800 section 3.2). */
  readonly keys: readonly string[];
  /** `jkt` is there: only a DPoP proof, under the scheme DPoP, will do (RFC 9449 section 7.2). */
  readonly dpop: boolean;
}

const NOTHING: Confirmation = { certificate: null, keys: [], dpop: false };
const DIGEST = /^[A-Za-z0-9_-]{43}$/;

/**
 * Reads `cnf`. Members that are not understood are passed over (RFC 7800 section 3.1), such as Keycloak's `kc-jkt-type`
 * beside `jkt`; where none is understood, what binds the token cannot be checked, and that is a fault (kind `bound`).
 */
export function readConfirmation({ cnf }: JsonObject): Confirmation | TokenFault {
  if (cnf === undefined) return NOTHING;
  if (!isJsonObject(cnf)) return bound('cnf is not an object');
  const { 'x5t#S256': certificate, jkt, jwk } = cnf;
  for (const [member, value] of Object.entries({ 'x5t#S256': certificate, jkt }))
    if (value !== undefined && !isDigest(value)) return bound(`cnf.${member} is no SHA-256 in base64url`);
  const key = jwk === undefined ? null : PublicJwk.read(jwk);
  if (key instanceof Fault) return bound(`cnf.jwk: ${key.detail}`);
  if ((certificate ?? jkt ?? jwk) === undefined)
    return bound('cnf has no member that is understood: x5t#S256, jkt, jwk');
  const keys = [...(isDigest(jkt) ? [jkt] : []), ...(key === null ? [] : [key.thumbprint])];
  return { certificate: isDigest(certificate) ? certificate : null, keys, dpop: jkt !== undefined };
}

const isDigest = (value: JsonValue | undefined): value is string => typeof value === 'string' && DIGEST.test(value);

const bound = (detail: string): TokenFault => new TokenFault('bound', detail);

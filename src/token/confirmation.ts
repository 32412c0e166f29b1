import { Fault } from '../base/fault.ts';
import { isJsonObject, type JsonObject } from '../base/strict-json.ts';
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
  if (!isJsonObject(cnf)) return new TokenFault('bound', 'cnf is not an object');
  let certificate: string | null = null;
  const keys: string[] = [];
  for (const [member, value] of Object.entries(cnf)) {
    switch (member) {
      case 'x5t#S256':
      case 'jkt':
        if (typeof value !== 'string' || !DIGEST.test(value))
          return new TokenFault('bound', `cnf.${member} is no SHA-256 in base64url`);
        if (member === 'jkt') keys.push(value);
        else certificate = value;
        break;
      case 'jwk': {
        const key = PublicJwk.read(value);
        if (key instanceof Fault) return new TokenFault('bound', `cnf.jwk: ${key.detail}`);
        keys.push(key.thumbprint);
        break;
      }
    }
  }
  if (certificate === null && keys.length === 0)
    return new TokenFault('bound', 'cnf has no member that is understood: x5t#S256, jkt, jwk');
  return { certificate, keys, dpop: cnf.jkt !== undefined };
}

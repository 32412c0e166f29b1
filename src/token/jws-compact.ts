import { compactVerify, errors } from 'jose';
import { decodeBase64url } from '../base/base64url.ts';
import { Fault } from '../base/fault.ts';
import { isJsonObject, type JsonObject, parseStrictJsonBytes } from '../base/strict-json.ts';
import type { PublicJwk } from './jwk.ts';
import { isJwsAlgorithm, type JwsAlgorithm } from './jws-algorithms.ts';
import { TokenFault } from './jws-fault.ts';

/** Longer than any token that a workload sends in a header. */
export const MAX_TOKEN_CHARS = 16_384;
/** Deeper than any claim that a token has a reason for. */
const MAX_JSON_DEPTH = 16;
/**
 * Header parameters that change what is verified or with which key (RFC 7515 sections 4.1.2 to 4.1.11, RFC 7797, RFC
 * 7516). Others that are not understood are ignored, as RFC 7515 section 4 asks: without `crit` they mean nothing.
 */
const REFUSED_PARAMETERS = ['crit', 'b64', 'jku', 'x5u', 'x5c', 'enc', 'zip'];

/** What one kind of token must look like. */
export interface JwsProfile {
  readonly algorithms: readonly JwsAlgorithm[];
  /** The `typ` values that this kind of token may have, in lower case and without `application/`; null: it may be absent. */
  readonly types: readonly (string | null)[];
}

/** The part of the header that is understood. */
export interface JwsHeader {
  readonly alg: string;
  /** Lower case, without `application/` (RFC 7515 section 4.1.9); null when absent. */
  readonly typ: string | null;
  readonly kid: string | null;
}

/** A compact JWS that was read and not verified. */
export interface CompactJws {
  readonly text: string;
  readonly header: JwsHeader;
  /** The `jwk` header parameter, which only a proof of possession may have. */
  readonly embeddedJwk: JsonObject | null;
}

/**
 * Reads a compact JWS (RFC 7515 section 7.1) in its one canonical spelling: three parts of base64url without padding,
 * whitespace or left-over bits, the header a strict JSON object. A fault is of the kind `malformed`.
 */
export function decodeUnverifiedCompact(text: string): (CompactJws & { readonly payload: Buffer }) | TokenFault {
  if (text.length > MAX_TOKEN_CHARS) return malformed(`longer than ${MAX_TOKEN_CHARS} characters`);
  const parts = text.split('.', 4);
  const [headerPart, payloadPart, signaturePart] = parts;
  if (parts.length !== 3 || headerPart === undefined || payloadPart === undefined || signaturePart === undefined)
    return malformed('not the three parts of a compact JWS');
  const headerBytes = decodeBase64url(headerPart);
  const payload = decodeBase64url(payloadPart);
  if (headerBytes === null || payload === null || decodeBase64url(signaturePart) === null)
    return malformed('a part is not canonical base64url');
  const members = parseTokenJson(headerBytes, 'the header');
  if (members instanceof TokenFault) return members;
  const header = understand(members);
  if (header instanceof TokenFault) return header;
  const { jwk } = members;
  if (jwk !== undefined && !isJsonObject(jwk)) return malformed('jwk is not an object');
  return { text, header, payload, embeddedJwk: jwk ?? null };
}

/** The JSON object that a part of a token holds, or a fault of the kind `malformed`. */
export function parseTokenJson(bytes: Uint8Array, what: string): JsonObject | TokenFault {
  const value = parseStrictJsonBytes(bytes, { maxDepth: MAX_JSON_DEPTH });
  if (value instanceof Fault) return malformed(`${what} is not strict JSON: ${value.detail}`);
  return isJsonObject(value) ? value : malformed(`${what} is not a JSON object`);
}

/**
 * The algorithm of a token, when `typ` and `alg` are among those of the profile: the profile decides, the token only
 * chooses (RFC 8725 sections 3.1 and 3.11). Faults: `type`, `algorithm`.
 */
export function allowedAlgorithm({ alg, typ }: JwsHeader, profile: JwsProfile): JwsAlgorithm | TokenFault {
  if (!profile.types.includes(typ))
    return new TokenFault('type', `typ ${JSON.stringify(typ?.slice(0, 32) ?? null)} is not the one of this token`);
  if (isJwsAlgorithm(alg) && profile.algorithms.includes(alg)) return alg;
  return new TokenFault('algorithm', `alg ${JSON.stringify(alg.slice(0, 32))} is not accepted`);
}

/**
 * The key among these that the signature holds under (RFC 7515 section 5.2). A signature of the wrong length holds under
 * none: WebCrypto checks it (RFC 7518 section 3.4). jose reads the token once more, by its own rules: what one of the two
 * readers refuses is refused. Fault: `signature`.
 */
export async function signingKey(
  { text }: CompactJws,
  algorithm: JwsAlgorithm,
  keys: readonly PublicJwk[],
): Promise<PublicJwk | TokenFault> {
  for (const key of keys) {
    if (!key.supports(algorithm)) continue;
    try {
      await compactVerify(text, key.cryptoKey(algorithm), { algorithms: [algorithm] });
      return key;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
  }
  return new TokenFault('signature', 'the signature is invalid under every key that fits');
}

function understand(header: JsonObject): JwsHeader | TokenFault {
  const refused = REFUSED_PARAMETERS.find((name) => header[name] !== undefined);
  if (refused !== undefined) return malformed(`the header parameter ${refused} is not accepted`);
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string') return malformed('alg is not a string');
  if (typ !== undefined && (typeof typ !== 'string' || !/^[\x21-\x7e]+$/.test(typ)))
    return malformed('typ is not a media type');
  if (kid !== undefined && typeof kid !== 'string') return malformed('kid is not a string');
  const type = typ?.toLowerCase().replace(/^application\/(?=[^/]+$)/, '') ?? null;
  return Object.freeze({ alg, typ: type, kid: kid ?? null });
}

function malformed(detail: string): TokenFault {
  return new TokenFault('malformed', detail);
}

import { createHash } from 'node:crypto';
import { compactVerify, errors } from 'jose';
import { isJsonObject, JsonFault, type JsonObject, parseStrictJsonBytes } from '../strict-json.ts';
import { decodeBase64url } from './base64url.ts';
import { JwkFault, PublicJwk } from './jwk.ts';
import { isJwsAlgorithm, type JwsAlgorithm } from './jws-algorithms.ts';
import { TokenFault } from './jws-fault.ts';
import type { KeySet } from './key-set.ts';

/** Longer than any token that a workload sends in a header. */
const MAX_TOKEN_CHARS = 16_384;
/** Two times the deepest claim that a token of ours has any reason for. */
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

/**
 * A compact JWS that was only read. Nothing in it is proven: what it says may choose which rules and which keys are
 * applied, and nothing else.
 */
export class UnverifiedJws {
  readonly header: JwsHeader;
  readonly unverifiedClaims: JsonObject;
  readonly token: string;
  /** The bytes of the signature; their length is checked before any key is used. */
  readonly signature: Buffer;
  /** The `jwk` header parameter, which only `verifyWithEmbeddedKey` reads. */
  readonly embeddedJwk: JsonObject | null;

  private constructor(
    header: JwsHeader,
    claims: JsonObject,
    token: string,
    signature: Buffer,
    embeddedJwk: JsonObject | null,
  ) {
    this.header = header;
    this.unverifiedClaims = claims;
    this.token = token;
    this.signature = signature;
    this.embeddedJwk = embeddedJwk;
    Object.freeze(this);
  }

  /**
   * Reads a compact JWS (RFC 7515 section 7.1) in its one canonical spelling: three parts of base64url without padding,
   * whitespace or left-over bits, header and payload strict JSON objects. A fault is of the kind `malformed`.
   */
  static decodeUnverified(token: string): UnverifiedJws | TokenFault {
    if (token.length > MAX_TOKEN_CHARS) return malformed(`longer than ${MAX_TOKEN_CHARS} characters`);
    const parts = token.split('.', 4);
    const [headerPart, payloadPart, signaturePart] = parts;
    if (parts.length !== 3 || headerPart === undefined || payloadPart === undefined || signaturePart === undefined)
      return malformed('not the three parts of a compact JWS');
    const header = decodeJson(headerPart, 'the header');
    if (header instanceof TokenFault) return header;
    const claims = decodeJson(payloadPart, 'the payload');
    if (claims instanceof TokenFault) return claims;
    const signature = decodeBase64url(signaturePart);
    if (signature === null) return malformed('the signature is not canonical base64url');
    const understood = understand(header);
    if (understood instanceof TokenFault) return understood;
    const { jwk } = header;
    if (jwk !== undefined && !isJsonObject(jwk)) return malformed('jwk is not an object');
    return new UnverifiedJws(understood, claims, token, signature, jwk ?? null);
  }

  /** Header and payload as they were signed: everything of the token but its signature. */
  get signedText(): string {
    return this.token.slice(0, this.token.lastIndexOf('.'));
  }
}

/**
 * A token whose signature was verified with a key that the caller chose. Holding one is the proof of that and of the
 * profile's `typ` and algorithm; no claim was judged (jws-claims.ts).
 */
export class VerifiedJws {
  readonly header: JwsHeader;
  readonly claims: JsonObject;
  /** The key that verified it, by its RFC 7638 thumbprint. */
  readonly keyThumbprint: string;
  /**
   * SHA-256 (hex) over what was signed and the key, not over the signature: a token whose ECDSA signature was turned
   * into its other valid form, or that was signed twice, is the same token. Revocation and single use are keyed by it.
   */
  readonly digest: string;
  #proof = true;

  private constructor(unverified: UnverifiedJws, key: PublicJwk) {
    this.header = unverified.header;
    this.claims = unverified.unverifiedClaims;
    this.keyThumbprint = key.thumbprint;
    this.digest = createHash('sha256').update(`${key.thumbprint}.${unverified.signedText}`).digest('hex');
    void this.#proof;
    Object.freeze(this);
  }

  /**
   * Verifies a token with one key: `typ` and algorithm by the profile, then the length of the signature, then the
   * signature (RFC 7515 section 5.2). Faults: `type`, `algorithm`, `signature`.
   */
  static async verify(
    unverified: UnverifiedJws,
    profile: JwsProfile,
    keys: readonly PublicJwk[],
  ): Promise<VerifiedJws | TokenFault> {
    const algorithm = allowedAlgorithm(unverified.header, profile);
    if (algorithm instanceof TokenFault) return algorithm;
    for (const key of keys) {
      if (key.supports(algorithm) && (await signatureHolds(unverified, key, algorithm)))
        return new VerifiedJws(unverified, key);
    }
    return new TokenFault('signature', 'the signature does not hold under any key that fits');
  }
}

/**
 * Verifies a token with the keys of its issuer. The `kid` picks the key; without one each key that fits is tried, four
 * at most. The set must be the one of the issuer that the token claims: that is the caller's duty. Faults: `type`,
 * `algorithm`, `key_unknown`, `signature`.
 */
export async function verifyWithKeySet(
  unverified: UnverifiedJws,
  profile: JwsProfile,
  keys: KeySet,
): Promise<VerifiedJws | TokenFault> {
  if (unverified.embeddedJwk !== null) return malformed('the header carries a key of its own');
  const algorithm = allowedAlgorithm(unverified.header, profile);
  if (algorithm instanceof TokenFault) return algorithm;
  const candidates = keys.candidates(unverified.header.kid, algorithm);
  if (candidates instanceof TokenFault) return candidates;
  return VerifiedJws.verify(unverified, profile, candidates);
}

/**
 * Verifies a token with one key that some other verified token names (`cnf.jwk` of a WIT). Faults as above; the header
 * of such a proof needs no `kid`, and one that is there is not looked at.
 */
export async function verifyWithKey(
  unverified: UnverifiedJws,
  profile: JwsProfile,
  key: PublicJwk,
): Promise<VerifiedJws | TokenFault> {
  if (unverified.embeddedJwk !== null) return malformed('the header carries a key of its own');
  return VerifiedJws.verify(unverified, profile, [key]);
}

/**
 * Verifies a proof of possession with the key in its own header (DPoP, RFC 9449 section 4.3): it proves that the sender
 * holds this key, and nothing about who he is. `keyThumbprint` is to be compared with `cnf.jkt`.
 */
export async function verifyWithEmbeddedKey(
  unverified: UnverifiedJws,
  profile: JwsProfile,
): Promise<VerifiedJws | TokenFault> {
  if (unverified.embeddedJwk === null) return malformed('the header carries no key');
  const key = PublicJwk.read(unverified.embeddedJwk);
  if (key instanceof JwkFault) return malformed(`the key in the header: ${key.detail}`);
  return VerifiedJws.verify(unverified, profile, [key]);
}

function decodeJson(part: string, what: string): JsonObject | TokenFault {
  const bytes = decodeBase64url(part);
  if (bytes === null) return malformed(`${what} is not canonical base64url`);
  const value = parseStrictJsonBytes(bytes, { maxDepth: MAX_JSON_DEPTH });
  if (value instanceof JsonFault) return malformed(`${what} is not strict JSON: ${value.detail}`);
  return isJsonObject(value) ? value : malformed(`${what} is not a JSON object`);
}

function understand(header: JsonObject): JwsHeader | TokenFault {
  const refused = REFUSED_PARAMETERS.find((name) => header[name] !== undefined);
  if (refused !== undefined) return malformed(`the header parameter ${refused} is not accepted`);
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string') return malformed('alg is not a string');
  if (typ !== undefined && (typeof typ !== 'string' || !/^[\x21-\x7e]+$/.test(typ)))
    return malformed('typ is not a media type');
  if (kid !== undefined && typeof kid !== 'string') return malformed('kid is not a string');
  return Object.freeze({
    alg,
    typ: typ === undefined ? null : typ.toLowerCase().replace(/^application\/(?=[^/]+$)/, ''),
    kid: kid ?? null,
  });
}

function allowedAlgorithm(header: JwsHeader, profile: JwsProfile): JwsAlgorithm | TokenFault {
  if (!profile.types.includes(header.typ))
    return new TokenFault(
      'type',
      `typ ${JSON.stringify(header.typ?.slice(0, 32) ?? null)} is not the one of this token`,
    );
  const { alg } = header;
  if (isJwsAlgorithm(alg) && profile.algorithms.includes(alg)) return alg;
  return new TokenFault('algorithm', `alg ${JSON.stringify(alg.slice(0, 32))} is not accepted`);
}

/** jose reads the token once more, by its own rules: what one of the two readers refuses is refused. */
async function signatureHolds(unverified: UnverifiedJws, key: PublicJwk, algorithm: JwsAlgorithm): Promise<boolean> {
  if (unverified.signature.length !== key.signatureBytes(algorithm)) return false;
  try {
    await compactVerify(unverified.token, key.cryptoKey(algorithm), { algorithms: [algorithm] });
    return true;
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw error;
  }
}

function malformed(detail: string): TokenFault {
  return new TokenFault('malformed', detail);
}

import { createHash } from 'node:crypto';
import type { JsonObject } from '../base/strict-json.ts';
import { JwkFault, PublicJwk } from './jwk.ts';
import {
  allowedAlgorithm,
  type CompactJws,
  decodeUnverifiedCompact,
  type JwsHeader,
  type JwsProfile,
  parseTokenJson,
  verifySignature,
} from './jws-compact.ts';
import { TokenFault } from './jws-fault.ts';
import type { KeySet } from './key-set.ts';

export type { JwsHeader, JwsProfile } from './jws-compact.ts';

/**
 * A token that was only read. Nothing in it is proven: what it says may choose which rules and which keys are applied,
 * and nothing else.
 */
export class UnverifiedJws {
  readonly compact: CompactJws;
  readonly header: JwsHeader;
  readonly unverifiedClaims: JsonObject;

  private constructor(compact: CompactJws, claims: JsonObject) {
    this.compact = compact;
    this.header = compact.header;
    this.unverifiedClaims = claims;
    Object.freeze(this);
  }

  /**
   * Reads a token: a compact JWS in its one canonical spelling (`decodeUnverifiedCompact`) whose payload is a strict
   * JSON object (RFC 7519 section 7.2). A fault is of the kind `malformed`.
   */
  static decodeUnverified(token: string): UnverifiedJws | TokenFault {
    const compact = decodeUnverifiedCompact(token);
    if (compact instanceof TokenFault) return compact;
    const claims = parseTokenJson(compact.payload, 'the payload');
    return claims instanceof TokenFault ? claims : new UnverifiedJws(compact, claims);
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
    const { text } = unverified.compact;
    const signed = text.slice(0, text.lastIndexOf('.'));
    this.header = unverified.header;
    this.claims = unverified.unverifiedClaims;
    this.keyThumbprint = key.thumbprint;
    this.digest = createHash('sha256').update(`${key.thumbprint}.${signed}`).digest('hex');
    void this.#proof;
    Object.freeze(this);
  }

  /** Verifies a token with whichever of these keys fits (`verifySignature`). Faults: `type`, `algorithm`, `signature`. */
  static async verify(
    unverified: UnverifiedJws,
    profile: JwsProfile,
    keys: readonly PublicJwk[],
  ): Promise<VerifiedJws | TokenFault> {
    const key = await verifySignature(unverified.compact, profile, keys);
    return key instanceof TokenFault ? key : new VerifiedJws(unverified, key);
  }
}

/**
 * Verifies a token with the keys of its issuer. The `kid` picks the key; without one each key that fits is tried, four
 * at most. The set must be the one of the issuer that the token claims: that is the caller's duty. Faults: `malformed`
 * (it brings a key of its own), `type`, `algorithm`, `key_unknown`, `signature`.
 */
export async function verifyWithKeySet(
  unverified: UnverifiedJws,
  profile: JwsProfile,
  keys: KeySet,
): Promise<VerifiedJws | TokenFault> {
  const { header, compact } = unverified;
  if (compact.embeddedJwk !== null) return ownKey();
  const algorithm = allowedAlgorithm(header, profile);
  if (algorithm instanceof TokenFault) return algorithm;
  const candidates = keys.candidates(header.kid, algorithm);
  return candidates instanceof TokenFault ? candidates : VerifiedJws.verify(unverified, profile, candidates);
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
  return unverified.compact.embeddedJwk === null ? VerifiedJws.verify(unverified, profile, [key]) : ownKey();
}

/**
 * Verifies a proof of possession with the key in its own header (DPoP, RFC 9449 section 4.3): it proves that the sender
 * holds this key, and nothing about who he is. `keyThumbprint` is to be compared with `cnf.jkt`.
 */
export async function verifyWithEmbeddedKey(
  unverified: UnverifiedJws,
  profile: JwsProfile,
): Promise<VerifiedJws | TokenFault> {
  const { embeddedJwk } = unverified.compact;
  const key = PublicJwk.read(embeddedJwk);
  if (key instanceof JwkFault) return new TokenFault('malformed', `the key in the header: ${key.detail}`);
  return VerifiedJws.verify(unverified, profile, [key]);
}

function ownKey(): TokenFault {
  return new TokenFault('malformed', 'the header carries a key of its own');
}

import { hash } from 'node:crypto';
import type { JsonObject } from '../base/strict-json.ts';
import { type CompactJws, decodeUnverifiedCompact, type JwsHeader, parseTokenJson } from './jws-compact.ts';
import { TokenFault } from './jws-fault.ts';

/**
 * A token that was only read. Nothing in it is proven: what it says may choose which rules and which keys are applied,
 * and nothing else.
 */
export class UnverifiedJws implements CompactJws {
  readonly text: string;
  readonly header: JwsHeader;
  readonly embeddedJwk: JsonObject | null;
  readonly unverifiedClaims: JsonObject;
  #textDigest: string | null = null;

  private constructor({ text, header, embeddedJwk }: CompactJws, claims: JsonObject) {
    this.text = text;
    this.header = header;
    this.embeddedJwk = embeddedJwk;
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

  /** base64url SHA-256 of the exact text, signature included. */
  get textDigest(): string {
    this.#textDigest ??= hash('sha256', this.text, 'base64url');
    return this.#textDigest;
  }
}

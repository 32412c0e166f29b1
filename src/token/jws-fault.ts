/**
 * What is wrong with a token, before the kind of token gives it a reason code: an identity token becomes
 * `identity_token_…`, a task token has codes of its own.
 */
export type TokenFaultKind =
  /** Not a compact JWS with a strict JSON header and payload, or a claim has the wrong shape. */
  | 'malformed'
  /** The algorithm is not on the caller's list. */
  | 'algorithm'
  /** The `typ` is not the one of this kind of token. */
  | 'type'
  | 'key_unknown'
  /** The keys could not be read for so long that they are no longer believed, or never were read. */
  | 'keys_stale'
  | 'signature'
  | 'expired'
  | 'not_yet_valid'
  /** It lives longer than the configured maximum. */
  | 'lifetime'
  | 'audience'
  | 'issuer'
  | 'subject'
  /** It is bound to a key or a certificate that this request did not prove. */
  | 'bound';

/** An expected fault of a token, returned and never thrown. `detail` is private, and holds no part of a signature. */
export class TokenFault {
  readonly kind: TokenFaultKind;
  readonly detail: string;

  constructor(kind: TokenFaultKind, detail: string) {
    this.kind = kind;
    this.detail = detail;
    Object.freeze(this);
  }
}

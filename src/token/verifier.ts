import { createHash } from 'node:crypto';
import { BoundedMemory } from '../base/bounded-memory.ts';
import { Fault } from '../base/fault.ts';
import { after, type Soon } from '../base/soon.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/strict-json.ts';
import { TextDigests } from '../base/text-digests.ts';
import { PublicJwk } from './jwk.ts';
import { UnverifiedJws } from './jws.ts';
import { allowedAlgorithm, type JwsHeader, type JwsProfile, MAX_TOKEN_CHARS, signingKey } from './jws-compact.ts';
import { TokenFault, type TokenFaultKind } from './jws-fault.ts';
import type { KeySet } from './key-set.ts';

const DEFAULT_BYTES = 16 * 2 ** 20;
/** Of the memory, the part for tokens that are wrong for good: one in so many bytes. */
const BAD_SHARE = 16;
/** What an entry takes besides text and claims: measured, and rounded up. */
const ENTRY_BYTES = 1024;

/** What the texts of the last tokens may take, beside their digests. */
const DIGESTS_BYTES = 512 * 1024;

/** Faults that lie in the token itself: it will never be better. Its `exp` is not among them, nor what keys decide. */
const forGood: ReadonlySet<TokenFaultKind> = new Set(['malformed', 'type', 'algorithm']);

declare const proven: unique symbol;

/**
 * A token whose signature was verified with a key that the caller chose. Having one is the proof of that and of the
 * profile's `typ` and algorithm: `TokenVerifier` and `verifyProof` alone make it. No claim was judged (jws-claims.ts).
 */
export interface VerifiedJws {
  readonly [proven]: true;
  readonly header: JwsHeader;
  readonly claims: JsonObject;
  /** The key that verified it, by its RFC 7638 thumbprint. */
  readonly keyThumbprint: string;
  /**
   * SHA-256 (hex) over what was signed and the key, not over the signature: a token whose ECDSA signature was turned
   * into its other valid form, or that was signed twice, is the same token. Revocation and single use are keyed by it.
   */
  readonly digest: string;
}

/** What is known of one text under one set of keys. */
interface Known {
  readonly token: UnverifiedJws | TokenFault;
  /** Null: only the text was read, and which keys it is under made no difference. */
  readonly keys: KeySet | null;
  readonly outcome: VerifiedJws | TokenFault | null;
}

/** How much is remembered, and how much may be, in bytes. */
export interface TokenLoad {
  readonly entries: number;
  readonly bytes: number;
  readonly byteLimit: number;
}

export interface TokenVerifierOptions {
  /** What the memory may take, in bytes; default 16 MiB. A sixteenth of it is for tokens that are wrong for good. */
  readonly byteLimit?: number;
}

/**
 * Reads and verifies tokens, and remembers, by the digest of their exact text, that the signature holds under a key of
 * one set of keys, which is one issuer's at one moment. It remembers no more: algorithm and `typ` are looked at each time,
 * and so are times, audience, binding and whatever else makes a token fit a request, by whoever asks. So memory saves time
 * and changes no answer. A token is forgotten when its `exp` has come, when it is asked for under other keys, and when
 * `forget` is called.
 *
 * Callers choose what is remembered, so it is bounded in bytes. Only what an issuer signed gets a place among the good;
 * what is wrong for good (its form, its type, a signature under a key that is there), and what has expired, has a small
 * share of its own. A key that is not known is never remembered, and no proof of possession passes here (`verifyProof`).
 */
export class TokenVerifier {
  readonly #good: BoundedMemory<Known & { readonly keys: KeySet; readonly outcome: VerifiedJws }>;
  readonly #bad: BoundedMemory<Known>;
  readonly #digests = new TextDigests(DIGESTS_BYTES);

  constructor({ byteLimit = DEFAULT_BYTES }: TokenVerifierOptions = {}) {
    const bad = Math.floor(byteLimit / BAD_SHARE);
    this.#good = new BoundedMemory(byteLimit - bad);
    this.#bad = new BoundedMemory(bad);
  }

  get load(): TokenLoad {
    const [good, bad] = [this.#good, this.#bad];
    return {
      entries: good.size + bad.size,
      bytes: good.bytes + bad.bytes,
      byteLimit: good.byteLimit + bad.byteLimit,
    };
  }

  /** Reads a token (`UnverifiedJws.decodeUnverified`): one that is remembered is not decoded again. Fault: `malformed`. */
  read(text: string): UnverifiedJws | TokenFault {
    if (text.length > MAX_TOKEN_CHARS) return UnverifiedJws.decodeUnverified(text);
    const digest = this.#digests.of(text);
    const known = this.#good.get(digest) ?? this.#bad.get(digest);
    if (known !== undefined) return known.token;
    // A text of its own: a part of a longer one would keep all of that in memory, a header full of spaces for one.
    const token = UnverifiedJws.decodeUnverified(Buffer.from(text).toString());
    if (token instanceof TokenFault) this.#bad.set(digest, { token, keys: null, outcome: null }, ENTRY_BYTES);
    return token;
  }

  /**
   * Verifies a token with the keys of its issuer. The `kid` picks the key; without one each key that fits is tried, four
   * at most. The set must be the one of the issuer that the token claims: that is the caller's duty. `nowMs` is in
   * milliseconds since the epoch. Faults: `malformed` (it brings a key of its own), `type`, `algorithm`, `key_unknown`,
   * `signature`.
   */
  verify(token: UnverifiedJws, profile: JwsProfile, keys: KeySet, nowMs: number): Soon<VerifiedJws | TokenFault> {
    const algorithm = token.embeddedJwk === null ? allowedAlgorithm(token.header, profile) : ownKey();
    if (algorithm instanceof TokenFault) return this.#wrongForGood(token, algorithm);
    const known = this.#recall(token, keys, nowMs);
    if (known !== null) return known;
    const candidates = keys.candidates(token.header.kid, algorithm);
    if (candidates instanceof TokenFault) return this.#wrongForGood(token, candidates);
    return after(signingKey(token, algorithm, candidates), (key) => {
      const outcome = key instanceof TokenFault ? key : verified(token, key);
      this.#remember(token, keys, outcome, nowMs);
      return outcome;
    });
  }

  #remember(token: UnverifiedJws, keys: KeySet, outcome: VerifiedJws | TokenFault, nowMs: number): void {
    const lives = !(outcome instanceof TokenFault) && nowMs < endOf(outcome);
    const bytes = bytesOf(token);
    if (lives) this.#good.set(token.textDigest, { token, keys, outcome }, bytes);
    else this.#bad.set(token.textDigest, { token, keys, outcome }, bytes);
  }

  /** Forgets everything: keys, bundles or the inventory have changed. No answer needs it; what is forgotten is freed. */
  forget(): void {
    this.#good.clear();
    this.#bad.clear();
  }

  /** What is known of this text under just these keys. */
  #recall(token: UnverifiedJws, keys: KeySet, nowMs: number): Known['outcome'] {
    const good = this.#good.get(token.textDigest);
    if (good !== undefined) {
      if (good.keys === keys && nowMs < endOf(good.outcome)) return good.outcome;
      this.#good.delete(token.textDigest);
    }
    const bad = this.#bad.get(token.textDigest);
    return bad?.keys === keys ? bad.outcome : null;
  }

  /** Remembers what the text says, where the fault lies in it. It is judged anew each time. */
  #wrongForGood(token: UnverifiedJws, fault: TokenFault): TokenFault {
    const digest = token.textDigest;
    if (forGood.has(fault.kind) && this.#bad.get(digest) === undefined && this.#good.get(digest) === undefined)
      this.#bad.set(digest, { token, keys: null, outcome: null }, bytesOf(token));
    return fault;
  }
}

/**
 * Verifies a proof of possession, which is never remembered: with one key that a verified token names (`cnf.jwk` of a
 * WIT; `kid` is not looked at), or with the key in its own header (DPoP, RFC 9449 section 4.3). The latter proves that the
 * sender holds this key, and nothing about who he is: `keyThumbprint` is to be compared with `cnf.jkt`. Faults:
 * `malformed`, `type`, `algorithm`, `signature`.
 */
export async function verifyProof(
  proof: UnverifiedJws,
  profile: JwsProfile,
  by: PublicJwk | 'its own key',
): Promise<VerifiedJws | TokenFault> {
  if (by instanceof PublicJwk && proof.embeddedJwk !== null) return ownKey();
  const key = by instanceof PublicJwk ? by : PublicJwk.read(proof.embeddedJwk);
  if (key instanceof Fault) return new TokenFault('malformed', `the key in the header: ${key.detail}`);
  const algorithm = allowedAlgorithm(proof.header, profile);
  if (algorithm instanceof TokenFault) return algorithm;
  const signer = await signingKey(proof, algorithm, [key]);
  return signer instanceof TokenFault ? signer : verified(proof, signer);
}

function verified({ text, header, unverifiedClaims: claims }: UnverifiedJws, key: PublicJwk): VerifiedJws {
  const signed = text.slice(0, text.lastIndexOf('.'));
  const digest = createHash('sha256').update(`${key.thumbprint}.${signed}`).digest('hex');
  return Object.freeze({ header, claims, keyThumbprint: key.thumbprint, digest } as VerifiedJws);
}

function ownKey(): TokenFault {
  return new TokenFault('malformed', 'the header carries a key of its own');
}

/** `exp` in milliseconds since the epoch: the end of what is remembered as good. Without one, that has no beginning. */
function endOf({ claims: { exp } }: VerifiedJws): number {
  return typeof exp === 'number' ? exp * 1000 : Number.NEGATIVE_INFINITY;
}

/**
 * What an entry counts as: four times its text, for that, for the JSON that the claims may be parts of, and for all plain
 * values in it; and what objects, arrays and members take beyond their text.
 */
function bytesOf({ text, unverifiedClaims, embeddedJwk }: UnverifiedJws): number {
  return ENTRY_BYTES + 4 * text.length + beyondText(unverifiedClaims) + beyondText(embeddedJwk);
}

const [NODE_BYTES, MEMBER_BYTES] = [288, 64];

function beyondText(value: JsonValue): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + beyondText(each), NODE_BYTES);
  if (!isJsonObject(value)) return 0;
  return Object.values(value).reduce<number>((sum, each) => sum + MEMBER_BYTES + beyondText(each), NODE_BYTES);
}

import { Fault } from '../base/fault.ts';
import { type ExactNumber, isJsonObject, type JsonValue, parseStrictJsonBytes } from '../base/strict-json.ts';
import { PublicJwk } from './jwk.ts';
import type { JwsAlgorithm } from './jws-algorithms.ts';
import { TokenFault } from './jws-fault.ts';

/** A set of more keys is no key set: each unknown token would cost a look at all of them. */
const MAX_KEYS = 256;
/** How many keys may be tried for one token, each a signature check. */
const MAX_CANDIDATES = 4;

/**
 * Where a set of keys comes from decides which `use` makes a key one that signs tokens: in a SPIFFE bundle document
 * `jwt-svid` alone (SPIFFE Trust Domain and Bundle, section 4.2.2), in the Workload API's stream of JWT bundles also
 * none at all, in a JWKS of OAuth or OIDC `sig` or none (RFC 7517 section 4.2).
 */
export type KeySetKind = 'spiffe-bundle' | 'workload-api' | 'jwks';

const uses: Readonly<Record<KeySetKind, readonly (string | null)[]>> = {
  'spiffe-bundle': ['jwt-svid'],
  'workload-api': ['jwt-svid', null],
  jwks: ['sig', null],
};

/** A key that is not used, and why. */
export interface IgnoredKey {
  readonly index: number;
  readonly kid: string | null;
  readonly why: string;
}

/**
 * The keys of one issuer or one trust domain at one moment: frozen, swapped whole, never pooled with another. Keys that
 * are weak, malformed, or meant for something else are ignored and listed.
 */
export class KeySet {
  readonly keys: readonly PublicJwk[];
  readonly ignored: readonly IgnoredKey[];
  readonly #byKid: ReadonlyMap<string, readonly PublicJwk[]>;

  private constructor(keys: readonly PublicJwk[], ignored: readonly IgnoredKey[]) {
    this.keys = Object.freeze(keys);
    this.ignored = Object.freeze(ignored);
    this.#byKid = Map.groupBy(
      keys.filter((key) => key.kid !== null),
      (key) => key.kid ?? '',
    );
    Object.freeze(this);
  }

  /** The usable keys among JWKs that were parsed strictly. An empty set is a set: it verifies nothing. */
  static of(jwks: readonly JsonValue<ExactNumber>[], kind: KeySetKind): KeySet {
    const keys: PublicJwk[] = [];
    const ignored: IgnoredKey[] = [];
    for (const [index, jwk] of jwks.entries()) {
      const key = index < MAX_KEYS ? readFor(jwk, kind) : new Fault(`beyond the first ${MAX_KEYS} keys`);
      if (key instanceof Fault) ignored.push({ index, kid: kidOf(jwk), why: key.detail });
      else keys.push(key);
    }
    return new KeySet(keys, ignored);
  }

  /**
   * The keys that may verify a token with this header. With `kid`: only keys of exactly this `kid`; several of them
   * (RFC 7517 section 4.5) are told apart by the algorithm. Without: each key that fits the algorithm. More than four
   * are a fault rather than four chances.
   */
  candidates(kid: string | null, algorithm: JwsAlgorithm): readonly PublicJwk[] | TokenFault {
    const named = kid === null ? this.keys : (this.#byKid.get(kid) ?? []);
    const fitting = named.filter((key) => key.supports(algorithm));
    if (fitting.length > MAX_CANDIDATES)
      return new TokenFault('key_unknown', `${fitting.length} keys fit the token, more than ${MAX_CANDIDATES}`);
    if (fitting.length > 0) return fitting;
    if (named.length > 0 && kid !== null)
      return new TokenFault('algorithm', `no key of this kid verifies ${algorithm}`);
    return new TokenFault('key_unknown', kid === null ? `no key verifies ${algorithm}` : 'no key has this kid');
  }
}

/**
 * The key set of a JWKS document (RFC 7517 section 5), or what is wrong with it: not strict JSON, no `keys` array, or
 * not one key that can be used. A source that answers with such a thing has failed, and its last good set stays.
 */
export function parseJwks(bytes: Uint8Array): KeySet | Fault {
  const document = parseStrictJsonBytes(bytes);
  if (document instanceof Fault) return new Fault(`not strict JSON: ${document.detail}`);
  const jwks = isJsonObject(document) ? document.keys : undefined;
  if (!Array.isArray(jwks)) return new Fault('no JWKS: it has no keys array');
  const set = KeySet.of(jwks, 'jwks');
  if (set.keys.length === 0) return new Fault(`no usable key: ${set.ignored[0]?.why ?? 'keys is empty'}`);
  return set;
}

function readFor(jwk: JsonValue<ExactNumber>, kind: KeySetKind): PublicJwk | Fault {
  const key = PublicJwk.read(jwk);
  if (key instanceof Fault || uses[kind].includes(key.use)) return key;
  return new Fault(key.use === null ? 'it has no use' : `its use is ${JSON.stringify(key.use.slice(0, 32))}`);
}

function kidOf(jwk: JsonValue<ExactNumber>): string | null {
  const kid = isJsonObject(jwk) ? jwk.kid : undefined;
  return typeof kid === 'string' ? kid : null;
}

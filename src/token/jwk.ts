import { createHash, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { attempt } from '../base/attempt.ts';
import { decodeBase64url } from '../base/base64url.ts';
import { Fault, fail, reading } from '../base/fault.ts';
import { type ExactNumber, isJsonObject, type JsonObject, type JsonValue } from '../base/strict-json.ts';
import { hasRocaFingerprint } from './jwk-roca.ts';
import { algorithmRow, isJwsAlgorithm, type JwsAlgorithm } from './jws-algorithms.ts';

/** NIST SP 800-57 part 1: 112 bits of strength. */
const MIN_RSA_BITS = 2048;
/** A larger key makes one verification costly, and nobody issues it. */
const MAX_RSA_BITS = 8192;
const MIN_RSA_EXPONENT = 65537n;
const MAX_RSA_EXPONENT_BYTES = 8;
const COORDINATE_BYTES: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
]);
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/**
 * A public key that is strong enough and well formed. Holding one is the proof: `PublicJwk.read` alone makes it. What
 * is judged is the key alone; the set that it stands in judges `use` (key-set.ts).
 */
export class PublicJwk {
  readonly kid: string | null;
  readonly use: string | null;
  /** The only algorithm of this key, where the JWK names one (RFC 7517 section 4.4). */
  readonly algorithm: JwsAlgorithm | null;
  /** RFC 7638, SHA-256, base64url: the value of `cnf.jkt`. */
  readonly thumbprint: string;
  readonly #shape: KeyShape;
  readonly #key: KeyObject;
  readonly #imported = new Map<JwsAlgorithm, webcrypto.CryptoKey>();

  private constructor({ kid, use, algorithm }: Described, shape: KeyShape, key: KeyObject) {
    this.kid = kid;
    this.use = use;
    this.algorithm = algorithm;
    this.thumbprint = createHash('sha256').update(JSON.stringify(shape.required)).digest('base64url');
    this.#shape = shape;
    this.#key = key;
    Object.freeze(this);
  }

  /**
   * The public key of a JWK (RFC 7517, RFC 7518 section 6), or why it is none: another key type than RSA, EC or
   * Ed25519; a private member; a member that is not canonical base64url; RSA below 2048 or above 8192 bits, with an
   * exponent that is even or below 65537, or with the ROCA fingerprint; a point that is not on its curve; an `alg` that
   * does not fit the key; `key_ops` without `verify`.
   */
  static read(jwk: JsonValue<ExactNumber>): PublicJwk | Fault {
    return reading(
      () => {
        if (!isJsonObject(jwk)) fail('not a JSON object');
        const leaked = PRIVATE_MEMBERS.find((member) => jwk[member] !== undefined);
        if (leaked !== undefined) fail(`it holds the private member ${leaked}`);
        const described = describe(jwk);
        const shape = keyShape(jwk);
        const { algorithm } = described;
        if (algorithm !== null && !fits(algorithm, shape)) fail(`alg ${algorithm} does not fit the key`);
        // OpenSSL judges whether the point lies on its curve.
        const key = attempt(() => createPublicKey({ key: { ...shape.required }, format: 'jwk' }));
        return new PublicJwk(described, shape, key ?? fail('it is no valid key: the point is not on its curve'));
      },
      (detail) => new Fault(detail),
    );
  }

  /** Whether this key may verify a signature of that algorithm. */
  supports(algorithm: JwsAlgorithm): boolean {
    if (this.algorithm !== null && this.algorithm !== algorithm) return false;
    return fits(algorithm, this.#shape);
  }

  /** The key as WebCrypto wants it, imported once for each algorithm. Only where `supports` says yes. */
  cryptoKey(algorithm: JwsAlgorithm): webcrypto.CryptoKey {
    let imported = this.#imported.get(algorithm);
    if (imported === undefined) {
      imported = this.#key.toCryptoKey(algorithmRow(algorithm).importParams, false, ['verify']);
      this.#imported.set(algorithm, imported);
    }
    return imported;
  }
}

type Described = Pick<PublicJwk, 'kid' | 'use' | 'algorithm'>;

/** The members that describe any key: `kid`, `use`, `alg`, `key_ops` (RFC 7517 sections 4.2 to 4.5). */
function describe(jwk: JsonObject<ExactNumber>): Described {
  const { kid, use, alg, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== 'string') fail('kid is not a string');
  if (use !== undefined && typeof use !== 'string') fail('use is not a string');
  if (alg !== undefined && typeof alg !== 'string') fail('alg is not a string');
  if (alg !== undefined && !isJwsAlgorithm(alg)) fail('alg is no signature algorithm of ours');
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    fail('key_ops does not hold verify');
  return { kid: kid ?? null, use: use ?? null, algorithm: alg ?? null };
}

interface KeyShape {
  readonly kty: string;
  readonly crv: string | null;
  /** The members that make the key, in the order of RFC 7638 section 3.2. */
  readonly required: Readonly<Record<string, string>>;
}

function keyShape(jwk: JsonObject<ExactNumber>): KeyShape {
  switch (jwk.kty) {
    case 'RSA':
      return rsaShape(jwk);
    case 'EC':
      return ecShape(jwk);
    case 'OKP':
      return ed25519Shape(jwk);
    default:
      return fail('kty is none of RSA, EC, OKP');
  }
}

function rsaShape(jwk: JsonObject<ExactNumber>): KeyShape {
  const n = uint(jwk.n);
  const e = uint(jwk.e);
  if (n === null || e === null) fail('n or e is not canonical Base64urlUInt');
  if (n.bytes.length * 8 > MAX_RSA_BITS) fail(`the modulus has more than ${MAX_RSA_BITS} bits`);
  const modulus = BigInt(`0x${n.bytes.toString('hex')}`);
  const bits = modulus.toString(2).length;
  if (bits < MIN_RSA_BITS) fail(`the modulus has ${bits} bits, fewer than ${MIN_RSA_BITS}`);
  if (modulus % 2n === 0n) fail('the modulus is even');
  if (e.bytes.length > MAX_RSA_EXPONENT_BYTES) fail('the exponent is too large');
  const exponent = BigInt(`0x${e.bytes.toString('hex')}`);
  if (exponent < MIN_RSA_EXPONENT || exponent % 2n === 0n) fail('the exponent is even or below 65537');
  if (hasRocaFingerprint(modulus)) fail('the modulus has the ROCA fingerprint (CVE-2017-15361)');
  return { kty: 'RSA', crv: null, required: { e: e.text, kty: 'RSA', n: n.text } };
}

function ecShape(jwk: JsonObject<ExactNumber>): KeyShape {
  const crv = jwk.crv;
  const size = typeof crv === 'string' ? COORDINATE_BYTES.get(crv) : undefined;
  if (typeof crv !== 'string' || size === undefined) fail('crv is none of P-256, P-384, P-521');
  const x = octets(jwk.x, size);
  const y = octets(jwk.y, size);
  if (x === null || y === null) fail(`x or y is not ${size} bytes of canonical base64url`);
  return { kty: 'EC', crv, required: { crv, kty: 'EC', x, y } };
}

function ed25519Shape(jwk: JsonObject<ExactNumber>): KeyShape {
  if (jwk.crv !== 'Ed25519') fail('crv is not Ed25519');
  const x = octets(jwk.x, 32);
  if (x === null) fail('x is not 32 bytes of canonical base64url');
  return { kty: 'OKP', crv: 'Ed25519', required: { crv: 'Ed25519', kty: 'OKP', x } };
}

/** A Base64urlUInt (RFC 7518 section 2): minimal, so without a leading zero byte. */
function uint(value: JsonValue<ExactNumber> | undefined): { text: string; bytes: Buffer } | null {
  if (typeof value !== 'string' || value === '') return null;
  const bytes = decodeBase64url(value);
  return bytes === null || bytes[0] === 0 ? null : { text: value, bytes };
}

function octets(value: JsonValue<ExactNumber> | undefined, size: number): string | null {
  return typeof value === 'string' && decodeBase64url(value)?.length === size ? value : null;
}

function fits(algorithm: JwsAlgorithm, { kty, crv }: KeyShape): boolean {
  const row = algorithmRow(algorithm);
  return row.kty === kty && row.crv === crv;
}

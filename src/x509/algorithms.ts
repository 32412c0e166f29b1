import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { attempt } from '../base/attempt.ts';
import { fail } from '../base/fault.ts';
import { DerReader, hex, tags } from './der.ts';

const EC_SHA = '2a8648ce3d0403';
const RSA = '2a864886f70d0101';

/** AlgorithmIdentifier of DER, whole: an identifier and its parameters have one encoding each that is accepted. */
const identifier = (oid: string, parameters = ''): string => {
  const body = `06${octet(oid.length / 2)}${oid}${parameters}`;
  return `30${octet(body.length / 2)}${body}`;
};
const octet = (n: number): string => n.toString(16).padStart(2, '0');

export type KeyFamily = 'ec' | 'rsa';

export interface SignatureAlgorithm {
  readonly family: KeyFamily;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
}

/**
 * The signature algorithms of certificates that are accepted, by their whole AlgorithmIdentifier: ECDSA (RFC 5758
 * section 3.2, no parameters) and RSA PKCS #1 v1.5 (RFC 4055 section 5, NULL), each with SHA-2. Comparing whole bytes
 * leaves no room for missing, extra or explicit parameters. RSASSA-PSS and Ed25519 are left out: see
 * docs/certificates.md.
 */
const signatureAlgorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  [identifier(`${EC_SHA}02`), { family: 'ec', hash: 'sha256' }],
  [identifier(`${EC_SHA}03`), { family: 'ec', hash: 'sha384' }],
  [identifier(`${EC_SHA}04`), { family: 'ec', hash: 'sha512' }],
  [identifier(`${RSA}0b`, '0500'), { family: 'rsa', hash: 'sha256' }],
  [identifier(`${RSA}0c`, '0500'), { family: 'rsa', hash: 'sha384' }],
  [identifier(`${RSA}0d`, '0500'), { family: 'rsa', hash: 'sha512' }],
]);

const EC_PUBLIC_KEY = '06072a8648ce3d0201';
/** Named curves, by whole AlgorithmIdentifier, with the octets of an uncompressed point (RFC 5480 section 2). */
const curves: ReadonlyMap<string, number> = new Map([
  [`3013${EC_PUBLIC_KEY}06082a8648ce3d030107`, 65],
  [`3010${EC_PUBLIC_KEY}06052b81040022`, 97],
  [`3010${EC_PUBLIC_KEY}06052b81040023`, 133],
]);
const RSA_KEY = identifier(`${RSA}01`, '0500');
/** A SubjectPublicKeyInfo with a modulus of 2048 bits. */
const RSA_2048_OCTETS = 294;
const UNCOMPRESSED_POINT = 0x04;
const MIN_RSA_BITS = 2048;
/** A longer modulus makes one verification cost milliseconds. */
const MAX_RSA_BITS = 8192;
const MIN_RSA_EXPONENT = 65537;
const MAX_RSA_EXPONENT_OCTETS = 4;

/** The row of an AlgorithmIdentifier, or null when certificates signed with it are not accepted. */
export function signatureAlgorithm(algorithmIdentifier: Uint8Array): SignatureAlgorithm | null {
  return signatureAlgorithms.get(hex(algorithmIdentifier)) ?? null;
}

/**
 * Which family a SubjectPublicKeyInfo belongs to, or null when its algorithm or parameters are not accepted: EC on
 * P-256, P-384 or P-521 with an uncompressed point, RSA of 2048 to 8192 bits. A key of an accepted algorithm that is too
 * weak or broken is null too. That an EC point lies on its curve is checked where the key is imported (`verifies`).
 */
export function keyFamily(spki: DerReader): KeyFamily | null {
  const algorithm = hex(spki.whole(tags.sequence, 'the key algorithm'));
  const { unused, octets } = spki.bitString('the public key');
  spki.end('the public key');
  if (unused !== 0) return null;
  const pointLength = curves.get(algorithm);
  if (pointLength !== undefined) return octets.length === pointLength && octets[0] === UNCOMPRESSED_POINT ? 'ec' : null;
  return algorithm === RSA_KEY && isStrongRsa(octets) ? 'rsa' : null;
}

/** RSAPublicKey (RFC 8017 appendix A.1.1) with a modulus of whole octets and a sane exponent. */
function isStrongRsa(octets: Uint8Array): boolean {
  const key = DerReader.inside(octets, tags.sequence, 'the RSA key');
  const modulus = positive(key.integer('the modulus'));
  const exponent = positive(key.integer('the exponent'));
  key.end('the exponent');
  const bits = modulus.length * 8;
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS || modulus[0]! < 0x80) return false;
  if (exponent.length > MAX_RSA_EXPONENT_OCTETS) return false;
  const e = exponent.reduce((sum, byte) => sum * 256 + byte, 0);
  return e >= MIN_RSA_EXPONENT && e % 2 === 1;
}

function positive(integer: Uint8Array): Uint8Array {
  if (integer[0]! >= 0x80) fail('a number of the RSA key is negative');
  return integer[0] === 0 ? integer.subarray(1) : integer;
}

/**
 * What one check of a signature by this key (an accepted SubjectPublicKeyInfo, DER) costs, counted in checks on P-256:
 * measured, and rounded up. OpenSSL has fast code for P-256 alone, and an RSA exponent may be long.
 */
export function checkCost(spki: Uint8Array): number {
  const curve = curves.get(
    hex(new DerReader(spki).enter(tags.sequence, 'the public key').whole(tags.sequence, 'its kind')),
  );
  if (curve !== undefined) return curve === 65 ? 1 : curve === 97 ? 10 : 22;
  return Math.ceil((spki.length / RSA_2048_OCTETS) ** 2);
}

/** The public key of a SubjectPublicKeyInfo, or null when OpenSSL refuses it (a point that is not on its curve). */
export const importKey = (spki: Uint8Array): KeyObject | null =>
  attempt(() => createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));

/** Whether `key` made `signature` over `signed` with this algorithm. */
export function verifies(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  return key.asymmetricKeyType === algorithm.family && verify(algorithm.hash, signed, key, signature);
}

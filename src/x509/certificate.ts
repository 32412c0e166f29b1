import { createHash, type KeyObject } from 'node:crypto';
import { fail, reading } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import {
  checkCost,
  importKey,
  type KeyFamily,
  keyFamily,
  type SignatureAlgorithm,
  signatureAlgorithm,
} from './algorithms.ts';
import { type Extensions, readExtensions } from './certificate-extensions.ts';
import { DerReader, sameBytes, tags } from './der.ts';
import { readTime } from './der-time.ts';
import { type DistinguishedName, readDistinguishedName } from './names.ts';

/** Longer certificates are refused before they are read. */
const MAX_BYTES = 32_768;
const VERSION_3 = 2;
/** RFC 5280 section 4.1.2.2; a sign octet counts. */
const MAX_SERIAL_OCTETS = 20;
const VERSION_TAG = 0xa0;
const EXTENSIONS_TAG = 0xa3;

/**
 * A version 3 certificate that is well-formed DER and keeps to RFC 5280 section 4.1, with a public key of an accepted
 * kind (see algorithms.ts). Nothing about it is verified yet: neither signature nor time nor issuer.
 */
export class Certificate {
  readonly der: Uint8Array;
  /** tbsCertificate, the octets that are signed. */
  readonly signed: Uint8Array;
  /** Null when the algorithm is not accepted. A trust anchor's own signature does not matter. */
  readonly algorithm: SignatureAlgorithm | null;
  readonly signature: Uint8Array;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** Seconds since the epoch, both ends inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Uint8Array;
  readonly extensions: Extensions;
  /** Null when the key is not of an accepted kind, or too weak. */
  readonly #family: KeyFamily | null;
  #key: KeyObject | null | undefined;
  #thumbprint: string | undefined;
  #checkCost: number | undefined;

  /** Reads a Certificate (RFC 5280 section 4.1) in the order of its fields. */
  private constructor(der: Uint8Array) {
    const certificate = DerReader.inside(der, tags.sequence, 'the certificate');
    this.der = der;
    this.signed = certificate.whole(tags.sequence, 'the signed part');
    const outerAlgorithm = certificate.whole(tags.sequence, 'the signature algorithm');
    const { unused, octets } = certificate.bitString('the signature');
    certificate.end('the signature');
    checkAlgorithm(outerAlgorithm);
    if (unused !== 0) fail('the signature is not whole octets');
    this.algorithm = signatureAlgorithm(outerAlgorithm);
    this.signature = octets;

    const tbs = new DerReader(this.signed).enter(tags.sequence, 'the signed part');
    readVersion(tbs);
    readSerial(tbs);
    const innerAlgorithm = tbs.whole(tags.sequence, 'the inner signature algorithm');
    if (!sameBytes(innerAlgorithm, outerAlgorithm)) fail('inner and outer signature algorithm differ');
    this.issuer = readDistinguishedName(tbs, 'the issuer');
    if (this.issuer.empty) fail('the issuer is empty');
    const validity = tbs.enter(tags.sequence, 'the validity');
    this.notBefore = readTime(validity, 'notBefore');
    this.notAfter = readTime(validity, 'notAfter');
    validity.end('notAfter');
    if (this.notAfter < this.notBefore) fail('it ends before it begins');
    this.subject = readDistinguishedName(tbs, 'the subject');
    this.spki = tbs.whole(tags.sequence, 'the public key');
    this.#family = keyFamily(new DerReader(this.spki).enter(tags.sequence, 'the public key'));
    // A unique identifier would stand here; RFC 5280 section 4.1.2.8 lets no certificate authority write one.
    this.extensions = readExtensions(tbs.enter(EXTENSIONS_TAG, 'the extensions'));
    tbs.end('the extensions');
    if (this.subject.empty && !this.extensions.namesCritical)
      fail('the subject is empty and the alternative names are not critical');
    Object.freeze(this);
  }

  /** The certificate, or `identity_svid_malformed`, or `identity_svid_algorithm` for a key that is not accepted. */
  static parse(der: Uint8Array): Certificate | Refusal {
    if (der.length > MAX_BYTES) return refuse(`longer than ${MAX_BYTES} bytes`);
    const certificate = reading(() => new Certificate(der), refuse);
    if (certificate instanceof Refusal || certificate.#family !== null) return certificate;
    return new Refusal('identity_svid_algorithm', 'the kind of its public key is not accepted');
  }

  /** Issuer and subject are the same name (RFC 5280 section 3.2). */
  get selfIssued(): boolean {
    return sameBytes(this.issuer.der, this.subject.der);
  }

  /** The public key, imported when first asked for; null when OpenSSL refuses it. */
  get key(): KeyObject | null {
    if (this.#key === undefined) this.#key = importKey(this.spki);
    return this.#key;
  }

  /** What one check of a signature by its key costs, counted in checks on P-256. */
  get checkCost(): number {
    this.#checkCost ??= checkCost(this.spki);
    return this.#checkCost;
  }

  /** base64url SHA-256 of the DER (`x5t#S256` of RFC 8705). */
  get thumbprint(): string {
    this.#thumbprint ??= createHash('sha256').update(this.der).digest('base64url');
    return this.#thumbprint;
  }
}

/** AlgorithmIdentifier (RFC 5280 section 4.1.1.2): well formed also where it is not an accepted one. */
function checkAlgorithm(der: Uint8Array): void {
  const inside = new DerReader(der).enter(tags.sequence, 'the signature algorithm');
  inside.oid('the signature algorithm');
  if (inside.next !== null) inside.any('the parameters of the signature algorithm');
  inside.end('the signature algorithm');
}

function readVersion(tbs: DerReader): void {
  const version = tbs.enter(VERSION_TAG, 'the version');
  if (version.smallInteger('the version') !== VERSION_3) fail('not a version 3 certificate');
  version.end('the version');
}

function readSerial(tbs: DerReader): void {
  const serial = tbs.integer('the serial number');
  if (serial.length > MAX_SERIAL_OCTETS) fail('the serial number is too long');
  if (serial[0]! >= 0x80) fail('the serial number is negative');
  if (serial.length === 1 && serial[0] === 0) fail('the serial number is zero');
}

function refuse(detail: string): Refusal {
  return new Refusal('identity_svid_malformed', detail);
}

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import * as der from './der.ts';

/**
 * A certificate authority for tests and the demo: real keys, real signatures, and every part of a certificate can be
 * replaced by something wrong, so that a bad certificate is one mutation of a good one.
 */

export type KeyType = 'p256' | 'p384' | 'p521' | 'rsa2048' | 'rsa3072' | 'rsa1024' | 'ed25519';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const keyUsageBits = {
  digitalSignature: 0,
  nonRepudiation: 1,
  keyEncipherment: 2,
  dataEncipherment: 3,
  keyAgreement: 4,
  keyCertSign: 5,
  cRLSign: 6,
} as const;
export type KeyUsage = keyof typeof keyUsageBits;

const extendedKeyUsages = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  any: '2.5.29.37.0',
} as const;
export type ExtendedKeyUsage = keyof typeof extendedKeyUsages;

/** What a certificate holds. Everything left out has the value of a good certificate of its kind; null leaves it away. */
export interface CertificateParts {
  /** The common name; empty for an empty subject. */
  subject?: string;
  /** The issuer's name as DER, in place of the true one. */
  issuerDer?: Uint8Array;
  /** Milliseconds since the epoch. */
  notBefore?: number;
  notAfter?: number;
  /** The two times as DER, in place of the above. */
  validityDer?: Uint8Array;
  serial?: Uint8Array;
  serialDer?: Uint8Array;
  uris?: readonly string[];
  dns?: readonly string[];
  /** Further GeneralNames as DER. */
  otherNames?: readonly Uint8Array[];
  sanCritical?: boolean;
  keyUsage?: readonly KeyUsage[] | null;
  keyUsageCritical?: boolean;
  ca?: boolean | null;
  pathLength?: number | null;
  basicConstraintsCritical?: boolean;
  extendedKeyUsage?: readonly ExtendedKeyUsage[] | null;
  /** The NameConstraints extension, always critical unless `nameConstraintsCritical` is false. */
  nameConstraints?: Uint8Array;
  nameConstraintsCritical?: boolean;
  subjectKeyId?: Uint8Array | null;
  authorityKeyId?: Uint8Array | null;
  /** Further extensions as DER (see `extension`). */
  extensions?: readonly Uint8Array[];
  keyType?: KeyType;
  /** Use this key in place of a new one. */
  keys?: KeyPair;
  /** Sign with this key in place of the issuer's. */
  signWith?: KeyObject;
  /** The hash of the signature; default SHA-256 (SHA-384 and SHA-512 for the longer curves). */
  hash?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** AlgorithmIdentifier as DER, in place of that of the signing key. */
  algorithm?: Uint8Array;
  /** AlgorithmIdentifier inside the signed part, where it shall differ from the outer one. */
  innerAlgorithm?: Uint8Array;
  /** Replaces the signed part before it is signed. */
  mutateTbs?: (tbs: Uint8Array) => Uint8Array;
  /** Replaces the signature. */
  mutateSignature?: (signature: Uint8Array) => Uint8Array;
}

/** One issued certificate with its private key. */
export class Issued {
  readonly der: Uint8Array;
  readonly keys: KeyPair;
  readonly subject: Uint8Array;

  constructor(bytes: Uint8Array, keys: KeyPair, subject: Uint8Array) {
    this.der = bytes;
    this.keys = keys;
    this.subject = subject;
  }

  get pem(): string {
    return pem(this.der);
  }

  get pkcs8Pem(): string {
    return this.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  /** base64url SHA-256 of the DER, as `x5t#S256` has it. */
  get thumbprint(): string {
    return createHash('sha256').update(this.der).digest('base64url');
  }
}

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** A signing certificate with its key. All times are counted from `now` of the root. */
export class TestCa {
  readonly certificate: Issued;
  readonly now: number;
  /** Certificates between this authority and its root, this one first; empty for a root. */
  readonly chain: readonly Issued[];

  private constructor(certificate: Issued, now: number, chain: readonly Issued[]) {
    this.certificate = certificate;
    this.now = now;
    this.chain = chain;
  }

  /** A self-signed root. `now`, in milliseconds, defaults to the real clock. */
  static root(trustDomain: string, parts: CertificateParts & { now?: number } = {}): TestCa {
    const now = parts.now ?? Date.now();
    const keys = parts.keys ?? newKeys(parts.keyType ?? 'p256');
    const whole = { ...caParts(now, `${trustDomain} root`, [`spiffe://${trustDomain}`]), ...parts, keys };
    return new TestCa(build(whole, null, now), now, []);
  }

  intermediate(name = 'intermediate', parts: CertificateParts = {}): TestCa {
    const issued = build({ ...caParts(this.now, name, []), ...parts }, this.certificate, this.now);
    return new TestCa(issued, this.now, [issued, ...this.chain]);
  }

  /** A good X.509-SVID of this SPIFFE ID, valid from one minute before `now` for one hour. */
  svid(id: string, parts: CertificateParts = {}): Issued {
    return this.issue({ subject: 'workload', uris: [id], ...parts });
  }

  /** A leaf with exactly these names. */
  issue(parts: CertificateParts = {}): Issued {
    const defaults: CertificateParts = {
      subject: 'leaf',
      notBefore: this.now - 60_000,
      notAfter: this.now + HOUR,
      ca: false,
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['serverAuth', 'clientAuth'],
    };
    return build({ ...defaults, ...parts }, this.certificate, this.now);
  }
}

function caParts(now: number, subject: string, uris: readonly string[]): CertificateParts {
  return {
    subject,
    uris,
    notBefore: now - DAY,
    notAfter: now + 365 * DAY,
    ca: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: null,
  };
}

const curves = { p256: 'P-256', p384: 'P-384', p521: 'P-521' } as const;

export function newKeys(type: KeyType): KeyPair {
  if (type === 'ed25519') return generateKeyPairSync('ed25519');
  if (type === 'p256' || type === 'p384' || type === 'p521')
    return generateKeyPairSync('ec', { namedCurve: curves[type] });
  return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(3)) });
}

export function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value));
}

/** NameConstraints of GeneralNames as DER. */
export function nameConstraints(permitted: readonly Uint8Array[], excluded: readonly Uint8Array[] = []): Uint8Array {
  const trees = (bases: readonly Uint8Array[]) => bases.map((base) => der.sequence(base));
  return der.sequence(
    ...(permitted.length > 0 ? [der.explicit(0, ...trees(permitted))] : []),
    ...(excluded.length > 0 ? [der.explicit(1, ...trees(excluded))] : []),
  );
}

export const uriName = (uri: string): Uint8Array => der.implicit(6, uri);
export const dnsName = (name: string): Uint8Array => der.implicit(2, name);
export const emailName = (mailbox: string): Uint8Array => der.implicit(1, mailbox);
export const ipName = (bytes: readonly number[]): Uint8Array => der.implicit(7, Buffer.from(bytes));

/** A Name with one common name; empty text gives the empty Name. */
export function name(commonName: string): Uint8Array {
  if (commonName === '') return der.sequence();
  return der.sequence(der.setOf(der.sequence(der.oid('2.5.4.3'), der.utf8(commonName))));
}

const signatureOids = {
  ec: {
    sha1: '1.2.840.10045.4.1',
    sha256: '1.2.840.10045.4.3.2',
    sha384: '1.2.840.10045.4.3.3',
    sha512: '1.2.840.10045.4.3.4',
  },
  rsa: {
    sha1: '1.2.840.113549.1.1.5',
    sha256: '1.2.840.113549.1.1.11',
    sha384: '1.2.840.113549.1.1.12',
    sha512: '1.2.840.113549.1.1.13',
  },
} as const;

type Hash = keyof (typeof signatureOids)['ec'];

function hashFor(key: KeyObject): Hash {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'secp384r1') return 'sha384';
  return curve === 'secp521r1' ? 'sha512' : 'sha256';
}

export function signatureAlgorithm(key: KeyObject, hash: Hash = hashFor(key)): Uint8Array {
  if (key.asymmetricKeyType === 'ed25519') return der.sequence(der.oid('1.3.101.112'));
  if (key.asymmetricKeyType === 'rsa') return der.sequence(der.oid(signatureOids.rsa[hash]), der.nothing);
  return der.sequence(der.oid(signatureOids.ec[hash]));
}

function build(parts: CertificateParts, issuer: Issued | null, now: number): Issued {
  const keys = parts.keys ?? newKeys(parts.keyType ?? 'p256');
  const subject = name(parts.subject ?? 'subject');
  const signer = parts.signWith ?? (issuer ?? { keys }).keys.privateKey;
  const algorithm = parts.algorithm ?? signatureAlgorithm(signer, parts.hash);
  const signed = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    parts.serialDer ?? der.integer(parts.serial ?? Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    parts.innerAlgorithm ?? algorithm,
    parts.issuerDer ?? issuer?.subject ?? subject,
    parts.validityDer ?? der.sequence(der.time(parts.notBefore ?? now), der.time(parts.notAfter ?? now + HOUR)),
    subject,
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    der.explicit(3, der.sequence(...extensions(parts, keys, issuer))),
  );
  const tbs = parts.mutateTbs?.(signed) ?? signed;
  const hash = signer.asymmetricKeyType === 'ed25519' ? null : (parts.hash ?? hashFor(signer));
  const signature = sign(hash, tbs, signer);
  const bytes = der.sequence(tbs, algorithm, der.bits(0, parts.mutateSignature?.(signature) ?? signature));
  return new Issued(bytes, keys, subject);
}

function extensions(parts: CertificateParts, keys: KeyPair, issuer: Issued | null): Uint8Array[] {
  const list: Uint8Array[] = [];
  if (parts.ca !== null && parts.ca !== undefined) list.push(basicConstraints(parts, parts.ca));
  if (parts.keyUsage) list.push(extension('2.5.29.15', parts.keyUsageCritical ?? true, keyUsage(parts.keyUsage)));
  if (parts.extendedKeyUsage) {
    const usages = parts.extendedKeyUsage.map((usage) => der.oid(extendedKeyUsages[usage]));
    list.push(extension('2.5.29.37', false, der.sequence(...usages)));
  }
  const names = [...(parts.uris ?? []).map(uriName), ...(parts.dns ?? []).map(dnsName), ...(parts.otherNames ?? [])];
  if (names.length > 0)
    list.push(extension('2.5.29.17', parts.sanCritical ?? parts.subject === '', der.sequence(...names)));
  if (parts.nameConstraints)
    list.push(extension('2.5.29.30', parts.nameConstraintsCritical ?? true, parts.nameConstraints));
  const own = parts.subjectKeyId === undefined ? keyId(keys.publicKey) : parts.subjectKeyId;
  if (own !== null) list.push(extension('2.5.29.14', false, der.octets(own)));
  const above = parts.authorityKeyId === undefined ? keyId((issuer ?? { keys }).keys.publicKey) : parts.authorityKeyId;
  if (above !== null) list.push(extension('2.5.29.35', false, der.sequence(der.implicit(0, above))));
  return [...list, ...(parts.extensions ?? [])];
}

function basicConstraints(parts: CertificateParts, ca: boolean): Uint8Array {
  const depth = parts.pathLength;
  const value = der.sequence(
    ...(ca ? [der.boolean(true)] : []),
    ...(depth === null || depth === undefined ? [] : [der.integer(Buffer.from([depth]))]),
  );
  return extension('2.5.29.19', parts.basicConstraintsCritical ?? true, value);
}

function keyUsage(usages: readonly KeyUsage[]): Uint8Array {
  let byte = 0;
  for (const usage of usages) byte |= 0x80 >> keyUsageBits[usage];
  return byte === 0 ? der.bits(0, Buffer.alloc(0)) : der.bits(31 - Math.clz32(byte & -byte), Buffer.from([byte]));
}

export function keyId(key: KeyObject): Uint8Array {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

export function pem(bytes: Uint8Array, label = 'CERTIFICATE'): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** PEM blocks as Envoy writes them into `source.certificate` and XFCC. */
export function urlEncodedPem(...certificates: readonly { readonly der: Uint8Array }[]): string {
  return encodeURIComponent(certificates.map((certificate) => pem(certificate.der)).join(''));
}

/** A PEM bundle file of these roots. */
export function pemBundle(...roots: readonly TestCa[]): string {
  return roots.map((root) => root.certificate.pem).join('');
}

/** The bytes with one bit flipped; a negative index counts from the end. */
export function flipBit(bytes: Uint8Array, index: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = index < 0 ? copy.length + index : index;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

export interface JwtKey {
  readonly kid: string;
  readonly publicKey: KeyObject;
}

/** A SPIFFE bundle document, as an object ready for JSON.stringify. Sequence and hint are left out unless given. */
export function bundleDocument(
  roots: readonly TestCa[],
  jwtKeys: readonly JwtKey[] = [],
  more: { readonly spiffe_sequence?: number; readonly spiffe_refresh_hint?: number } = {},
): { keys: Record<string, unknown>[] } & Record<string, unknown> {
  const x509 = roots.map(({ certificate }) => ({
    ...certificate.keys.publicKey.export({ format: 'jwk' }),
    use: 'x509-svid',
    x5c: [Buffer.from(certificate.der).toString('base64')],
  }));
  const jwt = jwtKeys.map(({ kid, publicKey }) => ({
    ...publicKey.export({ format: 'jwk' }),
    use: 'jwt-svid',
    kid,
  }));
  return { keys: [...x509, ...jwt], ...more };
}

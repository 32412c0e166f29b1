import { fail } from '../base/fault.ts';
import { DerReader, tags } from './der.ts';
import { type GeneralName, readGeneralNames } from './names.ts';
import { type NameConstraints, readNameConstraints } from './names-constraints.ts';

/** Bits of KeyUsage (RFC 5280 section 4.2.1.3), counted from the most significant bit of the first octet. */
export const keyUsages = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;

/** Extended key usages by the hex text of their identifier (RFC 5280 section 4.2.1.12). */
export const extendedKeyUsages = { server: '2b06010505070301', client: '2b06010505070302', any: '551d2500' } as const;

/** A certificate with more extensions is refused. */
const MAX_EXTENSIONS = 32;
const KEY_ID_TAG = 0x80;

export interface BasicConstraints {
  readonly critical: boolean;
  readonly ca: boolean;
  readonly pathLength: number | null;
}

export interface KeyUsage {
  readonly critical: boolean;
  readonly bits: ReadonlySet<number>;
}

/** What the extensions of a certificate say. Null or empty: the extension is absent. */
export interface Extensions {
  readonly basicConstraints: BasicConstraints | null;
  readonly keyUsage: KeyUsage | null;
  readonly extendedKeyUsage: ReadonlySet<string> | null;
  readonly names: readonly GeneralName[];
  readonly namesCritical: boolean;
  readonly nameConstraints: NameConstraints | null;
  readonly authorityKeyId: Uint8Array | null;
  readonly subjectKeyId: Uint8Array | null;
  /** A critical extension that is not processed here, by the hex text of its identifier. */
  readonly unknownCritical: string | null;
}

const ABSENT: Extensions = {
  basicConstraints: null,
  keyUsage: null,
  extendedKeyUsage: null,
  names: [],
  namesCritical: false,
  nameConstraints: null,
  authorityKeyId: null,
  subjectKeyId: null,
  unknownCritical: null,
};

type Read = (value: Uint8Array, critical: boolean) => Partial<Extensions>;

/** The extensions that are processed, by the hex text of their identifier. */
const readers: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['551d0e', readSubjectKeyId],
  ['551d0f', readKeyUsage],
  ['551d11', (value, namesCritical) => ({ names: readGeneralNames(new DerReader(value)), namesCritical })],
  ['551d13', readBasicConstraints],
  ['551d1e', readConstraints],
  ['551d23', readAuthorityKeyId],
  ['551d25', readExtendedKeyUsage],
]);

/**
 * Extensions (RFC 5280 section 4.1.2.9): at least one, none twice. Those that are not processed are left unread; when
 * critical, they are remembered and refuse whatever path the certificate stands in (section 4.2).
 */
export function readExtensions(from: DerReader): Extensions {
  const list = from.enter(tags.sequence, 'the extensions');
  from.end('the extensions');
  let extensions = ABSENT;
  const seen = new Set<string>();
  if (list.next === null) fail('the list of extensions is empty');
  while (list.next !== null) {
    const extension = list.enter(tags.sequence, 'an extension');
    const id = extension.oid('an extension');
    const critical = extension.flag('the criticality');
    const value = extension.content(tags.octetString, 'the value of an extension');
    extension.end('the value of an extension');
    if (seen.has(id)) fail('an extension is there twice');
    if (seen.size === MAX_EXTENSIONS) fail(`there are more than ${MAX_EXTENSIONS} extensions`);
    seen.add(id);
    const read = readers.get(id);
    if (read !== undefined) extensions = { ...extensions, ...read(value, critical) };
    else if (critical) extensions = { ...extensions, unknownCritical: extensions.unknownCritical ?? id };
  }
  if (extensions.nameConstraints && !extensions.basicConstraints?.ca) fail('name constraints without the CA flag');
  return Object.freeze(extensions);
}

/** BasicConstraints (RFC 5280 section 4.2.1.9). A path length is a matter of certificate authorities alone. */
function readBasicConstraints(value: Uint8Array, critical: boolean): Partial<Extensions> {
  const body = DerReader.inside(value, tags.sequence, 'the basic constraints');
  const ca = body.flag('the CA flag');
  const pathLength = body.next === null ? null : body.smallInteger('the path length');
  body.end('the basic constraints');
  if (pathLength !== null && !ca) fail('a path length without the CA flag');
  return { basicConstraints: { critical, ca, pathLength } };
}

/** KeyUsage (RFC 5280 section 4.2.1.3), a named bit list: no trailing zero bits, at least one bit set. */
function readKeyUsage(value: Uint8Array, critical: boolean): Partial<Extensions> {
  const outer = new DerReader(value);
  const { unused, octets } = outer.bitString('the key usage');
  outer.end('the key usage');
  if (octets.length > 2) fail('the key usage is too long');
  const bits = new Set<number>();
  for (let i = 0; i < octets.length * 8; i++) {
    if ((octets[i >> 3]! & (0x80 >> (i & 7))) !== 0) bits.add(i);
  }
  if (!bits.has(octets.length * 8 - 1 - unused)) fail('the key usage has trailing zero bits or none set');
  return { keyUsage: { critical, bits } };
}

/** ExtKeyUsage (RFC 5280 section 4.2.1.12): at least one identifier. */
function readExtendedKeyUsage(value: Uint8Array): Partial<Extensions> {
  const list = DerReader.inside(value, tags.sequence, 'the extended key usage');
  const usages = new Set<string>();
  while (list.next !== null) usages.add(list.oid('an extended key usage'));
  if (usages.size === 0) fail('the extended key usage is empty');
  return { extendedKeyUsage: usages };
}

/** NameConstraints, which RFC 5280 section 4.2.1.10 wants critical. */
function readConstraints(value: Uint8Array, critical: boolean): Partial<Extensions> {
  if (!critical) fail('the name constraints are not critical');
  return { nameConstraints: readNameConstraints(value) };
}

/** SubjectKeyIdentifier (RFC 5280 section 4.2.1.2): only orders candidates. */
function readSubjectKeyId(value: Uint8Array, critical: boolean): Partial<Extensions> {
  if (critical) fail('the subject key identifier is critical');
  const outer = new DerReader(value);
  const subjectKeyId = outer.content(tags.octetString, 'the subject key identifier');
  outer.end('the subject key identifier');
  return { subjectKeyId };
}

/** AuthorityKeyIdentifier (RFC 5280 section 4.2.1.1), of which only the key identifier is used, to order candidates. */
function readAuthorityKeyId(value: Uint8Array, critical: boolean): Partial<Extensions> {
  if (critical) fail('the authority key identifier is critical');
  const body = DerReader.inside(value, tags.sequence, 'the authority key identifier');
  const stated = body.next === KEY_ID_TAG;
  return { authorityKeyId: stated ? body.content(KEY_ID_TAG, 'the authority key identifier') : null };
}

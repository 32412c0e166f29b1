import { isAscii, isUtf8 } from 'node:buffer';
import { fail } from '../base/fault.ts';
import { DerReader, identifier, isConstructed, printable, tags } from './der.ts';

/** The forms of GeneralName (RFC 5280 section 4.2.1.6) by the number of their tag. */
export const forms = {
  other: 0,
  email: 1,
  dns: 2,
  x400: 3,
  directory: 4,
  edi: 5,
  uri: 6,
  ip: 7,
  registered: 8,
} as const;
export type Form = (typeof forms)[keyof typeof forms];

/** One GeneralName. `text` holds e-mail, DNS and URI names, printable ASCII throughout; the others have `octets` alone. */
export interface GeneralName {
  readonly form: Form;
  readonly text: string;
  readonly octets: Uint8Array;
}

/** A certificate with more names is refused: matching costs names times constraints. */
const MAX_NAMES = 64;
const CONTEXT = 0x80;
const VALUE = 0xa0;
const EMAIL_ADDRESS = '2a864886f70d010901';

const constructedForms: ReadonlySet<number> = new Set([forms.other, forms.x400, forms.directory, forms.edi]);
const textForms: ReadonlySet<number> = new Set([forms.email, forms.dns, forms.uri]);

/** The strings of ITU-T X.520 by their tag, and what their octets must be. UniversalString is not among them: nobody writes it. */
const stringKinds: ReadonlyMap<number, (octets: Uint8Array) => boolean> = new Map([
  [0x0c, isUtf8], // UTF8String
  [0x12, isAscii], // NumericString
  [0x13, isAscii], // PrintableString
  [0x14, () => true], // TeletexString
  [0x16, isAscii], // IA5String
  [0x1e, isUtf16], // BMPString
  [0x03, ([unused = 8]) => unused < 8], // BIT STRING, of a unique identifier
]);

/**
 * One GeneralName: a known form, in the primitive or constructed encoding that is its own, and well formed even where it
 * is not looked at: one that is not lets OpenSSL read none of the names beside it. X.400 addresses and EDI parties are
 * refused, since nobody writes them.
 */
export function readGeneralName(from: DerReader): GeneralName {
  const tag = from.next ?? 0;
  const form = tag & 0x1f;
  if ((tag & 0xc0) !== CONTEXT || form > forms.registered) fail('a name is of no known form');
  if (isConstructed(tag) !== constructedForms.has(form)) fail('a name has the wrong encoding');
  const octets = from.content(tag, 'a name');
  const text = textForms.has(form) ? printable(octets, 'a name') : '';
  checkUnread(form as Form, octets);
  return { form: form as Form, text, octets };
}

function checkUnread(form: Form, octets: Uint8Array): void {
  const what = 'a name of another form';
  const inside = new DerReader(octets);
  switch (form) {
    case forms.other: {
      inside.oid(what);
      const value = inside.enter(VALUE, `the value of ${what}`);
      value.any(`the value of ${what}`);
      value.end(`the value of ${what}`);
      inside.end(what);
      break;
    }
    case forms.directory:
      readDistinguishedName(inside, 'a directory name');
      inside.end('a directory name');
      break;
    case forms.registered:
      identifier(octets, 'a registered name');
      break;
    case forms.x400:
    case forms.edi:
      fail('a name is of a form that nobody writes');
  }
}

/** GeneralNames of a SubjectAltName (RFC 5280 section 4.2.1.6): at least one, and no more than MAX_NAMES. */
export function readGeneralNames(from: DerReader): readonly GeneralName[] {
  const list = from.enter(tags.sequence, 'the list of names');
  from.end('the list of names');
  const names: GeneralName[] = [];
  while (list.next !== null) {
    if (names.length === MAX_NAMES) fail(`there are more than ${MAX_NAMES} names`);
    const name = readGeneralName(list);
    if (name.form === forms.ip && name.octets.length !== 4 && name.octets.length !== 16)
      fail('an IP address is broken');
    names.push(name);
  }
  if (names.length === 0) fail('the list of names is empty');
  return names;
}

/** What is needed of a distinguished name. Two names are the same when their `der` is, byte for byte. */
export interface DistinguishedName {
  /** The whole element. */
  readonly der: Uint8Array;
  readonly empty: boolean;
  /** Has an emailAddress attribute, to which e-mail constraints apply as well (RFC 5280 section 4.2.1.10). */
  readonly email: boolean;
}

/**
 * Name (RFC 5280 section 4.1.2.4), whose attribute values are strings of a kind that X.520 knows, and are what they say:
 * OpenSSL refuses to read a certificate with a UTF8String that is no UTF-8.
 */
export function readDistinguishedName(from: DerReader, what: string): DistinguishedName {
  const der = from.whole(tags.sequence, what);
  const rdns = new DerReader(der).enter(tags.sequence, what);
  const empty = rdns.next === null;
  let email = false;
  while (rdns.next !== null) {
    const attributes = rdns.enter(tags.set, what);
    if (attributes.next === null) fail(`${what} has an empty part`);
    while (attributes.next !== null) {
      const attribute = attributes.enter(tags.sequence, what);
      if (attribute.oid(what) === EMAIL_ADDRESS) email = true;
      const isString = stringKinds.get(attribute.next ?? 0);
      if (isString === undefined) fail(`${what} has a value that is no string`);
      if (!isString(attribute.content(attribute.next ?? 0, what))) fail(`${what} has a value that is broken text`);
      attribute.end(what);
    }
  }
  return { der, empty, email };
}

function isUtf16(octets: Uint8Array): boolean {
  return octets.length % 2 === 0 && Buffer.from(octets).swap16().toString('utf16le').isWellFormed();
}

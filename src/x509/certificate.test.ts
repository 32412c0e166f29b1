import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CertificateParts, extension, flipBit, name, newKeys, TestCa } from '../../test/support/ca.ts';
import * as der from '../../test/support/der.ts';
import { Refusal } from '../base/outcome.ts';
import { Certificate } from './certificate.ts';

const NOW = Date.UTC(2026, 10, 25);
const ca = TestCa.root('prod.example', { now: NOW });
const ID = 'spiffe://prod.example/ns/a';

function parse(parts: CertificateParts): Certificate | Refusal {
  return Certificate.parse(ca.svid(ID, parts).der);
}

function refusal(parts: CertificateParts, reason: Refusal['reason'], detail: RegExp): void {
  const got = parse(parts);
  assert.ok(got instanceof Refusal, 'it was parsed');
  assert.equal(got.reason, reason);
  assert.match(got.detail, detail);
}

const utc = (text: string) => der.tlv(0x17, Buffer.from(text));
const general = (text: string) => der.tlv(0x18, Buffer.from(text));
const validity = (from: Uint8Array, to: Uint8Array) => ({ validityDer: der.sequence(from, to) });
const DAY_1 = utc('260101000000Z');

test('a good certificate gives its names, times and key', () => {
  const leaf = parse({ notBefore: NOW, notAfter: NOW + 1000 });
  assert.ok(leaf instanceof Certificate);
  assert.equal(leaf.extensions.names[0]?.text, ID);
  assert.deepEqual([leaf.notBefore, leaf.notAfter], [NOW / 1000, NOW / 1000 + 1]);
  assert.equal(leaf.key?.asymmetricKeyType, 'ec');
  assert.equal(leaf.selfIssued, false);
});

test('the thumbprint is that of the DER', () => {
  const issued = ca.svid(ID);
  const leaf = Certificate.parse(issued.der);
  assert.ok(leaf instanceof Certificate);
  assert.equal(leaf.thumbprint, issued.thumbprint);
});

describe('times', () => {
  const times: [text: string, time: Uint8Array, iso: string][] = [
    ['UTCTime 49 is 2049', utc('491231235959Z'), '2049-12-31T23:59:59Z'],
    ['UTCTime 50 is 1950', utc('500101000000Z'), '1950-01-01T00:00:00Z'],
    ['GeneralizedTime of 2050', general('20500101000000Z'), '2050-01-01T00:00:00Z'],
    ['the time that never comes (RFC 5280 section 4.1.2.5)', general('99991231235959Z'), '9999-12-31T23:59:59Z'],
    ['29 February of a leap year', utc('280229000000Z'), '2028-02-29T00:00:00Z'],
  ];
  for (const [text, time, iso] of times) {
    test(text, () => {
      const leaf = parse(validity(utc('500101000000Z'), time));
      assert.ok(leaf instanceof Certificate);
      assert.equal(leaf.notAfter, Date.parse(iso) / 1000);
    });
  }
  const bad: [text: string, time: Uint8Array, detail: RegExp][] = [
    ['GeneralizedTime before 2050', general('20491231235959Z'), /before 2050/],
    ['no seconds', utc('2612312359Z'), /no.*time/],
    ['an offset', utc('261231235959+0000'), /no.*time/],
    ['a fraction', general('20501231235959.5Z'), /no.*time/],
    ['local time', general('20501231235959'), /no.*time/],
    ['letters', utc('26123123595AZ'), /no.*time/],
    ['30 February', utc('270230000000Z'), /does not exist/],
    ['29 February of a common year', utc('270229000000Z'), /does not exist/],
    ['month 13', utc('271301000000Z'), /does not exist/],
    ['day 0', utc('270100000000Z'), /does not exist/],
    ['hour 24', utc('270101240000Z'), /does not exist/],
    ['minute 60', utc('270101006000Z'), /does not exist/],
    ['second 60', utc('270101000060Z'), /does not exist/],
    ['another type', der.utf8('270101000000Z'), /missing/],
  ];
  for (const [text, time, detail] of bad) {
    test(`${text} is refused`, () => refusal(validity(DAY_1, time), 'identity_svid_malformed', detail));
  }
  test('a time that follows notAfter is refused', () =>
    refusal({ validityDer: der.sequence(DAY_1, DAY_1, DAY_1) }, 'identity_svid_malformed', /follows notAfter/));
  test('an end before the beginning is refused', () =>
    refusal({ notBefore: NOW, notAfter: NOW - 1000 }, 'identity_svid_malformed', /ends before/));
});

describe('fields', () => {
  const replaced = (index: number, element: Uint8Array | null): CertificateParts => ({
    mutateTbs: (tbs) => {
      const parts = elements(tbs);
      parts.splice(index, 1, ...(element === null ? [] : [element]));
      return der.sequence(...parts);
    },
  });
  const serial = (hex: string) => ({ serialDer: der.tlv(2, Buffer.from(hex, 'hex')) });
  const bad: [text: string, parts: CertificateParts, detail: RegExp][] = [
    ['version 1', replaced(0, null), /version is missing/],
    ['version 2', replaced(0, der.explicit(0, der.integer(Buffer.from([1])))), /version 3/],
    [
      'a version with something after it',
      replaced(0, der.explicit(0, der.integer(Buffer.from([2])), der.nothing)),
      /follows the version/,
    ],
    ['serial number zero', serial('00'), /zero/],
    ['a negative serial number', serial('80'), /negative/],
    ['a serial number of 21 octets', serial(`01${'00'.repeat(20)}`), /too long/],
    ['a serial number with a needless zero', serial('0001'), /minimal/],
    [
      'inner and outer algorithm that differ',
      { innerAlgorithm: der.sequence(der.oid('1.2.840.10045.4.3.3')) },
      /differ/,
    ],
    ['a signature algorithm that is empty', { algorithm: der.sequence() }, /algorithm is missing/],
    [
      'a signature algorithm with two parameters',
      { algorithm: der.sequence(der.oid('1.2.3'), der.nothing, der.nothing) },
      /follows the signature algorithm/,
    ],
    ['an empty issuer', { issuerDer: name('') }, /issuer is empty/],
    ['an issuer attribute that nests', { issuerDer: nameOf(der.sequence(der.utf8('x'))) }, /no string/],
    ['an issuer attribute that is a number', { issuerDer: nameOf(der.integer(Buffer.from([1]))) }, /no string/],
    ['an issuer attribute without a value', { issuerDer: nameOf() }, /no string/],
    ['a UTF8String that is no UTF-8', { issuerDer: nameOf(string(0x0c, 'c328')) }, /broken text/],
    ['a PrintableString outside of ASCII', { issuerDer: nameOf(string(0x13, 'e9')) }, /broken text/],
    ['a BMPString of half a character', { issuerDer: nameOf(string(0x1e, '006100')) }, /broken text/],
    ['a BMPString with half a surrogate pair', { issuerDer: nameOf(string(0x1e, 'd800')) }, /broken text/],
    ['a BIT STRING without its first octet', { issuerDer: nameOf(string(0x03, '')) }, /broken text/],
    ['an issuer with an empty part', { issuerDer: der.sequence(der.setOf()) }, /empty part/],
    ['an issuer attribute with two values', { issuerDer: nameOf(der.utf8('x'), der.utf8('y')) }, /follows the issuer/],
    [
      'a subject unique identifier',
      { mutateTbs: (tbs) => insertBeforeExtensions(tbs, der.implicit(2, '\0x')) },
      /extensions is missing/,
    ],
    ['no extensions', replaced(7, null), /extensions is missing/],
    ['an empty list of extensions', replaced(7, der.explicit(3, der.sequence())), /extensions is empty/],
    [
      'something after the list of extensions',
      { mutateTbs: (tbs) => appendToExtensions(tbs, der.nothing) },
      /follows the extensions/,
    ],
    [
      'something after the extensions',
      { mutateTbs: (tbs) => der.sequence(...elements(tbs), der.nothing) },
      /follows the extensions/,
    ],
    ['an empty subject with names that are not critical', { subject: '', sanCritical: false }, /subject is empty/],
    ['a certificate that is too long', { dns: ['x'.repeat(33_000)] }, /longer than/],
  ];
  const strings: readonly (readonly [kind: string, tag: number, hex: string])[] = [
    ['a UTF8String', 0x0c, 'c3a9'],
    ['a PrintableString', 0x13, '61'],
    ['a TeletexString', 0x14, 'e9'],
    ['an IA5String', 0x16, '61'],
    ['a BMPString', 0x1e, '00e9'],
    ['a BIT STRING', 0x03, '00ff'],
  ];
  for (const [kind, tag, hex] of strings) {
    test(`${kind} in the issuer is read`, () =>
      assert.ok(parse({ issuerDer: nameOf(string(tag, hex)) }) instanceof Certificate));
  }
  for (const [text, parts, detail] of bad) {
    test(`${text} is refused`, () => refusal(parts, 'identity_svid_malformed', detail));
  }
  test('an empty subject with critical names is read', () => assert.ok(parse({ subject: '' }) instanceof Certificate));
  test('20 octets of serial number are read', () =>
    assert.ok(parse(serial(`7f${'ff'.repeat(19)}`)) instanceof Certificate));

  test('something after the certificate is refused', () => {
    const { der: bytes } = ca.svid(ID);
    assert.ok(Certificate.parse(bytes) instanceof Certificate);
    assert.ok(Certificate.parse(Buffer.concat([bytes, Buffer.from([0])])) instanceof Refusal);
  });
  test('something after the signature is refused', () => {
    const got = Certificate.parse(der.sequence(...elements(ca.svid(ID).der), der.nothing));
    assert.match((got as Refusal).detail, /follows the signature/);
  });
  test('a signature with unused bits is refused', () => {
    const [tbs, algorithm] = elements(ca.svid(ID).der) as [Uint8Array, Uint8Array];
    const got = Certificate.parse(der.sequence(tbs, algorithm, der.bits(4, Buffer.from([0x10]))));
    assert.match((got as Refusal).detail, /whole octets/);
  });
});

describe('extensions', () => {
  const bad: [text: string, parts: CertificateParts, detail: RegExp][] = [
    [
      'an extension twice',
      { extensions: [extension('1.2.3', false, der.nothing), extension('1.2.3', false, der.nothing)] },
      /twice/,
    ],
    [
      '33 extensions',
      { extensions: Array.from({ length: 33 }, (_, i) => extension(`1.2.${i}`, false, der.nothing)) },
      /more than 32/,
    ],
    [
      'an extension with something after its value',
      { extensions: [der.sequence(der.oid('1.2.3'), der.octets(), der.nothing)] },
      /follows the value/,
    ],
    [
      'criticality stated as false',
      { extensions: [der.sequence(der.oid('1.2.3'), der.boolean(false), der.octets())] },
      /states its default/,
    ],
    ['a path length without the CA flag', { pathLength: 0 }, /without the CA flag/],
    ['a CA flag stated as false', only('2.5.29.19', der.sequence(der.boolean(false))), /states its default/],
    [
      'basic constraints with something inside after the path length',
      only('2.5.29.19', der.sequence(der.boolean(true), der.integer(Buffer.from([0])), der.nothing)),
      /follows the basic/,
    ],
    [
      'basic constraints with something after them',
      only('2.5.29.19', Buffer.concat([der.sequence(), der.nothing])),
      /follows the basic/,
    ],
    [
      'a negative path length',
      only('2.5.29.19', der.sequence(der.boolean(true), der.tlv(2, Buffer.from([0xff])))),
      /out of range/,
    ],
    ['key usage with unused bits set', usage('0781'), /unused bits/],
    ['key usage with trailing zero bits', usage('0680'), /trailing zero/],
    ['key usage without a bit', usage('00'), /trailing zero bits or none/],
    ['key usage of three octets', usage('00000001'), /too long/],
    [
      'key usage with something after it',
      {
        keyUsage: null,
        extensions: [extension('2.5.29.15', true, Buffer.concat([der.bits(7, Buffer.from([0x80])), der.nothing]))],
      },
      /follows the key usage/,
    ],
    ['an empty extended key usage', { extendedKeyUsage: [] }, /extended key usage is empty/],
    [
      'extended key usage with something after it',
      {
        extendedKeyUsage: null,
        extensions: [extension('2.5.29.37', false, Buffer.concat([der.sequence(der.oid('2.5.29.37.0')), der.nothing]))],
      },
      /follows the extended/,
    ],
    [
      'name constraints of a leaf',
      { nameConstraints: der.sequence(der.explicit(0, der.sequence(der.implicit(2, 'a')))) },
      /without the CA flag/,
    ],
    [
      'a critical subject key identifier',
      { subjectKeyId: null, extensions: [extension('2.5.29.14', true, der.octets())] },
      /critical/,
    ],
    [
      'a subject key identifier with something after it',
      { subjectKeyId: null, extensions: [extension('2.5.29.14', false, Buffer.concat([der.octets(), der.nothing]))] },
      /follows the subject key/,
    ],
    [
      'a critical authority key identifier',
      { authorityKeyId: null, extensions: [extension('2.5.29.35', true, der.sequence())] },
      /critical/,
    ],
    [
      'an authority key identifier with something after it',
      {
        authorityKeyId: null,
        extensions: [extension('2.5.29.35', false, Buffer.concat([der.sequence(), der.nothing]))],
      },
      /follows the authority key/,
    ],
  ];
  for (const [text, parts, detail] of bad) {
    test(`${text} is refused`, () => refusal(parts, 'identity_svid_malformed', detail));
  }
  test('an extension that is not known is left unread, and remembered when it is critical', () => {
    const garbage = Buffer.from([0xff, 0xff]);
    const plain = parse({ extensions: [extension('1.2.3', false, garbage)] });
    const critical = parse({ extensions: [extension('1.2.3', true, garbage)] });
    assert.ok(plain instanceof Certificate && critical instanceof Certificate);
    assert.equal(plain.extensions.unknownCritical, null);
    assert.equal(critical.extensions.unknownCritical, '2a03');
  });
  test('key usage beyond the first octet is read', () => {
    const leaf = parse(usage('078080'));
    assert.ok(leaf instanceof Certificate);
    assert.deepEqual([...(leaf.extensions.keyUsage?.bits ?? [])], [0, 8]);
  });
});

describe('names', () => {
  const names = (...list: Uint8Array[]) => ({ uris: [], otherNames: list });
  const bad: [text: string, parts: CertificateParts, detail: RegExp][] = [
    [
      'an empty list',
      { uris: [], extensions: [extension('2.5.29.17', false, der.sequence())] },
      /list of names is empty/,
    ],
    [
      'something after the list',
      {
        uris: [],
        extensions: [extension('2.5.29.17', false, Buffer.concat([der.sequence(der.implicit(6, ID)), der.nothing]))],
      },
      /follows the list/,
    ],
    ['65 names', { dns: Array.from({ length: 65 }, (_, i) => `h${i}`) }, /more than 64/],
    ['a constructed URI', names(der.tlv(0xa6, der.implicit(6, ID))), /wrong encoding/],
    ['a primitive directory name', names(der.implicit(4, 'x')), /wrong encoding/],
    ['an X.400 address', names(der.explicit(3, der.utf8('x'))), /nobody writes/],
    ['an EDI party', names(der.explicit(5, der.implicit(1, 'x'))), /nobody writes/],
    ['a name of another form that is none', names(der.tlv(0xa0, Buffer.from('payments'))), /another form is missing/],
    ['a name of another form without a value', names(der.explicit(0, der.oid('1.2.3'))), /value .* is missing/],
    ['a name of another form with an empty value', names(otherName(der.explicit(0))), /value .* is missing/],
    [
      'a name of another form with two values',
      names(otherName(der.explicit(0, der.nothing, der.nothing))),
      /follows the value/,
    ],
    [
      'a name of another form with more',
      names(otherName(der.explicit(0, der.nothing), der.nothing)),
      /follows a name of another/,
    ],
    ['a directory name that is none', names(der.explicit(4, der.nothing)), /directory name is missing/],
    ['two directory names in one', names(der.explicit(4, name('x'), name('y'))), /follows a directory name/],
    ['a registered name that is no identifier', names(der.implicit(8, Buffer.from([0x2a, 0x80]))), /broken identifier/],
    ['a form of tag 9', names(der.implicit(9, 'x')), /no known form/],
    ['a universal tag', names(der.tlv(0x16, Buffer.from(ID))), /no known form/],
    ['a NUL in a URI', { uris: [`${ID}\0.evil.test`] }, /not printable/],
    ['a newline in a DNS name', { dns: ['a\nb'] }, /not printable/],
    ['UTF-8 in a URI', { uris: [`${ID}é`] }, /not printable/],
    ['an IP address of five octets', names(der.implicit(7, Buffer.alloc(5))), /IP address/],
  ];
  for (const [text, parts, detail] of bad) {
    test(`${text} is refused`, () => refusal(parts, 'identity_svid_malformed', detail));
  }
  test('every form of name may stand beside the URI', () => {
    const others = [
      otherName(der.explicit(0, der.utf8('x'))),
      der.implicit(1, 'a@b'),
      der.implicit(2, 'a'),
      der.explicit(4, name('x')),
    ];
    const more = [der.implicit(7, Buffer.alloc(4)), der.implicit(7, Buffer.alloc(16)), der.implicit(8, '*')];
    assert.ok(parse({ otherNames: [...others, ...more] }) instanceof Certificate);
  });
});

describe('keys', () => {
  for (const keyType of ['p256', 'p384', 'p521', 'rsa2048'] as const) {
    test(`${keyType} is accepted`, () => assert.ok(parse({ keyType }) instanceof Certificate));
  }
  for (const keyType of ['rsa1024', 'ed25519'] as const) {
    test(`${keyType} is refused`, () => refusal({ keyType }, 'identity_svid_algorithm', /public key/));
  }
  const spki = (algorithm: Uint8Array, key: Uint8Array, unused = 0) => der.sequence(algorithm, der.bits(unused, key));
  const withKey = (element: Uint8Array): CertificateParts => ({
    mutateTbs: (tbs) => {
      const parts = elements(tbs);
      parts[6] = element;
      return der.sequence(...parts);
    },
  });
  const p256 = der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.2.840.10045.3.1.7'));
  const rsa = der.sequence(der.oid('1.2.840.113549.1.1.1'), der.nothing);
  const point = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]);
  const modulus = Buffer.alloc(256, 0xff);
  const exponent = Buffer.from([1, 0, 1]);
  const rsaKey = (n: Uint8Array, e: Uint8Array, ...more: Uint8Array[]) =>
    der.sequence(der.integer(n), der.integer(e), ...more);

  test('keys of the right shape are accepted here', () => {
    assert.ok(parse(withKey(spki(p256, point))) instanceof Certificate);
    assert.ok(parse(withKey(spki(rsa, rsaKey(modulus, exponent)))) instanceof Certificate);
  });
  test('a point that is not on its curve has no key', () => {
    const leaf = parse(withKey(spki(p256, point)));
    assert.ok(leaf instanceof Certificate);
    assert.equal(leaf.key, null);
  });
  const refused: [text: string, element: Uint8Array][] = [
    ['a compressed point', spki(p256, Buffer.concat([Buffer.from([2]), Buffer.alloc(32, 1)]))],
    ['a point with another first octet', spki(p256, Buffer.concat([Buffer.from([6]), Buffer.alloc(64, 1)]))],
    ['a point of the wrong length', spki(p256, Buffer.concat([point, Buffer.from([1])]))],
    ['a key with unused bits', spki(p256, Buffer.concat([Buffer.from([4]), Buffer.alloc(64)]), 4)],
    ['the curve secp256k1', spki(der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.3.132.0.10')), point)],
    ['RSA without its NULL', spki(der.sequence(der.oid('1.2.840.113549.1.1.1')), rsaKey(modulus, exponent))],
    [
      'an RSA modulus of 2047 bits',
      spki(rsa, rsaKey(Buffer.concat([Buffer.from([0x7f]), modulus.subarray(1)]), exponent)),
    ],
    ['an RSA modulus of 2040 bits', spki(rsa, rsaKey(modulus.subarray(1), exponent))],
    ['an RSA modulus of 8200 bits', spki(rsa, rsaKey(Buffer.alloc(1025, 0xff), exponent))],
    ['an RSA exponent of 3', spki(rsa, rsaKey(modulus, Buffer.from([3])))],
    ['an even RSA exponent', spki(rsa, rsaKey(modulus, Buffer.from([1, 0, 2])))],
    ['an RSA exponent of five octets', spki(rsa, rsaKey(modulus, Buffer.from([1, 0, 0, 0, 1])))],
  ];
  for (const [text, element] of refused) {
    test(`${text} is refused`, () => refusal(withKey(element), 'identity_svid_algorithm', /public key/));
  }
  const malformed: [text: string, element: Uint8Array][] = [
    ['a key with something after it', der.sequence(p256, der.bits(0, point), der.nothing)],
    ['an RSA key with something after it', spki(rsa, Buffer.concat([rsaKey(modulus, exponent), der.nothing]))],
    ['an RSA key with three numbers', spki(rsa, rsaKey(modulus, exponent, der.nothing))],
    ['a negative RSA modulus', spki(rsa, der.sequence(der.tlv(2, modulus.with(0, 0x80)), der.integer(exponent)))],
  ];
  for (const [text, element] of malformed) {
    test(`${text} is refused`, () => refusal(withKey(element), 'identity_svid_malformed', /./));
  }
  test('an algorithm that is not accepted leaves the certificate readable: an anchor may have it', () => {
    const leaf = parse({ signWith: newKeys('ed25519').privateKey });
    assert.ok(leaf instanceof Certificate);
    assert.equal(leaf.algorithm, null);
  });
});

test('no flipped bit and no cut makes the parser throw', () => {
  const { der: bytes } = ca.svid(ID, { dns: ['a.example'] });
  for (let i = 0; i < bytes.length; i++) {
    Certificate.parse(flipBit(bytes, i));
    Certificate.parse(bytes.subarray(0, i));
  }
});

/** The elements of a SEQUENCE. */
function elements(bytes: Uint8Array): Uint8Array[] {
  const list: Uint8Array[] = [];
  let at = headerLength(bytes);
  while (at < bytes.length) {
    const rest = bytes.subarray(at);
    const size = headerLength(rest) + contentLength(rest);
    list.push(rest.subarray(0, size));
    at += size;
  }
  return list;
}

function headerLength(bytes: Uint8Array): number {
  return bytes[1]! < 0x80 ? 2 : 2 + (bytes[1]! & 0x7f);
}

function contentLength(bytes: Uint8Array): number {
  if (bytes[1]! < 0x80) return bytes[1]!;
  return Buffer.from(bytes).readUIntBE(2, bytes[1]! & 0x7f);
}

function insertBeforeExtensions(tbs: Uint8Array, element: Uint8Array): Uint8Array {
  const parts = elements(tbs);
  return der.sequence(...parts.slice(0, 7), element, ...parts.slice(7));
}

function appendToExtensions(tbs: Uint8Array, element: Uint8Array): Uint8Array {
  const parts = elements(tbs);
  const [list] = elements(parts[7]!) as [Uint8Array];
  return der.sequence(...parts.slice(0, 7), der.explicit(3, list, element));
}

/** A leaf with this extension in place of its own. */
function only(oid: '2.5.29.19', value: Uint8Array): CertificateParts {
  return { ca: null, extensions: [extension(oid, true, value)] };
}

function usage(hex: string): CertificateParts {
  return { keyUsage: null, extensions: [extension('2.5.29.15', true, der.tlv(3, Buffer.from(hex, 'hex')))] };
}

function otherName(...value: readonly Uint8Array[]): Uint8Array {
  return der.explicit(0, der.oid('1.2.3'), ...value);
}

function string(tag: number, hex: string): Uint8Array {
  return der.tlv(tag, Buffer.from(hex, 'hex'));
}

function nameOf(...values: Uint8Array[]): Uint8Array {
  return der.sequence(der.setOf(der.sequence(der.oid('2.5.4.3'), ...values)));
}

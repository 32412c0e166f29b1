import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pem, TestCa, urlEncodedPem } from '../../test/support/ca.ts';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { decodePemText, readCertificates, readPem } from './certificate-pem.ts';

const NOW = Date.UTC(2026, 10, 25);
const ca = TestCa.root('prod.example', { now: NOW });
const bytes = ca.certificate.der;
const text = ca.certificate.pem;

/** The octets have a plus and a slash in their base64. */
const awkward = Buffer.from('fbefbefbffffff', 'hex');

test('B19: a plus is a plus, however much of the text is escaped', () => {
  const plain = pem(awkward);
  assert.match(plain, /\+\+\+\/\/\//);
  const onlySpaces = plain.replaceAll(' ', '%20').replaceAll('\n', '%0A');
  for (const encoded of [plain, onlySpaces, encodeURIComponent(plain)]) {
    assert.deepEqual(decodePemText(encoded), [awkward]);
  }
});

test('several blocks are read in their order', () => {
  const other = ca.intermediate().certificate;
  assert.deepEqual(
    decodePemText(urlEncodedPem(other, ca.certificate)),
    [other.der, bytes].map((one) => Buffer.from(one)),
  );
});

test('CRLF and blank lines are read', () => {
  assert.deepEqual(decodePemText(encodeURIComponent(`\r\n${text.replaceAll('\n', '\r\n')}\n`)), [Buffer.from(bytes)]);
});

const body = Buffer.from(bytes).toString('base64');
const wrap = (inner: string, label = 'CERTIFICATE') => `-----BEGIN ${label}-----\n${inner}\n-----END ${label}-----\n`;
const faults: [what: string, encoded: string][] = [
  ['nothing', ''],
  ['a percent sign alone', `${encodeURIComponent(text)}%`],
  ['bytes that are not UTF-8', `%ff${encodeURIComponent(text)}`],
  ['text before the block', `x\n${text}`],
  ['text after the block', `${text}x`],
  ['another label', wrap(body, 'TRUSTED CERTIFICATE')],
  ['a private key', wrap(body, 'PRIVATE KEY')],
  ['a request for a certificate', wrap(body, 'CERTIFICATE REQUEST')],
  ['labels that differ', text.replace('END CERTIFICATE', 'END X509 CRL')],
  ['a block within a block', text.replace('-----\n', '-----\n-----BEGIN CERTIFICATE-----\n')],
  ['an end without a beginning', `-----END CERTIFICATE-----\n${text}`],
  ['two ends', text.replace('BEGIN', 'END')],
  ['two beginnings', text.replace('END', 'BEGIN')],
  ['a block that does not end', text.replace(/-----END.*\n/, '')],
  ['a second block that does not end', `${text}-----BEGIN CERTIFICATE-----\n`],
  ['a broken boundary', text.replace('-----BEGIN', '----BEGIN')],
  ['a boundary in lower case', `-----begin x-----\n${text}`],
  ['a header inside the block', wrap(`Proc-Type: 4\n\n${body}`)],
  ['a space in the base64', wrap(`${body.slice(0, 8)} ${body.slice(8)}`)],
  ['base64url', wrap('-_-_')],
  ['bits beyond the last octet', wrap('AB==')],
  ['no padding', wrap('AAA')],
  ['an empty block', wrap('')],
  ['more than 64 KiB', text + '\n'.repeat(65_537)],
  ['18 certificates', text.repeat(18)],
];
for (const [what, encoded] of faults) {
  test(`${what} is refused`, () => {
    const got = decodePemText(encoded);
    assert.ok(got instanceof Refusal);
    assert.equal(got.reason, 'identity_svid_encoding');
  });
}

test('17 certificates are read', () => {
  const short = pem(awkward);
  assert.equal((decodePemText(encodeURIComponent(short.repeat(17))) as readonly Uint8Array[]).length, 17);
});

test('a file may explain itself between the blocks, but not within', () => {
  assert.equal((readPem(`# root of 2026\n${text}subject=CN = x\n${text}`, true) as readonly Uint8Array[]).length, 2);
  assert.ok(readPem(text.replace('-----\n', '-----\nsubject=CN = x\n'), true) instanceof Fault);
  assert.ok(readPem(`-----BEGIN\n${text}`, true) instanceof Fault);
});

const crl = wrap(body, 'X509 CRL');
for (const [what, file] of [
  ['blanks at the end of a boundary', text.replaceAll('-----\n', '----- \t\n')],
  ['blanks at the end of a line of base64', text.replaceAll('\n', ' \n')],
  ['lines that end in CR', text.replaceAll('\n', '\r')],
  ['lines that end in CRLF', text.replaceAll('\n', '\r\n')],
  ['a byte order mark', `\ufeff${text}`],
  ['a revocation list before it', `${crl}${text}`],
  ['a revocation list behind it', `${text}${crl}`],
] as const) {
  test(`a file is read with ${what}, and the text of a request is not taken so where a proxy never writes it`, () => {
    assert.deepEqual(readPem(file, true), [Buffer.from(bytes)]);
    if (what.includes('CRLF')) return;
    assert.ok(decodePemText(encodeURIComponent(file)) instanceof Refusal);
  });
}

test('a file of revocation lists alone holds no certificate, and a key or mixed labels are refused', () => {
  for (const file of [
    crl,
    `${text}${wrap(body, 'PRIVATE KEY')}`,
    crl.replace('END X509 CRL', 'END CERTIFICATE'),
    `${text}${crl.replace(/-----END.*/, '')}`,
    text.replaceAll('-----\n', '-----\u00a0\n'),
    `${text} -----BEGIN CERTIFICATE-----x`.replace(' -----BEGIN', '-----BEGIN'),
  ])
    assert.ok(readPem(file, true) instanceof Fault, file);
});

test('each certificate of a configured file must be readable', () => {
  assert.equal((readCertificates(text + text) as readonly unknown[]).length, 2);
  const got = readCertificates(text + pem(awkward));
  assert.ok(got instanceof Fault);
  assert.match(got.detail, /^certificate 2: /);
  assert.ok(readCertificates('') instanceof Fault);
});

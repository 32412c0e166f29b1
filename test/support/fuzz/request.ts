import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Refusal } from '../../../src/base/outcome.ts';
import { plainNumber } from '../../../src/check/recall.ts';
import { decodeCheck } from '../../../src/envoy/messages.ts';
import { readRequest } from '../../../src/envoy/request.ts';
import { guardHeaders } from '../../../src/http/guard.ts';
import { canonicalAddress, canonicalHost } from '../../../src/http/host.ts';
import type { CheckInput, XfccElement } from '../../../src/http/input.ts';
import { readTarget } from '../../../src/http/path.ts';
import { parseXfcc } from '../../../src/http/xfcc.ts';
import { readDeclared } from '../../../src/task/declared.ts';
import { authorities, requestShapes, targets, xfccValues } from '../arbitraries.ts';
import { TestCa, urlEncodedPem } from '../ca.ts';
import { checkBytes, requestOptions } from '../check-request.ts';
import { headersOf } from '../task-world.ts';
import { mutatedBytes, mutatedText } from './mutations.ts';
import { type Parser, parser } from './parser.ts';

const svid = TestCa.root('prod.example').svid('spiffe://prod.example/ns/payments/sa/ledger');
const pathOptions = { mergeSlashes: true, bangIsReplacement: false };
const read = (bytes: Uint8Array) => readRequest(decodeCheck(bytes), { checkPeer: null }, requestOptions);

/** What reads a CheckRequest: nothing of it is trusted. */
export const requestParsers: readonly Parser[] = [
  parser('request', requestShapes.map(checkBytes), read, isRequest),
  parser(
    'request bytes',
    mutatedBytes([
      checkBytes({ path: '/api/invoices/42?a=b', headers: { accept: '*/*' } }),
      checkBytes({ headers: { 'x-forwarded-client-cert': `Cert="${urlEncodedPem(svid)}"` }, form: 'headers' }),
    ]),
    read,
    isRequest,
  ),
  parser(
    'path',
    fc.oneof(targets, mutatedText(['/api/invoices/42?full=1'], ['%2e', '%', '/', '..', ';', '\\', '%CC%81', 'é'])),
    (target) => readTarget(target, pathOptions),
    (target, text) => {
      if (target instanceof Refusal) return false;
      assert.equal(target.rawPath + (target.query === null ? '' : `?${target.query}`), text);
      assert.doesNotMatch(target.path, /[%\\\u0000-\u001f\u007f-\u009f]|\/\/|\/\.{1,2}(?:\/|$)/);
      const again = readTarget(target.path.split('/').map(encodeURIComponent).join('/'), pathOptions);
      assert.equal(
        again instanceof Refusal ? again.detail : again.path,
        target.path,
        'read again, it is the same path',
      );
      return true;
    },
  ),
  parser(
    'host',
    authorities,
    (authority) => canonicalHost(authority, 'https'),
    (host) => {
      if (host instanceof Refusal) return false;
      assert.equal(canonicalHost(host, 'https'), host, 'the canonical form is its own');
      return true;
    },
  ),
  parser(
    'address',
    fc.oneof(fc.ipV4(), fc.ipV6(), mutatedText(['::ffff:10.0.0.9', '2001:db8::1'], [':', '::', '.', '0', '%eth0'])),
    canonicalAddress,
    (address) => {
      if (address === null) return false;
      assert.equal(canonicalAddress(address), address, 'the canonical form is its own');
      return true;
    },
  ),
  parser('xfcc', fc.array(xfccValues, { maxLength: 3 }), (values) => parseXfcc(values), isXfcc),
  parser(
    'xfcc, long',
    mutatedText(
      [
        `By=spiffe://a/b;Hash=00;Cert="${urlEncodedPem(svid)}";URI=spiffe://a/c`,
        'By=spiffe://a/b;Hash=00;Subject="CN=\\"a\\",O=b";URI=spiffe://a/c;DNS=a.example,Hash=11;Chain="x";DNS=b;DNS=c',
      ],
      ['"', '\\"', '\\', ';', ',', '='],
    ).map((value) => [value]),
    (values) => parseXfcc(values),
    isXfcc,
  ),
  parser(
    'declared task',
    fc.dictionary(
      fc.constantFrom('x-task-id', 'x-task-purpose'),
      fc.oneof(
        mutatedText(['t-42', 'reconcile-invoices'], [' ', '%', '\u0000', 'é', ',', '\ufffd']),
        fc.array(fc.string(), { maxLength: 2 }),
      ),
    ),
    (values) => {
      const headers = headersOf(values);
      const guarded = guardHeaders(headers, ['x-task-id', 'x-task-purpose'], false);
      return guarded ?? readDeclared(headers, { id: 'x-task-id', purpose: 'x-task-purpose' });
    },
    (declared, values) => {
      if (declared === null || declared instanceof Refusal) return false;
      assert.deepEqual([declared.id, declared.purpose], [values['x-task-id'], values['x-task-purpose']].flat());
      return true;
    },
  ),
  parser(
    'number in a header',
    fc.oneof(fc.integer().map(String), fc.double().map(String), mutatedText(['1042'], ['-', '+', '.', 'e', '0', ' '])),
    plainNumber,
    (number, text) => {
      if (number === null) return false;
      assert.equal(String(number), text);
      return true;
    },
  ),
];

function isRequest(input: CheckInput | Refusal): boolean {
  if (input instanceof Refusal) return false;
  assert.match(input.path, /^\/(?!.*\/\/)/s);
  assert.equal(canonicalHost(input.host, input.scheme), input.host);
  for (const name of input.headers.names) assert.equal(name, name.toLowerCase());
  return true;
}

function isXfcc(elements: readonly XfccElement[] | Refusal): boolean {
  if (elements instanceof Refusal) return false;
  // An empty text is no value of these four, and a header without elements is none.
  if (elements.length > 0) assert.deepEqual(parseXfcc([elements.map(written).join(',')], 2 ** 20), elements);
  return true;
}

/** An element as Envoy writes it. */
function written({ by, hash, cert, chain, subject, uri, dns }: XfccElement): string {
  const one = (key: string, value: string | null) => (value === null ? [] : [`${key}=${quotedIfNeeded(value)}`]);
  const pairs = [
    ...by.flatMap((value) => one('By', value)),
    ...one('Hash', hash),
    ...one('Cert', cert),
    ...one('Chain', chain),
    ...one('Subject', subject),
    ...one('URI', uri),
    ...dns.flatMap((value) => one('DNS', value)),
  ];
  return pairs.length === 0 ? 'Unknown=' : pairs.join(';');
}

const quotedIfNeeded = (value: string): string => (/[,;="]/.test(value) ? `"${value.replaceAll('"', '\\"')}"` : value);

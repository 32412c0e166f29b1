import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { requestShapes, xfccValues } from '../../test/support/arbitraries.ts';
import { checkBytes, received, requestOptions } from '../../test/support/check-request.ts';
import { Refusal } from '../base/outcome.ts';
import { canonicalHost } from '../http/host.ts';
import type { CheckInput, XfccElement } from '../http/input.ts';
import { readTarget } from '../http/path.ts';
import { parseXfcc } from '../http/xfcc.ts';
import { decodeCheck } from './messages.ts';
import { readRequest } from './request.ts';

const read = (message: ReturnType<typeof received>): CheckInput | Refusal =>
  readRequest(message, { checkPeer: null }, requestOptions);

test('whatever Envoy could send is read or refused, and what is read has one reading', () => {
  fc.assert(
    fc.property(requestShapes, fc.boolean(), (shape, mergeSlashes) => {
      const input = readRequest(received(shape), { checkPeer: null }, { ...requestOptions, mergeSlashes });
      if (input instanceof Refusal) return;
      assert.match(input.path, /^\/(?!.*\/\/)[^\\%\u0000-\u001f\u007f-\u009f]*$/s);
      assert.ok(!input.path.split('/').some((segment) => segment === '.' || segment === '..'));
      assert.equal(canonicalHost(input.host, ''), input.host);
      for (const name of ['authorization', 'dpop', 'txn-token', ...requestOptions.singleHeaders]) {
        assert.ok(input.headers.all(name).length <= 1 && !input.headers.unclean.has(name));
      }
    }),
  );
});

test('no bytes make the reader throw', () => {
  const damaged = fc
    .tuple(requestShapes, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
    .map(([shape, changes]) => {
      const bytes = Uint8Array.from(checkBytes(shape));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => void read(decodeCheck(bytes))),
  );
});

test('a canonical path, encoded again, is the same path', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 4 }), (segments) => {
      const options = { mergeSlashes: false, bangIsReplacement: false };
      const once = readTarget(`/${segments.map(encodeURIComponent).join('/')}`, options);
      if (once instanceof Refusal) return;
      const again = readTarget(once.path.split('/').map(encodeURIComponent).join('/'), options);
      assert.equal(again instanceof Refusal ? again.reason : again.path, once.path);
    }),
  );
});

test('whatever XFCC holds is scanned or refused', () => {
  fc.assert(
    fc.property(fc.array(xfccValues, { maxLength: 3 }), (values) => {
      const elements = parseXfcc(values);
      if (elements instanceof Refusal) return;
      assert.ok(elements.length <= 16 && elements.length >= values.length);
    }),
  );
});

test('what Envoy writes is read back, whatever the Subject holds', () => {
  const bare = fc.stringMatching(/^[a-z0-9:/._-]+$/);
  const quoted = fc.string({ unit: fc.constantFrom('a', ',', ';', '=', '"', 'URI=', ' ') });
  const elements: fc.Arbitrary<XfccElement> = fc.record(
    {
      by: fc.array(bare, { maxLength: 2 }),
      hash: bare,
      cert: bare,
      chain: fc.constant(null),
      subject: quoted,
      uri: bare,
      dns: fc.array(bare, { maxLength: 2 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(elements, { minLength: 1, maxLength: 4 }), (written) => {
      assert.deepEqual(parseXfcc([written.map(write).join(',')]), written);
    }),
  );
});

function write({ by, hash, cert, subject, uri, dns }: XfccElement): string {
  const pairs = [
    ...by.map((value) => `By=${value}`),
    `Hash=${hash}`,
    `Cert="${cert}"`,
    `Subject="${subject?.replaceAll('"', '\\"')}"`,
    `URI=${uri}`,
    ...dns.map((value) => `DNS=${value}`),
  ];
  return pairs.join(';');
}

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import { type RequestShape, received, requestOptions } from '../../test/support/check-request.ts';
import { Refusal } from '../base/outcome.ts';
import { readRequest } from '../envoy/request.ts';
import { seenBody } from './body.ts';

const BYTES = Buffer.from([0x7b, 0x00, 0xff, 0x7d]);
const ROUTE = { context_extensions: { body: '8' } };
const whole = { 'x-envoy-auth-partial-body': 'false', 'content-length': '4' };

interface Sent extends RequestShape {
  readonly bytes?: Uint8Array;
}

const seen = ({ bytes = BYTES, ...shape }: Sent) => {
  const input = readRequest(
    received({ method: 'POST', attributes: ROUTE, headers: whole, http: { raw_body: bytes }, ...shape }),
    { checkPeer: null },
    requestOptions,
  );
  assert.ok(!(input instanceof Refusal));
  return seenBody(input);
};
const sha256 = (bytes: Uint8Array) => hash('sha256', bytes, 'base64url');

suite('a body is seen whole', () => {
  test('that is shorter than the route states, and as long as it says', () => {
    assert.deepEqual(seen({}), { bytes: BYTES, sha256: sha256(BYTES) });
    const seven = Buffer.alloc(7);
    assert.deepEqual(seen({ bytes: seven, headers: { ...whole, 'content-length': '7' } }), {
      bytes: seven,
      sha256: sha256(seven),
    });
  });

  test('without content-length, where Envoy says so', () => {
    const headers = { 'x-envoy-auth-partial-body': 'false' };
    assert.deepEqual(seen({ headers }), { bytes: BYTES, sha256: sha256(BYTES) });
    assert.deepEqual(seen({ headers: { ...headers, 'transfer-encoding': 'chunked' } }), seen({}));
  });

  test('and there is none where Envoy sends none', () => {
    for (const headers of [
      {},
      { 'content-length': '0' },
      { upgrade: 'websocket' },
      { ...whole, 'content-length': '0' },
    ])
      assert.equal(seen({ bytes: Buffer.alloc(0), headers }), null, JSON.stringify(headers));
  });
});

const limited = (limit: string) => ({ attributes: { context_extensions: { body: limit } } });
const flag = (value: string | readonly string[]) => ({ headers: { ...whole, 'x-envoy-auth-partial-body': value } });
const EMPTY = Buffer.alloc(0);
const cases: readonly (readonly [string, Sent, RegExp])[] = [
  ['on a route that states nothing', { attributes: {} }, /the route does not state/],
  ['on a route that states no number', limited('8KiB'), /the route does not state/],
  ['on a route that states a negative number', limited('-8'), /the route does not state/],
  ['on a route whose limit is what it holds', limited('4'), /it holds 4 bytes or more/],
  ['on a route whose limit is less', limited('3'), /it holds 3 bytes or more/],
  ['of which Envoy sent a part', flag('true'), /longer than the 8 bytes/],
  ['of which Envoy says something else', flag('FALSE'), /longer than the 8 bytes/],
  ['of which Envoy says two things', flag(['false', 'false']), /longer than the 8 bytes/],
  ['that is sent as text', { http: { body: '{}' } }, /pack_as_bytes/],
  [
    'that is shorter than content-length',
    { headers: { ...whole, 'content-length': '5' } },
    /content-length is 5, .* 4/,
  ],
  ['that is longer than content-length', { headers: { ...whole, 'content-length': '3' } }, /content-length is 3, .* 4/],
  ['with two lengths', { headers: { ...whole, 'content-length': ['4', '4'] } }, /is no length/],
  ['with a length in another form', { headers: { ...whole, 'content-length': '+4' } }, /is no length/],
  ['that Envoy keeps, with a length', { bytes: EMPTY, headers: { 'content-length': '4' } }, /did not send it/],
  ['that Envoy keeps, in chunks', { bytes: EMPTY, headers: { 'transfer-encoding': 'chunked' } }, /did not send it/],
  ['that Envoy sends, and says nothing', { headers: { 'content-length': '4' } }, /did not send it/],
  ['that is missing', { bytes: EMPTY }, /content-length is 4, .* 0 bytes/],
];

suite('a body is not seen whole', () => {
  for (const [what, shape, why] of cases)
    test(what, () => {
      const refusal = seen(shape);
      assert.ok(refusal instanceof Refusal, 'it was seen');
      assert.equal(refusal.reason, 'approval_body_unseen');
      assert.match(refusal.detail, why);
    });
});

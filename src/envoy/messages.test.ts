import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckResponseMessage } from './api.ts';
import { authorization, decodeCheck, toStruct } from './messages.ts';

const encode = (message: object): Uint8Array => authorization.Check.requestSerialize(message);

/** What Envoy would read of an answer. */
function asEnvoyReads(response: CheckResponseMessage): unknown {
  return authorization.Check.responseDeserialize(authorization.Check.responseSerialize(response));
}

test('a request keeps the names of the API, and what is absent is null', () => {
  const http = { method: 'GET', path: '/a', headers: { 'x-a': 'b' }, size: 7 };
  const read = decodeCheck(encode({ attributes: { request: { http } } })).request?.attributes;
  assert.equal(read?.request?.http?.path, '/a');
  assert.deepEqual({ ...read?.request?.http?.headers }, { 'x-a': 'b' });
  assert.equal(read?.request?.http?.header_map, null);
  assert.equal(read?.request?.http?.size, '7');
  assert.equal(read?.source, null);
});

test('B05: a message of zero bytes is read, with no attributes', () => {
  assert.equal(decodeCheck(new Uint8Array()).request?.attributes, null);
});

test('unknown fields are tolerated, so that a newer Envoy is understood', () => {
  const unknownField = Uint8Array.of(0xfa, 0x01, 0x03, 0x61, 0x62, 0x63); // field 31, three bytes
  const bytes = Buffer.concat([encode({ attributes: { source: { principal: 'p' } } }), unknownField]);
  assert.equal(decodeCheck(bytes).request?.attributes?.source?.principal, 'p');
});

test('B06: what is not protobuf becomes a value with a fault, never a throw', () => {
  const good = encode({ attributes: { source: { principal: 'p' } } });
  assert.notEqual(decodeCheck(good).request, null);
  for (const bytes of [good.subarray(0, -1), Uint8Array.of(0x0a, 0xff), Buffer.alloc(40, 0xff)]) {
    const read = decodeCheck(bytes);
    assert.equal(read.request, null);
    assert.ok('fault' in read && read.fault !== '');
  }
});

test('nesting of any depth is a value, never a throw', () => {
  let value: Uint8Array = new Uint8Array();
  for (let depth = 0; depth < 5000; depth++) value = field(6, field(1, value)); // Value.list_value.values
  const metadata = field(1, field(2, field(1, field(2, value))));
  assert.equal(decodeCheck(field(1, field(11, metadata))).request, null);
});

test('dynamic metadata reaches the wire with its values', () => {
  const read = asEnvoyReads({
    status: { code: 7 },
    denied_response: { status: { code: 403 }, headers: [], body: '' },
    dynamic_metadata: toStruct({ decision: 'd-1', seq: 4, shadowed: false }),
  }) as { dynamic_metadata: unknown };
  assert.deepEqual(read.dynamic_metadata, {
    fields: { decision: { stringValue: 'd-1' }, seq: { numberValue: 4 }, shadowed: { boolValue: false } },
  });
});

test('B01: a denial carries its status and its body over the wire', () => {
  const read = asEnvoyReads({
    status: { code: 7, message: 'm' },
    denied_response: { status: { code: 403 }, headers: [], body: 'no' },
  }) as { status: { code: number }; denied_response: { status: { code: number }; body: string } };
  assert.equal(read.status.code, 7);
  assert.equal(read.denied_response.status.code, 403);
  assert.equal(read.denied_response.body, 'no');
});

/** One length-delimited protobuf field. */
function field(number: number, content: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = content.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Buffer.concat([Uint8Array.of((number << 3) | 2), Uint8Array.from(length), content]);
}

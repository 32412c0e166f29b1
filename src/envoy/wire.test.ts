import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { checkBytes } from '../../test/support/check-request.ts';
import { Refusal, reasons } from '../base/outcome.ts';
import { refused } from '../check/answer.ts';
import type { CheckRequest, CheckResponseMessage } from './api.ts';
import { authorization, decodeByLibrary, decodeCheck, encodeByLibrary, toStruct } from './messages.ts';
import { encodeAnswer } from './response.ts';
import { readCheckRequest } from './wire-request.ts';
import { writeCheckResponse } from './wire-response.ts';

/** What the product reads of a request, in one form. */
function told(request: CheckRequest | null): unknown {
  const attributes = request?.attributes ?? null;
  if (attributes === null) return null;
  const http = attributes.request?.http ?? null;
  const peer = (of: typeof attributes.source) =>
    of && [of.address?.socket_address?.address ?? null, of.service, of.principal, of.certificate];
  return {
    source: peer(attributes.source),
    destination: peer(attributes.destination),
    extensions: Object.entries(attributes.context_extensions),
    metadata: [attributes.metadata_context, attributes.route_metadata_context].map(
      (one) => one && Object.entries(one.filter_metadata),
    ),
    sni: attributes.tls_session?.sni ?? null,
    http: http && {
      texts: [http.id, http.method, http.path, http.host, http.scheme, http.query, http.fragment, http.size],
      more: [http.protocol, http.body, Buffer.from(http.raw_body).toString('hex')],
      headers: Object.entries(http.headers),
      raw: http.header_map?.headers.map(({ key, value, raw_value: raw }) => [
        key,
        value,
        raw.length,
        raw.toString('utf8'),
      ]),
    },
  };
}

/** What the library reads, or why it does not. */
function byLibrary(bytes: Buffer): { readonly read: unknown } | null {
  try {
    return { read: told(decodeByLibrary(bytes)) };
  } catch {
    return null;
  }
}

/** Reads in both ways, which must not differ; whether our own way read it. */
function readAlike(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes);
  const own = readCheckRequest(buffer);
  const library = byLibrary(buffer);
  if (own !== null) assert.deepEqual({ read: told(own) }, library, buffer.toString('hex'));
  const { request } = decodeCheck(bytes);
  assert.deepEqual(request === null ? null : { read: told(request) }, library, buffer.toString('hex'));
  return own !== null;
}

const varint = (n: number): Buffer => {
  const bytes: number[] = [];
  for (let rest = n; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
};
/** A varint with more bytes than it needs. */
const longVarint = (n: number): Buffer => {
  const short = [...varint(n)];
  return Buffer.from([...short.slice(0, -1), short.at(-1)! | 0x80, 0x80, 0x00]);
};
const field = (number: number, content: Uint8Array): Buffer =>
  Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);

const word = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom('', ':path', 'cookie', '__proto__', 'constructor', '7', '\ufffd', 'é', '\u{1f600}', 'x'.repeat(200)),
);
const content = fc.oneof(
  word.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(Buffer.from([0xff, 0xfe]), Buffer.from([0xc3]), Buffer.from([0xed, 0xa0, 0x80])),
);
const anyNumber = fc.oneof(
  fc.nat(300),
  fc.constantFrom(2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 34, 2 ** 41, 2 ** 52),
);
/** Varints at and beyond the most bytes that one may have. */
const longest = fc
  .tuple(fc.constantFrom(1, 2, 3, 9), fc.constantFrom(8, 9, 10, 11))
  .map(([n, more]) => Buffer.from([n * 8, ...new Array<number>(more).fill(0x80), 0x01]));
type Part = fc.Arbitrary<Buffer>;
const part = (number: number, of: Part): Part => of.map((bytes) => field(number, bytes));
const numeric = (number: number): Part => anyNumber.map((n) => Buffer.concat([varint(number * 8), varint(n)]));
const repeated = (of: Part): Part => fc.array(of, { maxLength: 4 }).map((parts) => Buffer.concat(parts));

/** One field of any number and wire type, well made or not. */
const anyField = (numbers: readonly number[]): Part => {
  const number = fc.oneof(fc.constantFrom(...numbers), fc.nat(40));
  const made = (of: (number: number, bytes: Buffer) => Buffer): Part =>
    fc.tuple(number, content).map((two) => of(...two));
  return fc.oneof(
    made((n, bytes) => field(n, bytes)),
    made((n, bytes) => Buffer.concat([longVarint(n * 8 + 2), longVarint(bytes.length), bytes])),
    // A length that is not what follows.
    made((n, bytes) => Buffer.concat([varint(n * 8 + 2), varint(bytes.length + 1), bytes])),
    fc.tuple(number, anyNumber).map(([n, v]) => Buffer.concat([varint(n * 8), varint(v)])),
    number.map((n) => Buffer.concat([varint(n * 8 + 1), Buffer.alloc(8)])),
    number.map((n) => Buffer.concat([varint(n * 8 + 5), Buffer.alloc(4)])),
    // A group, with its end and without.
    number.map((n) => Buffer.concat([varint(n * 8 + 3), varint(n * 8 + 4)])),
    number.map((n) => varint(n * 8 + 3)),
    fc.constant(Buffer.from([0x48, ...new Array<number>(9).fill(0xff), 0x01])),
    longest,
  );
};

/**
 * Each of the parts or none of it, in order or backwards, and now and then one that is odd, or there twice: were that more
 * often so, nothing that holds others would ever be whole.
 */
const message = (numbers: readonly number[], ...parts: readonly Part[]): Part => {
  const none = Buffer.alloc(0);
  const odd = fc.oneof(anyField(numbers), ...parts);
  return fc
    .tuple(
      fc.tuple(...parts.map((one) => fc.option(one, { nil: none }))),
      fc.oneof({ weight: 40, arbitrary: fc.constant(none) }, { weight: 1, arbitrary: odd }),
      fc.boolean(),
    )
    .map(([some, one, backwards]) => Buffer.concat(backwards ? [one, ...some.toReversed()] : [...some, one]));
};

const entry = message([1, 2], part(1, content), part(2, content));
const headerValue = message([1, 2, 3], part(1, content), part(2, content), part(3, content));
const headerMap = message([1], repeated(part(1, headerValue)));
const texts = [1, 2, 4, 5, 6, 7, 8, 10, 11];
const http = message(
  [...texts, 3, 9, 12, 13],
  ...[...texts, 12].map((number) => part(number, content)),
  repeated(part(3, entry)),
  numeric(9),
  part(13, headerMap),
);
const timestamp = message([1, 2, 3], numeric(1), numeric(2));
const socketAddress = message([1, 2, 3, 4, 5, 6], numeric(1), part(2, content), numeric(3));
const address = message([1, 2, 3], part(1, socketAddress));
const peer = message([1, 2, 3, 4, 5], part(1, address), part(2, content), part(4, content), part(5, content));
const metadata = message([1, 2], fc.oneof({ weight: 9, arbitrary: fc.constant(Buffer.alloc(0)) }, part(1, entry)));
const attributes = message(
  [1, 2, 4, 10, 11, 12, 13],
  part(1, peer),
  part(2, peer),
  part(4, message([1, 2], part(1, timestamp), part(2, http))),
  repeated(part(10, entry)),
  part(11, metadata),
  part(12, message([1], part(1, content))),
  part(13, metadata),
);
const anyMessage = message([1], part(1, attributes));

suite('the reader of our own', () => {
  test('takes what Envoy writes, in both forms of headers', () => {
    for (const form of ['headers', 'header_map'] as const) {
      const bytes = checkBytes({
        form,
        path: '/a?b=c',
        headers: { cookie: 'a=b', 'x-odd': Buffer.from([0xff, 0x41]), 'x-e': 'é' },
        http: { size: '17', time: null },
        attributes: {
          source: { address: { socket_address: { address: '10.0.0.1', port_value: 40_000 } }, principal: 'p' },
          destination: { address: { socket_address: { address: '::1', port_value: 443 } }, service: 's' },
          context_extensions: { a: 'b', c: '' },
          metadata_context: {},
          route_metadata_context: {},
          tls_session: { sni: 'payments.internal' },
        },
      });
      assert.ok(readAlike(bytes), form);
    }
    assert.ok(readAlike(checkBytes()));
    assert.ok(readAlike(new Uint8Array()));
  });

  test('reads what the library reads, and leaves to it what is odd', () => {
    let [own, all] = [0, 0];
    const property = fc.property(anyMessage, (bytes) => {
      all++;
      if (readAlike(bytes)) own++;
    });
    fc.assert(property, { numRuns: 5000 });
    // Neither of the two ways is rare.
    assert.ok(own > all / 10 && own < all * 0.9, `${own} of ${all}`);
  });

  test('reads a good message alike that was cut, or changed in any byte', () => {
    const bytes = Buffer.from(
      checkBytes({
        headers: { authorization: 'Bearer x', cookie: ['a', 'b'] },
        attributes: { source: { principal: 'p', certificate: 'c'.repeat(300) }, context_extensions: { a: 'b' } },
      }),
    );
    assert.ok(readAlike(bytes));
    for (let end = 0; end < bytes.length; end++) readAlike(bytes.subarray(0, end));
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [0x00, 0x01, 0x7f, 0x80, 0xff, bytes[at]! ^ 0x08, bytes[at]! + 1]) {
        const changed = Buffer.from(bytes);
        changed[at] = change;
        readAlike(changed);
      }
    }
  });

  test('holds nothing of the message in the texts that it reads', () => {
    const bytes = Buffer.from(checkBytes({ path: '/secret' }));
    const read = readCheckRequest(bytes);
    bytes.fill(0);
    assert.equal(read?.attributes?.request?.http?.path, '/secret');
  });
});

/** Writes in both ways, which must not differ; whether our own way wrote it. */
function writtenAlike(response: CheckResponseMessage): boolean {
  const own = writeCheckResponse(response);
  const library = encodeByLibrary(response);
  if (own !== null) assert.equal(own.toString('hex'), library.toString('hex'), JSON.stringify(response));
  assert.equal(authorization.Check.responseSerialize(response).toString('hex'), library.toString('hex'));
  return own !== null;
}

const reference = { decision: '019aaf5c-0000-7000-8000-000000000000', seq: 4711, hash: `sha256:${'0f'.repeat(32)}` };

suite('the writer of our own', () => {
  test('writes every denial as the library does', () => {
    for (const reason of Object.keys(reasons) as (keyof typeof reasons)[]) {
      const challenge = ['www-authenticate', 'Bearer realm="a", error="invalid_token"'] as const;
      const refusal = new Refusal(reason, 'detail', [challenge, challenge]);
      for (const seq of [null, 1, 2 ** 40]) {
        const answer = { decided: refused(refusal), reference: { ...reference, seq } };
        assert.ok(writtenAlike(encodeAnswer(answer, assert.fail)), reason);
      }
    }
  });

  test('writes any response as the library does', () => {
    const text = fc.oneof(
      { weight: 40, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 200 }) },
      { weight: 3, arbitrary: fc.constantFrom('', 'a'.repeat(20_000)) },
      { weight: 1, arbitrary: fc.constantFrom('é', '\u{1f600}', '\ud800') },
    );
    const option = fc.record({
      header: fc.record({ key: text, value: text }),
      append: fc.record({ value: fc.boolean() }),
      append_action: fc.constantFrom(0, 2),
      keep_empty_value: fc.boolean(),
    });
    const options = fc.array(option, { maxLength: 4 });
    const dynamic_metadata = fc
      .dictionary(text, fc.oneof(text, fc.boolean(), fc.double(), fc.integer()), { maxKeys: 5 })
      .map(toStruct);
    const status = fc.record({ code: fc.integer({ min: 0, max: 16 }), message: text });
    const removed = fc.array(text, { maxLength: 4 }).map((names) => Object.freeze(names));
    const ok_response = fc.record({ headers: options, headers_to_remove: removed, response_headers_to_add: options });
    const http = fc.record({ code: fc.constantFrom(401, 403, 503) });
    const denied_response = fc.record({ status: http, headers: options, body: text });
    const response: fc.Arbitrary<CheckResponseMessage> = fc.oneof(
      fc.record({ status, ok_response, dynamic_metadata }),
      fc.record({ status, denied_response, dynamic_metadata }),
    );
    let own = 0;
    const property = fc.property(response, (one) => {
      if (writtenAlike(one)) own++;
    });
    fc.assert(property, { numRuns: 1000 });
    assert.ok(own > 200, `${own}`);
  });

  test('writes a list of names as it stands, each time', () => {
    const names = ['a'];
    const response = (): CheckResponseMessage => ({
      status: { code: 0 },
      ok_response: { headers: [], headers_to_remove: names },
    });
    assert.ok(writtenAlike(response()));
    names.push('b');
    assert.ok(writtenAlike(response()));
    Object.freeze(names);
    assert.ok(writtenAlike(response()) && writtenAlike(response()));
  });
});

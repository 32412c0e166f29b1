import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from './fault.ts';
import { parseExactJson, parseStrictJson, parseStrictJsonBytes } from './strict-json.ts';

/** The same value with ordinary prototypes, to compare with JSON.parse. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function fault(value: unknown): string {
  assert.ok(value instanceof Fault, `expected a fault, got ${JSON.stringify(value)}`);
  return value.detail;
}

test('whatever JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom('', ' ', '\n\t\r '), (text, space) => {
      const read = parseStrictJson(space + text + space);
      if (read instanceof Fault) {
        assert.match(read.detail, /beyond 2\^53-1|lone surrogate/);
      } else {
        assert.deepEqual(plain(read), plain(JSON.parse(text)));
      }
    }),
  );
});

test('text of JSON characters in any order: never a throw, and never more lenient than JSON.parse', () => {
  const char = fc.constantFrom(...'{}[]:,"\\u0d8e1-+.tfn rals', '"a"', '\u0000', '\n');
  fc.assert(
    fc.property(fc.array(char, { maxLength: 24 }), (chars) => {
      const text = chars.join('');
      const read = parseStrictJson(text);
      if (!(read instanceof Fault)) assert.deepEqual(plain(read), plain(JSON.parse(text)));
    }),
    { numRuns: 3000 },
  );
});

test('every prefix of a document is a fault, and does not hang', () => {
  const text = '{"a":[1,-2.5e3,"x\\u0041\\\\",true,null,{"b":"\\""}]}';
  assert.ok(!(parseStrictJson(text) instanceof Fault));
  for (let end = 0; end < text.length; end++) fault(parseStrictJson(text.slice(0, end)));
});

test('a repeated member is a fault at any depth and in any spelling', () => {
  assert.match(fault(parseStrictJson('{"a":1,"b":2,\n "a":1}')), /"a" is repeated at line 2, column 2/);
  assert.match(fault(parseStrictJson('[{"k":{"sub":1,"s\\u0075b":2}}]')), /"sub" is repeated/);
  assert.match(fault(parseStrictJson('{"__proto__":1,"__proto__":2}')), /repeated/);
  assert.deepEqual(plain(parseStrictJson('[{"a":1},{"a":{"a":2}}]')), [{ a: 1 }, { a: { a: 2 } }]);
});

test('nothing is inherited: __proto__ is a member like any other', () => {
  const read = parseStrictJson('{"__proto__":{"admin":true}}') as Record<string, unknown>;
  assert.equal(Object.getPrototypeOf(read), null);
  assert.equal(read.admin, undefined);
  assert.equal(read.toString, undefined);
  assert.deepEqual(Object.keys(read), ['__proto__']);
});

test('what was read cannot be changed', () => {
  const read = parseStrictJson('{"a":[{}]}') as { a: object[] };
  assert.ok(Object.isFrozen(read) && Object.isFrozen(read.a) && Object.isFrozen(read.a[0]));
});

test('nesting is bounded', () => {
  assert.ok(!(parseStrictJson('[[1]]', { maxDepth: 2 }) instanceof Fault));
  assert.match(fault(parseStrictJson('[[[1]]]', { maxDepth: 2 })), /deeper than 2/);
  assert.match(fault(parseStrictJson('{"a":'.repeat(100_000))), /deeper than 32/);
});

test('a lone surrogate is a fault, raw or escaped, in a name too', () => {
  for (const text of ['"\ud800"', '"\\ud800"', '{"\\udc00":1}', '"\\udc00\\ud800"'])
    assert.match(fault(parseStrictJson(text)), /lone surrogate/);
  assert.equal(parseStrictJson('"\\ud83d\\ude00"'), '\u{1f600}');
});

test('an integer beyond 2^53-1 is a fault, or exact, never rounded', () => {
  assert.equal(parseStrictJson('9007199254740991'), 9007199254740991);
  assert.match(fault(parseStrictJson('9007199254740993')), /beyond 2\^53-1 at line 1, column 1/);
  assert.equal(parseExactJson('9007199254740993'), 9007199254740993n);
  assert.equal(parseExactJson('-18446744073709551615'), -18446744073709551615n);
  assert.equal(parseExactJson('7'), 7);
  assert.match(fault(parseExactJson('1'.repeat(41))), /more than 40 digits/);
  assert.match(fault(parseExactJson('1e400')), /no double/);
});

test('a member name begins with a quote', () => {
  for (const text of ['{x":1}', '{1:2}', '{"a":1,}', '{,"a":1}', "{'a':1}"]) fault(parseStrictJson(text));
});

test('bytes: invalid UTF-8 and a byte order mark are faults', () => {
  assert.deepEqual(parseStrictJsonBytes(Buffer.from('["é"]')), ['é']);
  assert.match(fault(parseStrictJsonBytes(Buffer.from([0x22, 0xff, 0x22]))), /UTF-8/);
  assert.match(fault(parseStrictJsonBytes(Buffer.from([0x22, 0xc0, 0x80, 0x22]))), /UTF-8/);
  fault(parseStrictJsonBytes(Buffer.from('\ufeff{}')));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reading } from '../base/fault.ts';
import { DerReader, printable, tags } from './der.ts';

const reader = (hex: string) => new DerReader(Buffer.from(hex, 'hex'));
/** What reading gives, or the fault as text. */
const read = <T>(hex: string, how: (from: DerReader) => T): T | string => reading(() => how(reader(hex)), String);

/** Each fault is one change of a good encoding. */
const encodings: [what: string, how: (from: DerReader) => unknown, good: string, bad: [why: string, hex: string][]][] =
  [
    [
      'an octet string',
      (from) => from.content(tags.octetString, 'it').length,
      '040161',
      [
        ['another tag', '050161'],
        ['nothing at all', ''],
        ['no length', '04'],
        ['a length beyond the end', '040261'],
        ['an indefinite length', '0480610000'],
        ['a length in the long form that fits the short one', '04810161'],
        ['a length of four octets', '048400000001'],
        ['a length that ends early', '0482'],
        ['the constructed form', '2403040161'],
      ],
    ],
    [
      'a long length',
      (from) => from.content(4, 'it').length,
      `048180${'00'.repeat(128)}`,
      [['with a leading zero', `04820080${'00'.repeat(128)}`]],
    ],
    ['any element', (from) => from.any('it').length, '0400', [['a tag of several octets', '1f0100']]],
    [
      'a boolean',
      (from) => from.boolean('it'),
      '0101ff',
      [
        ['true as one', '010101'],
        ['two octets', '0102ffff'],
        ['no octet', '0100'],
      ],
    ],
    ['a flag', (from) => from.flag('it'), '0101ff', [['its default stated', '010100']]],
    [
      'an integer',
      (from) => from.integer('it').length,
      '02020080',
      [
        ['a needless zero', '0202007f'],
        ['a needless sign', '0202ff80'],
        ['no octets', '0200'],
      ],
    ],
    [
      'a small integer',
      (from) => from.smallInteger('it'),
      '02017f',
      [
        ['above 127', '02020080'],
        ['negative', '0201ff'],
      ],
    ],
    [
      'an identifier',
      (from) => from.oid('it'),
      '0603551d0f',
      [
        ['empty', '0600'],
        ['an arc that does not end', '0603551d8f'],
        ['an arc that begins with zero bits', '060455801d0f'],
      ],
    ],
    [
      'a bit string',
      (from) => from.bitString('it').unused,
      '03020780',
      [
        ['without a count', '0300'],
        ['a count of eight', '03020800'],
        ['unused bits without octets', '030107'],
        ['unused bits that are set', '03020781'],
      ],
    ],
  ];

for (const [what, how, good, bad] of encodings) {
  test(`${what} is read`, () => assert.doesNotMatch(String(read(good, how)), /^it /));
  for (const [why, hex] of bad) {
    test(`${what}: ${why} is a fault`, () => assert.match(String(read(hex, how)), /^it /));
  }
}

test('nothing may follow the last element', () => {
  const all = (from: DerReader) => {
    from.content(tags.octetString, 'it');
    from.end('it');
    return 'whole';
  };
  assert.equal(read('040161', all), 'whole');
  assert.equal(read('04016100', all), 'something follows it');
});

test('an optional element is passed over when another stands in its place', () => {
  assert.equal(
    read('0500', (from) => from.enterIf(tags.sequence, 'it')),
    null,
  );
});

test('an element of the wrong tag is not taken whole', () => {
  assert.equal(
    read('3000', (from) => from.whole(tags.sequence, 'it').length),
    2,
  );
  assert.equal(
    read('3100', (from) => from.whole(tags.sequence, 'it').length),
    'it is missing',
  );
});

test('an inner element does not reach beyond its outer one', () => {
  const inner = (from: DerReader) => from.enter(tags.sequence, 'it').content(tags.octetString, 'it').length;
  assert.equal(read('3003040161', inner), 1);
  assert.equal(read('300304026162', inner), 'it ends early');
});

test('printable ASCII is text; control characters, DEL and UTF-8 are not', () => {
  const text = (value: string) =>
    reading(
      () => printable(Buffer.from(value), 'it'),
      () => null,
    );
  assert.equal(text('spiffe://a/b ~'), 'spiffe://a/b ~');
  for (const bad of ['a\0', 'a\n', '\x7f', 'é']) assert.equal(text(bad), null);
});

import fc from 'fast-check';
import * as der from '../der.ts';
import { words } from '../words.ts';

/** One element of DER: octets, or elements. Octet strings that hold elements, as extensions do, are opened too. */
type Element =
  | { readonly tag: number; readonly octets: Uint8Array }
  | { readonly tag: number; readonly parts: Element[] };

/** Basic constraints and key usages that mean something else, and the identifiers of extensions. */
const meaningful = words('30030101ff 3000 3006020100 03020106 03020780 030202fc 551d13 551d0f 551d11 551d1e');

interface Edit {
  readonly kind: 'octets' | 'tag' | 'remove' | 'repeat' | 'swap' | 'other';
  readonly at: number;
  readonly to: number;
  readonly octets: Uint8Array;
  readonly tag: number;
}

const tags = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0x82, 0x86, 0x87, 0xa0, 0xa3,
];

/** DER whose elements were edited and whose lengths are right again: what reads it gets past the outermost element. */
export function mutatedDer(good: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const text = fc.constantFrom('spiffe://prod.example/a', 'spiffe://prod.example//a', '*.a.example', 'a.example\u0000');
  const bits = fc.constantFrom(...meaningful.map((hex) => Buffer.from(hex, 'hex')));
  const edit: fc.Arbitrary<Edit> = fc.record({
    kind: fc.constantFrom('octets', 'octets', 'tag', 'remove', 'repeat', 'swap', 'other'),
    at: fc.nat(),
    to: fc.nat(),
    octets: fc.oneof(
      fc.uint8Array({ maxLength: 24 }),
      bits,
      text.map((value) => Buffer.from(value)),
    ),
    tag: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...tags) }, fc.integer({ min: 0, max: 255 })),
  });
  return fc
    .tuple(fc.constantFrom(...good), fc.array(edit, { maxLength: 3 }))
    .map(([bytes, edits]) => encode(edits.reduce(apply, decode(bytes)!)));
}

function apply(list: Element[], { kind, at, to, octets, tag }: Edit): Element[] {
  const places = placesOf(list);
  if (places.length === 0) return list;
  const [inside, index] = places[at % places.length]!;
  const [other, otherIndex] = places[to % places.length]!;
  const element = inside[index]!;
  switch (kind) {
    case 'octets':
      inside[index] = { tag: element.tag, octets };
      break;
    case 'tag':
      inside[index] = { ...element, tag };
      break;
    case 'remove':
      inside.splice(index, 1);
      break;
    case 'repeat':
      inside.push(structuredClone(element));
      break;
    case 'swap':
      inside[index] = inside[to % inside.length]!;
      break;
    case 'other':
      other[otherIndex] = structuredClone(element);
  }
  return list;
}

function placesOf(list: Element[]): readonly (readonly [Element[], number])[] {
  return list.flatMap((element, index) => [
    [list, index] as const,
    ...('parts' in element ? placesOf(element.parts) : []),
  ]);
}

/** The elements of these bytes, or null when they are none. */
function decode(bytes: Uint8Array): Element[] | null {
  const list: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at++]!;
    const first = bytes[at++] ?? 0xff;
    const size = first < 0x80 ? 0 : first & 0x7f;
    if ((tag & 0x1f) === 0x1f || size > 3 || first === 0x80) return null;
    let length = size === 0 ? first : 0;
    for (let i = 0; i < size; i++) length = length * 256 + (bytes[at++] ?? 0);
    const octets = bytes.subarray(at, at + length);
    if (octets.length !== length) return null;
    at += length;
    const parts = (tag & 0x20) !== 0 || tag === 0x04 ? decode(octets) : null;
    list.push(parts === null || parts.length === 0 ? { tag, octets: Uint8Array.from(octets) } : { tag, parts });
  }
  return list;
}

function encode(list: readonly Element[]): Uint8Array {
  return Buffer.concat(
    list.map((element) => der.tlv(element.tag, 'parts' in element ? encode(element.parts) : element.octets)),
  );
}

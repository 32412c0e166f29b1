import fc from 'fast-check';
import { words } from '../words.ts';

/** The most that a mutated input grows to: what the limits of the product let through, and where a quadratic reader shows. */
const MAX_LENGTH = 64 * 1024;

interface Edit {
  readonly kind: 'put' | 'cut' | 'copy' | 'swell';
  readonly at: number;
  readonly length: number;
  readonly piece: string;
  readonly times: number;
}

export const jsonPieces = [
  ...words('{ } [ ] " : , \\ \\u \\ud800 1e999 9007199254740993 - 0 null "kid": "__proto__":'),
  '\ufeff',
];
export const yamlPieces = [
  ...words('| { [ " \' % --- \n \t'),
  ...['  ', ': ', '- ', '&a ', '*a ', '<<: ', '# ', '!!js ', '? '],
];
export const uriPieces = [...words('spiffe:// https:// / . .. %2e %41 ? # @ : A é'), '\u0000'];

/** Good inputs with a few edits: pieces put in, parts cut out, copied elsewhere, or repeated until the input is large. */
export function mutatedText(good: readonly string[], pieces: readonly string[]): fc.Arbitrary<string> {
  const edit: fc.Arbitrary<Edit> = fc.record({
    kind: fc.constantFrom('put', 'put', 'cut', 'copy', 'swell'),
    at: fc.nat(),
    length: fc.oneof(fc.nat(8), fc.nat(400)),
    piece: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...pieces) }, fc.string({ maxLength: 4, unit: 'binary' })),
    times: fc.oneof({ weight: 4, arbitrary: fc.nat(8) }, fc.nat(20_000)),
  });
  return fc
    .tuple(fc.constantFrom(...good), fc.array(edit, { maxLength: 5 }))
    .map(([text, edits]) => edits.reduce(apply, text));
}

/** The same for bytes. */
export function mutatedBytes(good: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const bytePieces = words('\u0000 \u0080 \u0081\u0080 \u0030\u0080 \u0030\u0000 \u00a3\u0003 \u00ff \u0005\u0000');
  const texts = good.map((bytes) => Buffer.from(bytes).toString('latin1'));
  return mutatedText(texts, bytePieces).map((text) => Buffer.from(text, 'latin1'));
}

function apply(text: string, { kind, at, length, piece, times }: Edit): string {
  const from = text.length === 0 ? 0 : at % text.length;
  const [before, part, after] = [text.slice(0, from), text.slice(from, from + length), text.slice(from + length)];
  switch (kind) {
    case 'put':
      return before + piece + part + after;
    case 'cut':
      return before + after;
    case 'copy':
      return part + text;
    case 'swell': {
      const unit = part === '' ? piece : part;
      const room = Math.floor((MAX_LENGTH - text.length) / Math.max(1, unit.length));
      return before + unit.repeat(Math.max(1, Math.min(times, room))) + after;
    }
  }
}

import fc from 'fast-check';
import { regexLiterals, written } from '../regex-literals.ts';
import { words } from '../words.ts';

/** A kind of text that could be slow to read, in any length. */
export interface Text {
  readonly name: string;
  /** Exactly so many UTF-16 units, or a few less where a character would be cut. */
  readonly of: (length: number) => string;
}

const JWT_HEADER = Buffer.from('{"alg":"ES256","kid":"k"}').toString('base64url');

/** What is repeated: separators, escapes, beginnings without an end, and characters that grow when they are written. */
const units: readonly string[] = [
  ...words('a A 0 / /a // . /.. /. ; /; , = & a=b& a=b, a="b", " \\ \\" "\\ % %41 %2e %2F %25 %c3%a9 ! _ - _- : @ #'),
  ...words('? * + ~ \' { [ [[ {"a": {"a":[ ( < %0A é ǅ İ eyJ ewo ey eyJ. sha256: spiffe:// a. [::1] 127.0.0.1, By=a;'),
  ...words('Cert=""; URI=, x-a e\u0301 \u202e \ufb03 \u{1f600} \ufffd \u007f \u0085 \u0301 \u0000'),
  ...[', ', '-----BEGIN CERTIFICATE-----', '\t', ' ', `${JWT_HEADER}.a.`, 'bearer '],
];

const repeated = (name: string, unit: string, before = '', after = ''): Text => ({
  name,
  of: (length) => {
    const room = Math.max(0, length - before.length - after.length);
    return before + unit.repeat(Math.floor(room / unit.length)) + after;
  },
});

/** Many small parts that all differ. */
const distinct = (name: string, part: (at: number) => string): Text => ({
  name,
  of: (length) => {
    let text = '';
    for (let at = 0; ; at++) {
      const next = text + part(at);
      if (next.length > length) return text;
      text = next;
    }
  },
});

const nested: Text = {
  name: 'nested JSON',
  of: (length) => `${'{"a":'.repeat(Math.floor(length / 6))}1${'}'.repeat(Math.floor(length / 6))}`,
};

/** Texts whatever the field is. */
export const hostileTexts: readonly Text[] = [
  ...units.map((unit) => repeated(`repeated ${JSON.stringify(unit)}`, unit)),
  ...['/', 'a', 'eyJ', '%41'].map((unit) => repeated(`repeated ${unit}, then a control`, unit, '', '\u0001')),
  distinct('distinct segments', (at) => `/${at.toString(36)}`),
  distinct('distinct parameters', (at) => `${at === 0 ? '' : '&'}a${at.toString(36)}=${at}`),
  distinct('distinct words', (at) => `${at.toString(36)} `),
  distinct('distinct JSON members', (at) => `${at === 0 ? '{' : ','}"a${at.toString(36)}":${at}`),
  distinct('distinct tokens', (at) => `${JWT_HEADER}.${at.toString(36)}.a/`),
  nested,
];

/** Texts that each regular expression of the sources takes, repeated, with an end that it does not take. */
export function regexTexts(): readonly Text[] {
  return regexLiterals().flatMap((pattern) => {
    let samples: readonly string[];
    try {
      const regex = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
      samples = fc.sample(fc.stringMatching(regex), { numRuns: 3, seed: 1 }).filter((sample) => sample !== '');
    } catch {
      // Look behind and properties of Unicode are not generated.
      return [];
    }
    return samples.slice(0, 1).map((sample) => repeated(`for ${written(pattern)}`, sample, '', '\u0001'));
  });
}

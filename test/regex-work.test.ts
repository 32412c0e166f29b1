import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Token, tokenizer } from 'acorn';
import type { Diagnostics } from 'recheck';

/** The build in plain JavaScript: the package itself starts a program for the machine where it finds one. */
const { checkSync } = createRequire(import.meta.url)('recheck/lib/browser.js') as typeof import('recheck');

/** A regular expression of the sources. */
interface Pattern {
  readonly file: string;
  readonly source: string;
  readonly flags: string;
}

const root = join(import.meta.dirname, '..');
/**
 * Counts bound the analysis and a fixed seed its random part, so that a slow machine finds the same. Without the time
 * limits nothing ends as `unknown` on a busy machine.
 */
const analysis = { randomSeed: 0, timeout: null, attackTimeout: null, incubationTimeout: null };

function literals(file: string, code: string): Pattern[] {
  const tokens = [...tokenizer(stripTypeScriptTypes(code), { ecmaVersion: 'latest', sourceType: 'module' })];
  return tokens.flatMap((token) => {
    if (token.type.label !== 'regexp') return [];
    const { pattern, flags } = (token as Token & { value: { pattern: string; flags: string } }).value;
    return [{ file, source: pattern, flags }];
  });
}

const key = ({ source, flags }: Pattern): string => `/${source}/${flags}`;

const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'));
const found = files.flatMap((file) => literals(file, readFileSync(join(root, file), 'utf8')));
const patterns = [...new Map(found.map((one) => [key(one), one])).values()];

const analyse = ({ source, flags }: Omit<Pattern, 'file'>): Diagnostics => checkSync(source, flags, analysis);

/** Null where the time of a match grows with the length of the text alone. */
function fault(pattern: Pattern): string | null {
  const found = analyse(pattern);
  if (found.status === 'safe') return null;
  const what = found.status === 'vulnerable' ? found.complexity.summary : 'the analysis did not end';
  return `${pattern.file}: ${key(pattern)}: ${what}`;
}

test('no regular expression of the sources takes more than linear time, whatever the text', () => {
  assert.ok(patterns.length > 80, `${patterns.length} patterns`);
  assert.deepEqual(
    patterns.map(fault).filter((one) => one !== null),
    [],
  );
});

test('the sources build no regular expression from text, which would not be looked at here', () => {
  const building = files.filter((file) => /\bRegExp\(/.test(readFileSync(join(root, file), 'utf8')));
  assert.deepEqual(building, []);
});

describe('the analysis finds', () => {
  for (const [name, source, flags, status] of [
    ['repetition that begins anywhere', 'eyJ[\\w-]{10,}\\.[\\w-]+\\.[\\w-]*', 'g', 'vulnerable'],
    ['two neighbours that take the same text', '^([^/?#]*)([^?#]*)(?:#.*)?$', '', 'vulnerable'],
    ['nested repetition', '^(?:a+)+$', '', 'vulnerable'],
    ['nothing in linear ones', '^(?:a+b)+$', '', 'safe'],
  ] as const) {
    test(name, () => assert.equal(analyse({ source, flags }).status, status));
  }
});

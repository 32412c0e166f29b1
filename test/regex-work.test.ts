import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import type { Diagnostics } from 'recheck';
import { type Pattern, regexLiterals, sources, written } from './support/regex-literals.ts';

/** The build in plain JavaScript: the package itself starts a program for the machine where it finds one. */
const { checkSync } = createRequire(import.meta.url)('recheck/lib/browser.js') as typeof import('recheck');

/**
 * Counts bound the analysis and a fixed seed its random part, so that a slow machine finds the same. Without the time
 * limits nothing ends as `unknown` on a busy machine.
 */
const analysis = { randomSeed: 0, timeout: null, attackTimeout: null, incubationTimeout: null };

/** Files that build expressions from constants of their own, over what an operator writes and no caller. */
const OPERATORS: ReadonlySet<string> = new Set(['src/policy/lint/find-mistakes.ts', 'src/policy/lint/mistake.ts']);

const analyse = ({ source, flags }: Omit<Pattern, 'file'>): Diagnostics => checkSync(source, flags, analysis);

/** Null where the time of a match grows with the length of the text alone. */
function fault(pattern: Pattern): string | null {
  const found = analyse(pattern);
  if (found.status === 'safe') return null;
  const what = found.status === 'vulnerable' ? found.complexity.summary : 'the analysis did not end';
  return `${pattern.file}: ${written(pattern)}: ${what}`;
}

test('no regular expression of the sources takes more than linear time, whatever the text', () => {
  const patterns = regexLiterals();
  assert.ok(patterns.length > 80, `${patterns.length} patterns`);
  assert.deepEqual(
    patterns.map(fault).filter((one) => one !== null),
    [],
  );
});

test('the sources build no regular expression from text, which would not be looked at here', () => {
  const building = sources.filter(({ file, code }) => !OPERATORS.has(file) && /\bRegExp\(/.test(code));
  assert.deepEqual(
    building.map(({ file }) => file),
    [],
  );
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

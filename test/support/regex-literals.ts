import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { type Token, tokenizer } from 'acorn';

/** A regular expression of the sources, and a file that holds it. */
export interface Pattern {
  readonly file: string;
  readonly source: string;
  readonly flags: string;
}

const root = join(import.meta.dirname, '..', '..');

/** The sources of the product with their text, tests left out. */
export const sources: readonly { readonly file: string; readonly code: string }[] = globSync('src/**/*.ts', {
  cwd: root,
})
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file) => ({ file, code: readFileSync(join(root, file), 'utf8') }));

/** Every regular expression that stands as a literal in the sources, each once. */
export function regexLiterals(): readonly Pattern[] {
  const found = sources.flatMap(({ file, code }) => literals(file, code));
  return [...new Map(found.map((pattern) => [written(pattern), pattern])).values()];
}

/** As it is written in the sources. */
export const written = ({ source, flags }: Omit<Pattern, 'file'>): string => `/${source}/${flags}`;

function literals(file: string, code: string): Pattern[] {
  const tokens = [...tokenizer(stripTypeScriptTypes(code), { ecmaVersion: 'latest', sourceType: 'module' })];
  return tokens.flatMap((token) => {
    if (token.type.label !== 'regexp') return [];
    const { pattern, flags } = (token as Token & { value: { pattern: string; flags: string } }).value;
    return [{ file, source: pattern, flags }];
  });
}

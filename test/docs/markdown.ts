import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const repository = join(import.meta.dirname, '..', '..');

/** One page of the documentation. */
export interface Page {
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
}

/** A fenced block: the words after the fence, and the lines inside. */
export interface Block {
  readonly info: string;
  readonly text: string;
}

/** Every page that a reader may come to. */
export function pages(): readonly Page[] {
  const files = [...globSync('*.md', { cwd: repository }), ...globSync('docs/**/*.md', { cwd: repository })];
  return files.sort().map(page);
}

export function page(file: string): Page {
  return { file, text: readFileSync(join(repository, file), 'utf8') };
}

export function blocks(text: string): readonly Block[] {
  const found = text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm);
  return [...found].map(([, info = '', inside = '']) => ({ info, text: inside }));
}

/** The text without its fenced blocks: prose, tables, headings. */
export function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '');
}

/** The section below a heading, up to the next one of its level. */
export function section(text: string, heading: string): string {
  const [, rest] = text.split(`\n## ${heading}\n`);
  if (rest === undefined) throw new Error(`there is no section "${heading}"`);
  return rest.split('\n## ')[0] ?? '';
}

/** The anchors that GitHub makes of headings. */
export function anchors(text: string): ReadonlySet<string> {
  const headings = prose(text).matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** The block between `<!-- name -->` and `<!-- /name -->`, without its fences. */
export function marked(text: string, name: string): string {
  const [, inside] = markedParts(text, name);
  return blocks(inside)[0]?.text ?? '';
}

/** The text with another block between the marks. */
export function withMarked(text: string, name: string, info: string, block: string): string {
  const [before, , after] = markedParts(text, name);
  return `${before}\n\`\`\`${info}\n${block.trimEnd()}\n\`\`\`\n${after}`;
}

function markedParts(text: string, name: string): readonly [before: string, inside: string, after: string] {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`there is no ${start} … ${end}`);
  return [text.slice(0, from + start.length), text.slice(from + start.length, to), text.slice(to)];
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'reasons.md');

/** What docs/reasons.md, which comes with the program, says of a reason; null where it is not there. */
export async function reasonRow(reason: string): Promise<{ readonly meaning: string; readonly use: string } | null> {
  const page = await readFile(PAGE, 'utf8').catch(() => '');
  const line = page.split('\n').find((text) => text.startsWith(`| \`${reason}\` |`));
  const [, , , meaning, use] = line?.split(/(?<!\\)\|/).map((cell) => cell.trim()) ?? [];
  return meaning === undefined || use === undefined ? null : { meaning, use };
}

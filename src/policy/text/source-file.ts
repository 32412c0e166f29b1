import type { Problem } from '../../source/problem.ts';

/** One text file of a snapshot. `file` is its name in diagnostics: relative to the folder that it was read from. */
export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

/** The order of files in everything that is made of them. */
export const byName = (a: SourceFile, b: SourceFile): number => (a.file < b.file ? -1 : 1);

/** A problem at an offset (UTF-16 units) of a file. Columns count characters. */
export function problemAt(source: SourceFile, offset: number, message: string): Problem {
  const starts = lineStarts(source);
  let line = 0;
  for (let step = 2 ** 30; step >= 1; step /= 2) {
    const start = starts[line + step];
    if (start !== undefined && start <= offset) line += step;
  }
  const column = [...source.text.slice(starts[line], offset)].length + 1;
  return { file: source.file, line: line + 1, column, message };
}

/** A report of thousands of problems looks for the lines of one file thousands of times. */
const linesOf = new WeakMap<SourceFile, readonly number[]>();

function lineStarts(source: SourceFile): readonly number[] {
  const known = linesOf.get(source);
  if (known !== undefined) return known;
  const starts = [0];
  for (let at = source.text.indexOf('\n'); at !== -1; at = source.text.indexOf('\n', at + 1)) starts.push(at + 1);
  linesOf.set(source, starts);
  return starts;
}

/** Cedar's offsets count UTF-8 bytes; the offset in UTF-16 units for one of them. */
export const offsetOfByte = (text: string, byte: number): number => Buffer.from(text).toString('utf8', 0, byte).length;

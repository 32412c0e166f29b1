import type { Problem } from '../inventory/problem.ts';

/** One text file of a snapshot. `file` is its name in diagnostics: relative to the folder that it was read from. */
export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

/** A problem at an offset (UTF-16 units) of a file. */
export function problemAt(source: SourceFile, offset: number, message: string): Problem {
  const before = source.text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return { file: source.file, line, column: [...before.slice(lineStart)].length + 1, message };
}

/** Cedar's offsets count UTF-8 bytes; the offset in UTF-16 units for one of them. */
export function offsetOfByte(text: string, byte: number): number {
  if (byte <= 0) return 0;
  let bytes = 0;
  let units = 0;
  for (const character of text) {
    if (bytes >= byte) return units;
    bytes += Buffer.byteLength(character);
    units += character.length;
  }
  return units;
}

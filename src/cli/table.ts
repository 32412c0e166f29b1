import { plain } from './printable.ts';

/** Rows in columns, each as wide as its widest cell and one line, whatever it holds; no blanks at the ends of lines. */
export function table(cells: readonly (readonly string[])[], indent = ''): string {
  const rows = cells.map((row) => row.map((cell) => plain(cell).replaceAll('\n', '\\u{a}')));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) => `${indent}${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

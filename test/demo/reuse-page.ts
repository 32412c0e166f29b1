import type { Cell, PlayedCell } from './reuse-matrix.ts';
import { printMatrix, rowsOf } from './reuse-print.ts';

/** The part of docs/reuse.md that is written by what ran: the matrix, and each row cell by cell. */
export function reusePage(played: readonly PlayedCell[]): string {
  const sections = rowsOf(played).map((row) => {
    const lines = played
      .filter((one) => one.row === row)
      .map(({ column, cell, got }) => `| ${column} | ${cell.how} | ${answer(cell, got)} |`);
    return [
      `### ${row.name}`,
      row.what,
      `Rightful use: ${row.control.how}.`,
      '',
      '| reuse | how | answer |',
      '|---|---|---|',
      ...lines,
    ].join('\n');
  });
  return ['```text', printMatrix(played), '```', '', `## Cell by cell`, '', sections.join('\n\n'), ''].join('\n');
}

function answer({ expected, restarted }: Cell, got: string): string {
  const later = restarted === undefined ? '' : `; after a restart ${denial({ reason: restarted })}`;
  if ('reason' in expected) return denial({ reason: got, by: expected.by }) + later;
  return `${got}; ${expected.kept.how}: ${denial(expected.kept)}`;
}

function denial({ reason, by }: { readonly reason: string; readonly by?: string | undefined }): string {
  if (reason === 'handshake') return 'the TLS handshake fails';
  return `\`${reason}\`${by === undefined ? '' : ` (${by})`}`;
}

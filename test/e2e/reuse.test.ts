import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { playReuse } from '../demo/reuse.ts';
import { columns, type PlayedCell } from '../demo/reuse-matrix.ts';
import { reusePage } from '../demo/reuse-page.ts';
import { rows } from '../demo/reuse-rows.ts';

const FILE = join(import.meta.dirname, '..', '..', 'docs', 'reuse.md');
/** Below it the page is written by what ran. */
const HEADING = '## The matrix\n';

let played: readonly PlayedCell[];

before(async () => {
  played = await playReuse();
});

test('S2: every reuse of every credential is refused for its own reason, or kept away from what matters', () => {
  const wrong = played.filter((cell) => cell.wrong !== null);
  assert.deepEqual(
    wrong.map(({ row, column, wrong: why }) => `${row.name}, ${column}: ${why}`),
    [],
  );
});

test('every cell of every row was played, sixty at least, and no column is idle', () => {
  const cells = rows.flatMap((row) => Object.keys(row.cells).map((column) => `${row.name}, ${column}`));
  assert.deepEqual(new Set(played.map(({ row, column }) => `${row.name}, ${column}`)), new Set(cells));
  assert.ok(cells.length >= 60, String(cells.length));
  assert.deepEqual(new Set(played.map(({ column }) => column)), new Set(columns));
});

test('docs/reuse.md shows what came (UPDATE=1 writes it anew)', () => {
  const text = readFileSync(FILE, 'utf8');
  const written = text.slice(0, text.indexOf(HEADING) + HEADING.length);
  const page = `${written}${reusePage(played)}`;
  if (process.env.UPDATE === '1') writeFileSync(FILE, page);
  assert.equal(readFileSync(FILE, 'utf8'), page);
});

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type PlayedReuse, playReuse } from '../demo/reuse.ts';
import { columns } from '../demo/reuse-matrix.ts';
import { reusePage } from '../demo/reuse-page.ts';
import { wrongCells } from '../demo/reuse-print.ts';
import { rows } from '../demo/reuse-rows.ts';

const FILE = join(import.meta.dirname, '..', '..', 'docs', 'reuse.md');
/** Below it the page is written by what ran. */
const HEADING = '## The matrix\n';

let played: PlayedReuse;

before(async () => {
  played = await playReuse();
});

test('S2: every reuse of every credential is refused for its own reason, or kept away from what matters', () => {
  assert.deepEqual(wrongCells(played.running), []);
});

test('after a restart too: what was used or came to an end before it is refused, and all else for its own reason', () => {
  assert.deepEqual(wrongCells(played.restarted), []);
  const turned = played.restarted.filter(({ cell, got }) => got === cell.restarted);
  assert.ok(turned.length >= 30, String(turned.length));
});

test('every cell of every row was played, sixty at least, and no column is idle', () => {
  const cells = rows.flatMap((row) => Object.keys(row.cells).map((column) => `${row.name}, ${column}`));
  for (const part of [played.running, played.restarted])
    assert.deepEqual(new Set(part.map(({ row, column }) => `${row.name}, ${column}`)), new Set(cells));
  assert.ok(cells.length >= 60, String(cells.length));
  assert.deepEqual(new Set(played.running.map(({ column }) => column)), new Set(columns));
});

test('docs/reuse.md shows what came (UPDATE=1 writes it anew)', () => {
  const text = readFileSync(FILE, 'utf8');
  const written = text.slice(0, text.indexOf(HEADING) + HEADING.length);
  const page = `${written}${reusePage(played.running)}`;
  if (process.env.UPDATE === '1') writeFileSync(FILE, page);
  assert.equal(readFileSync(FILE, 'utf8'), page);
});

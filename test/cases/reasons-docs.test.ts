import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { reasons } from '../../src/base/outcome.ts';

const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'reasons.md'), 'utf8');

/** The cells of every row whose first one matches. */
const rows = (first: RegExp): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim()),
    )
    .filter(([cell = '']) => first.test(cell));

const documented = rows(/^`[a-z_]+`$/).map(([code = '', http, meaning = '', todo = '', ...more]) => {
  assert.deepEqual(more, [], `${code} has a cell too many`);
  return { code: code.slice(1, -1), http: Number(http), meaning, todo };
});

test('docs/reasons.md has one row for each reason, and none for anything else', () => {
  assert.deepEqual(documented.map(({ code }) => code).toSorted(), Object.keys(reasons).toSorted());
});

test('each row says the status and the public text of the table, and what to do', () => {
  for (const { code, http, meaning, todo } of documented) {
    const row = reasons[code as keyof typeof reasons];
    assert.equal(http, row.http, code);
    assert.equal(meaning.split(': ')[0], row.title, code);
    assert.notEqual(todo, '', code);
  }
});

test('the code inside CheckResponse follows from the HTTP status as the page says', () => {
  const codes = new Map(rows(/^[0-9]{3}$/).map(([http, code = '']) => [Number(http), Number(code.split(' ')[0])]));
  for (const [code, { http, status }] of Object.entries(reasons)) assert.equal(codes.get(http), status, code);
});

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configReference } from '../../test/support/config-reference.ts';

const FILE = join(import.meta.dirname, '..', '..', 'docs', 'configuration.md');

test('docs/configuration.md is what the schema says; UPDATE=1 writes it', () => {
  const reference = configReference();
  if (process.env.UPDATE === '1') writeFileSync(FILE, reference);
  assert.equal(readFileSync(FILE, 'utf8'), reference);
});

test('every key is explained, and says its type', () => {
  const rows = configReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  assert.ok(rows.length > 80);
  for (const row of rows) {
    const [, , type, , meaning] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    assert.ok(type !== '' && meaning !== '' && !/undefined|\[object/.test(row), row);
  }
});

test('every unsafe choice is marked, and off by default', () => {
  const rows = configReference()
    .split('\n')
    .filter((line) => /^\| `[^`]*unsafe[A-Z]/.test(line));
  assert.ok(rows.length >= 5);
  for (const row of rows) assert.match(row, /\| (?:`false`)? ?\| \*\*unsafe\*\* /);
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const rows = readFileSync(join(root, 'SECURITY.md'), 'utf8')
  .split('## Where each sentence is shown')[1]!
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('`'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('each test that SECURITY.md names is there', () => {
  assert.ok(rows.length > 15);
  for (const [, sentence, file = '', name = ''] of rows) {
    const text = readFileSync(join(root, file.replaceAll('`', '')), 'utf8');
    assert.ok(name !== '' && text.includes(name), `${sentence}: ${file} has no '${name}'`);
  }
});

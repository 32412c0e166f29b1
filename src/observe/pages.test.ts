import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { watchingAlerts } from '../../test/monitoring/rules.ts';
import { messages } from './messages.ts';
import { messagesPage, metricsPage } from './pages.ts';

const root = join(import.meta.dirname, '..', '..');

for (const [file, page] of [
  ['metrics.md', () => metricsPage(watchingAlerts())],
  ['messages.md', messagesPage],
] as const) {
  test(`docs/${file} is what the table says; UPDATE=1 writes it`, () => {
    const path = join(root, 'docs', file);
    if (process.env.UPDATE === '1') writeFileSync(path, page());
    assert.equal(readFileSync(path, 'utf8'), page());
  });
}

test('every message of the table is written somewhere, with fields of its row alone', () => {
  const code = globSync('src/app/**/*.ts', { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  for (const [text, { level }] of Object.entries(messages)) {
    assert.ok(code.includes(`log.${level}('${text}'`), `${level}: ${text}`);
  }
});

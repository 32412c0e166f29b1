import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openApiOf } from './openapi.ts';
import { routes } from './routes.ts';

const FILE = join(import.meta.dirname, '..', '..', '..', 'docs', 'openapi.json');

test('docs/openapi.json is what the routes say; UPDATE=1 writes it', () => {
  const document = `${JSON.stringify(openApiOf(routes), null, 2)}\n`;
  if (process.env.UPDATE === '1') writeFileSync(FILE, document);
  assert.equal(readFileSync(FILE, 'utf8'), document);
});

test('every operation has a name and a summary of its own, and every parameter and field a type', () => {
  assert.equal(new Set(routes.map(({ name }) => name)).size, routes.length);
  const document = openApiOf(routes) as { paths: Record<string, Record<string, { parameters: { schema: object }[] }>> };
  for (const operations of Object.values(document.paths))
    for (const { parameters } of Object.values(operations))
      for (const { schema } of parameters) assert.ok(Object.keys(schema).length > 0, JSON.stringify(schema));
});

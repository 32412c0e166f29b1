import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inventoryJsonSchema } from './schema.ts';

const file = join(import.meta.dirname, '..', '..', 'docs', 'inventory.schema.json');

test('docs/inventory.schema.json is what the code reads (UPDATE=1 writes it anew)', () => {
  if (process.env.UPDATE === '1') writeFileSync(file, inventoryJsonSchema());
  assert.equal(readFileSync(file, 'utf8'), inventoryJsonSchema());
});

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { inventorySchema } from './schema.ts';

const file = join(import.meta.dirname, '..', '..', 'docs', 'inventory.schema.json');

/** The JSON Schema of the inventory file (draft 2020-12), for editors. */
const inventoryJsonSchema = (): string =>
  `${JSON.stringify(z.toJSONSchema(inventorySchema, { io: 'input' }), null, 2)}\n`;

test('docs/inventory.schema.json is what the code reads (UPDATE=1 writes it anew)', () => {
  if (process.env.UPDATE === '1') writeFileSync(file, inventoryJsonSchema());
  assert.equal(readFileSync(file, 'utf8'), inventoryJsonSchema());
});

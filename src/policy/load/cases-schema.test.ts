import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { casesJsonSchema } from './cases.ts';

const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'policy-tests.schema.json');

test('docs/policy-tests.schema.json is what the code reads (UPDATE=1 writes it anew)', () => {
  if (process.env.UPDATE === '1') writeFileSync(file, casesJsonSchema());
  assert.equal(readFileSync(file, 'utf8'), casesJsonSchema());
});

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { test } from 'node:test';
import { chartFiles, undescribed } from './chart-files.ts';

const repository = `${import.meta.dirname}/../..`;

test('every value of the chart is described', () => {
  assert.deepEqual(undescribed(), []);
});

for (const [file, text] of await chartFiles()) {
  test(`${relative(repository, file)} is in step with the chart`, () => {
    if (process.env.UPDATE === '1') writeFileSync(file, text);
    assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : '', text);
  });
}

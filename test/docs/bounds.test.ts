import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const rows = readFileSync(join(root, 'docs', 'bounds.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, what, most, file, name] = /^\| (.+?) \| (\d+) \| (src\/\S+\.ts) ([A-Z_]+) \|$/.exec(line) ?? [];
    return what === undefined ? [] : [{ what, most: Number(most), file: file!, name: name! }];
  });

/** The value of a constant that is a product of numbers. */
function constantOf(file: string, name: string): number {
  const text = readFileSync(join(root, file), 'utf8');
  const written = text
    .match(/^(?:export )?const ([A-Z_]+) = ([\d_ *]+);/gm)
    ?.find((line) => line.includes(` ${name} =`));
  assert.ok(written !== undefined, `${file} has no constant ${name}`);
  const factors = written.slice(written.indexOf('=') + 1, -1).split('*');
  return factors.reduce((product, factor) => product * Number(factor.replaceAll('_', '')), 1);
}

test('docs/bounds.md states the bounds that the sources have', () => {
  assert.ok(rows.length > 25, `${rows.length} rows`);
  for (const { what, most, file, name } of rows) assert.equal(constantOf(file, name), most, what);
});

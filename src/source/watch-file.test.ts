import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { watchFile } from './watch-file.ts';

for (const swapped of ['bundle.json', '..data']) {
  test(`what grows beside a file wakes nobody, and a new ${swapped} does`, async (t) => {
    const folder = temporaryFolder();
    t.after(() => removeFolder(folder));
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const watcher = watchFile(join(folder, 'bundle.json'), resolve);
    t.after(() => watcher?.close());
    writeFileSync(join(folder, 'audit.jsonl'), 'a line');
    writeFileSync(join(folder, 'new'), 'a bundle');
    renameSync(join(folder, 'new'), join(folder, swapped));
    // Events come in the order of the changes.
    assert.equal(await promise, swapped);
  });
}

test('a folder that is not there has no watcher', () => {
  assert.equal(
    watchFile('/nowhere/bundle.json', () => {}),
    null,
  );
});

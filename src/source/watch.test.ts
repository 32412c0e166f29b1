import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { foldersOf, Watch } from './watch.ts';

for (const swapped of ['bundle.json', '..data']) {
  test(`what grows beside a file wakes nobody, and a new ${swapped} does`, async (t) => {
    const folder = temporaryFolder();
    t.after(() => removeFolder(folder));
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const watch = Watch.files([join(folder, 'bundle.json')], resolve);
    t.after(() => watch.close());
    watch.follow([folder]);
    writeFileSync(join(folder, 'audit.jsonl'), 'a line');
    writeFileSync(join(folder, 'new'), 'a bundle');
    renameSync(join(folder, 'new'), join(folder, swapped));
    // Events come in the order of the changes.
    assert.equal(await promise, swapped);
  });
}

test('a folder that is not there is no error, and one that comes or comes back is watched at the next follow', async (t) => {
  const file = join(temporaryFolder(), 'new', 'bundle.json');
  const [folder = ''] = foldersOf([file]);
  let changed = (_name: string | null): void => {};
  const watch = Watch.files([file], (name) => changed(name));
  t.after(() => {
    watch.close();
    removeFolder(dirname(folder));
  });
  watch.follow([folder]);
  for (let time = 0; time < 3; time++) {
    mkdirSync(folder);
    watch.follow([folder]);
    const { promise, resolve } = Promise.withResolvers<string | null>();
    changed = resolve;
    writeFileSync(file, 'a bundle');
    assert.equal(await promise, 'bundle.json');
    renameSync(folder, `${folder}${time}`);
  }
});

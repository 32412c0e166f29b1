import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { Fault } from '../base/fault.ts';
import { readBounded } from './bounded.ts';

const { signal } = new AbortController();

test('a file of just as many bytes is read, and of one that is longer, or never ends, no more than one byte beyond', async (t) => {
  const folder = temporaryFolder();
  t.after(() => removeFolder(folder));
  const file = join(folder, 'file');
  for (const [length, whole] of [
    [0, true],
    [999, true],
    [1000, true],
    [1001, false],
    [300_000, false],
  ] as const) {
    writeFileSync(file, Buffer.alloc(length, 1));
    const read = await readBounded(file, 1000, signal);
    if (whole) assert.equal((read as Uint8Array).length, length);
    else assert.deepEqual(read, new Fault('longer than 1000 bytes'));
  }
  assert.deepEqual(await readBounded('/dev/zero', 1000, signal), new Fault('longer than 1000 bytes'));
});

test('what cannot be read is a fault, and so is what is given up', async () => {
  assert.match(((await readBounded('/never/written', 1000, signal)) as Fault).detail, /ENOENT/);
  assert.match(((await readBounded('/', 1000, signal)) as Fault).detail, /EISDIR/);
  assert.ok((await readBounded('/dev/zero', 1000, AbortSignal.abort())) instanceof Fault);
});

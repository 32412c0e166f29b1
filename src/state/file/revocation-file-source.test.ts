import assert from 'node:assert/strict';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeFolder, temporaryFolder } from '../../../test/support/folder.ts';
import { systemClock } from '../../base/clock.ts';
import { RevocationFileSource } from './revocation-file-source.ts';

const good = { id: 'good', until: '2099-01-01T00:00:00Z', reason: 'tested', by: 'security', owner: 'payments' };

test('a file with one fault at the start applies in no part, and does once it is mended', async (t) => {
  const folder = temporaryFolder();
  t.after(() => removeFolder(folder));
  const file = join(folder, 'revocations.yaml');
  const write = (...revocations: readonly object[]) => {
    writeFileSync(`${file}.new`, JSON.stringify({ revocations }));
    renameSync(`${file}.new`, file);
  };
  const reads = new EventTarget();
  write(good, { ...good, id: 'ill', untill: 1 });
  const source = await RevocationFileSource.start(file, systemClock, {
    *onChange() {},
    onRead: () => reads.dispatchEvent(new Event('read')),
  });
  t.after(() => source.stop());
  const applying = () => source.applying && [...source.applying.values()].map(({ id }) => id);
  assert.deepEqual(applying(), null);
  assert.match(source.unread!, /could not be read$/);
  assert.match(source.problems.join('\n'), /untill: no such key/);

  write(good);
  while (source.unread !== null) await once(reads, 'read');
  assert.deepEqual(applying(), ['good']);
  assert.equal(source.unread, null);
});

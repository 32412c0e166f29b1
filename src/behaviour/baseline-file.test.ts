import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { temporaryFolder } from '../../test/support/folder.ts';
import { Fault } from '../base/fault.ts';
import { readBaselines, writeBaselines } from './baseline-file.ts';
import { WorkloadBook } from './workload-book.ts';

const request = { api: 'host/api', isNewApi: false, writes: true, client: '10.0.0.7' };
const workload = (name: string) => ({
  id: `spiffe://prod.example/${name}`,
  trustDomain: 'prod.example',
  groups: ['billing'],
});

/** A book of some workloads, and the file it is kept in. */
async function kept(workloads: number) {
  const book = new WorkloadBook(1000, 42);
  for (let n = 0; n < workloads; n++)
    for (let i = 0; i < 5; i++) book.learn(book.assess(workload(`w${n}`), request, i * 1000), 'allowed', i * 1000);
  const file = join(temporaryFolder(), 'behaviour.jsonl');
  assert.equal(await writeBaselines(file, book), null);
  return { book, file };
}

/** What is known but for when this process began to count. */
const known = (book: WorkloadBook) =>
  [...book.all()].map(({ id, groups, bytes }) => ({ id, groups, hours: Buffer.from(bytes).subarray(600) }));

suite('the file of baselines', () => {
  test('what is known is there after a restart, in a file for its owner alone', async () => {
    const { book, file } = await kept(200);
    const read = await readBaselines(file, 1000, 7);
    assert.ok(read instanceof WorkloadBook);
    assert.equal(read.seed, 42);
    assert.equal(read.load.entries, 200);
    assert.deepEqual(known(read).at(-1)?.id, known(book).at(-1)?.id);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(await writeBaselines(file, read), null, 'it is written again in its place');
  });

  test('where there is none it begins with nothing, and with fewer places those stay that were seen last', async () => {
    const fresh = await readBaselines(join(temporaryFolder(), 'none.jsonl'), 10, 7);
    assert.ok(fresh instanceof WorkloadBook);
    assert.deepEqual([fresh.seed, fresh.load.entries], [7, 0]);
    const { file } = await kept(20);
    const few = await readBaselines(file, 5, 7);
    assert.ok(few instanceof WorkloadBook);
    assert.deepEqual(
      [...few.all()].map(({ id }) => id),
      [15, 16, 17, 18, 19].map((n) => workload(`w${n}`).id),
    );
  });

  test('what is something else is told with its place, and stays as it is', async () => {
    const { file } = await kept(2);
    const good = readFileSync(file, 'utf8');
    const [first = '', second = '', third = ''] = good.split('\n');
    for (const [text, told] of [
      ['', /:1: no file of behaviour/],
      [`{"format":"other"}\n${second}\n`, /:1: no file of behaviour/],
      [`${first}\n${second.slice(0, -10)}\n${third}\n`, /:2: no baseline/],
      [`${first}\n${second}\n${third.replace('spiffe:', 'https:')}\n`, /:3: no baseline/],
      [`${first}\n${second}\n${third.replace('"baseline":"', '"baseline":"AAAA')}\n`, /:3: no baseline/],
      [`${first}\n${'x'.repeat(70_000)}\n`, /:2: no baseline/],
      [`${first}\n${second}\n${third.slice(0, 100)}`, /:3: no baseline/],
    ] as const) {
      writeFileSync(file, text);
      const read = await readBaselines(file, 10, 7);
      assert.ok(read instanceof Fault, text.slice(0, 80));
      assert.match(read.detail, told);
      assert.equal(readFileSync(file, 'utf8'), text);
    }
  });

  test('what cannot be written is a fault, and what was there stays', async () => {
    const { book, file } = await kept(1);
    const before = readFileSync(file, 'utf8');
    mkdirSync(`${file}.new/x`, { recursive: true });
    assert.ok((await writeBaselines(file, book)) instanceof Fault);
    assert.equal(readFileSync(file, 'utf8'), before);
  });
});

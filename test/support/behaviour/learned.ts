import assert from 'node:assert/strict';
import { join } from 'node:path';
import { writeBaselines } from '../../../src/behaviour/baseline-file.ts';
import { WorkloadBook } from '../../../src/behaviour/workload-book.ts';
import { TRUST_DOMAIN } from '../estate.ts';
import { temporaryFolder } from '../folder.ts';

const DAY = 86_400_000;
const EVERY_MS = 300_000;

/** Ten days of a workload that reads these apis in turn from this machine's own address, every five minutes until an hour ago. */
export function learnedBook(id: string, apis: readonly string[]): WorkloadBook {
  const book = new WorkloadBook(100, 7);
  const who = { id, trustDomain: TRUST_DOMAIN, groups: [] };
  const end = Date.now() - 3_600_000;
  for (let t = end - 10 * DAY, n = 0; t <= end; t += EVERY_MS, n++) {
    const seen = { api: apis[n % apis.length]!, isNewApi: false, writes: false, client: '127.0.0.1' };
    book.learn(book.assess(who, seen, t), 'allowed', t);
  }
  return book;
}

/** The same, in a file that a sidecar goes on with; its path. */
export async function learnedFile(id: string, apis: readonly string[]): Promise<string> {
  const file = join(temporaryFolder(), 'behaviour.jsonl');
  assert.equal(await writeBaselines(file, learnedBook(id, apis)), null);
  return file;
}

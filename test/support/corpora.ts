import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The folder of the outside corpora: `$CORPORA_DIR`, else `../shared/corpora` beside the project. */
export const corporaDir = resolve(
  process.env.CORPORA_DIR ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'corpora'),
);

/** Whether a corpus is there. Absent with `CI=true` is an error, since a gate that skips is no gate. */
export function hasCorpus(name: string): boolean {
  const there = existsSync(join(corporaDir, name));
  if (!there && process.env.CI === 'true') throw new Error(`corpus ${name} is absent from ${corporaDir}, and CI=true`);
  return there;
}

/** What one corpus run found. `failures` holds one line for each case that failed. */
export interface CorpusResult {
  readonly passed: number;
  readonly failures: readonly string[];
  readonly excepted: number;
  /** Said after the counts, such as how many pairs were decided rather than refused. */
  readonly note?: string;
}

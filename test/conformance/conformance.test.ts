import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { corporaDir } from '../support/corpora.ts';
import { resultLine, runCorpus, runnerNames } from './runners.ts';

/** Corpora are data of others and not in the project: without them a developer is told, and a gate fails. */
const skip =
  !existsSync(corporaDir) && process.env.CI !== 'true'
    ? `SKIPPED: the corpora are not at ${corporaDir}; set CORPORA_DIR`
    : false;

for (const name of runnerNames) {
  test(`conformance ${name}`, { skip }, async (t) => {
    const result = await runCorpus(name);
    t.diagnostic(resultLine(name, result));
    assert.deepEqual(result.failures.slice(0, 20), []);
  });
}

test('there are runners', () => {
  assert.ok(runnerNames.length > 0);
});

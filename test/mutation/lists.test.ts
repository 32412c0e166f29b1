import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { finish } from '../support/run.ts';

/** The programs of this folder that delete one check after another. */
const lists = globSync('*.ts', { cwd: import.meta.dirname }).filter((file) =>
  /^(?:process\.exitCode = await|process\.exit\(await|if \(\[)/m.test(
    readFileSync(join(import.meta.dirname, file), 'utf8'),
  ),
);

test('every list of mutations is looked at', () => {
  assert.deepEqual(lists.toSorted(), LISTS);
});

const LISTS =
  'activity approvals behaviour claims control-tasks decider events files legacy notices once policy readings recall reuse sign-in state task tasks token-service token tools x509'
    .split(' ')
    .map((name) => `${name}.ts`);

for (const file of lists) {
  test(`what ${file} weakens stands in the sources`, async () => {
    const env = { ...process.env, MUTATION_LIST: '1' };
    const { code, stderr } = await finish(process.execPath, [join(import.meta.dirname, file)], { env });
    assert.equal(code, 0, stderr);
  });
}

import { existsSync } from 'node:fs';
import { corporaDir } from '../support/corpora.ts';
import { resultLine, runCorpus, runnerNames } from './runners.ts';

/** `npm run conformance [-- NAME…]`: one line for each outside corpus; exit code 1 on any failure. */
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !runnerNames.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no such corpus: ${unknown.join(', ')}; there are ${runnerNames.join(', ')}\n`);
  process.exit(64);
}
if (!existsSync(corporaDir)) {
  process.stderr.write(`SKIPPED: the corpora are not at ${corporaDir}; set CORPORA_DIR\n`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}

const MAX_SHOWN = 50;
let failed = false;
for (const name of asked.length > 0 ? asked : runnerNames) {
  const result = await runCorpus(name);
  process.stdout.write(`${resultLine(name, result)}\n`);
  for (const failure of result.failures.slice(0, MAX_SHOWN)) process.stdout.write(`  ${failure}\n`);
  failed ||= result.failures.length > 0;
}
process.exit(failed ? 1 : 0);

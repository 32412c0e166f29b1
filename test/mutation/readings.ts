import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finish } from '../support/run.ts';
import { copyProject } from './run.ts';

/**
 * Can the soak of readings fail? In a copy of the sources one check after another is deleted, and the soak is run against
 * the copy's sidecar: it must find a difference for each. `node test/mutation/readings.ts [WORD]` takes the checks whose
 * name holds the word. Exit code 1 when a deletion makes no difference, or no longer applies.
 */

type Patch = readonly [check: string, file: string, text: string, left: string];

const PAIRS = '3000';
/** One for all, so that what is found once is found again. */
const SOAK_SEED = '1';

const patches: readonly Patch[] = [
  ['only a GET is an upgrade', 'src/inventory/host.ts', "access.upgrade && access.method !== 'GET'", 'false'],
  ['an upgrade is CONNECT', 'src/inventory/host.ts', "access.upgrade ? 'CONNECT' : access.method", 'access.method'],
  ['one trailing slash is no part of the path', 'src/inventory/host.ts', "segments.join('/')", 'whole.slice(1)'],
  ['crossing apis each list the method', 'src/inventory/host.ts', ').some((listed)', ').slice(0, 1).some((listed)'],
  ['a lenient reading refuses', 'src/inventory/host.ts', 'if (another !== null)', 'if (false)'],
  ['a folding host folds', 'src/inventory/host.ts', 'this.#caseInsensitive ? lowerPath(access.path) : ', ''],
  ['effect: write makes a write', 'src/inventory/host.ts', 'if (writes)', 'if (false)'],
  ['names that fold alike refuse', 'src/http/guard.ts', 'if (respelled !== null)', 'if (false)'],
  ['names that fold to ours refuse', 'src/http/guard.ts', ' || (read !== name && read.startsWith(OWN_PREFIX))', ''],
  [
    'other names of ours are removed',
    'src/check/admission.ts',
    ', ...names.filter((name) => name.startsWith(OWN_PREFIX))',
    '',
  ],
  ['a header that overrides refuses', 'src/http/guard.ts', 'if (override !== null)', 'if (false)'],
  ['a query that overrides refuses', 'src/envoy/request.ts', 'if (override !== null)', 'if (false)'],
  ['the path is decoded', 'src/http/path.ts', 'if (!/[%\\u0000-\\u0020\\u007f-\\uffff]/.test(rawPath))', 'if (true)'],
];

async function main(word: string): Promise<number> {
  const chosen = patches.filter(([check]) => check.includes(word));
  const folder = copyProject();
  let noticed = 0;
  try {
    for (const patch of [null, ...chosen]) {
      const found = await soakWith(folder, patch);
      if (patch === null && found === '') continue;
      if (patch === null) throw new Error(`there are differences without any mutation:\n${found}`);
      if (found !== '') noticed++;
      process.stdout.write(`  ${found === '' ? '✗' : '✓'} ${patch[0]}: ${found.slice(0, 160) || 'no difference'}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`mutation readings: ${chosen.length} checks deleted one by one, ${noticed} noticed\n`);
  return chosen.length > 0 && noticed === chosen.length ? 0 : 1;
}

/** The first difference that the soak finds in the copy without the check; empty where it finds none. */
async function soakWith(folder: string, patch: Patch | null): Promise<string> {
  const [, file, text, left] = patch ?? ['', 'src/main.ts', '', ''];
  const path = join(folder, file);
  const original = readFileSync(path, 'utf8');
  if (patch !== null && original.split(text).length !== 2) throw new Error(`${file} does not hold this once: ${text}`);
  writeFileSync(path, patch === null ? original : original.replace(text, () => left));
  try {
    const args = [join(folder, 'test', 'soak', 'run.ts'), 'readings', PAIRS];
    const { code, stdout, stderr } = await finish(process.execPath, args, { env: { ...process.env, SOAK_SEED } });
    if (code === 0) return '';
    if (code === 1 && stdout.includes('WRONG')) return stdout.trim().split('\n')[0] ?? '';
    throw new Error(`the soak did not run: ${stderr}`);
  } finally {
    writeFileSync(path, original);
  }
}

process.exitCode = await main(process.argv[2] ?? '');

import { readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { Fault } from '../base/fault.ts';
import { parseExactJson } from '../base/strict-json.ts';
import type { Engine, Program } from '../policy/decide/engine.ts';
import { type Outcome, runTests } from '../policy/load/cases.ts';
import { type CedarCase, cedarDifference, readCedarCases } from '../tools/cedar-cases.ts';
import { updateCases } from '../tools/update-cases.ts';
import { command } from './commands.ts';
import { DONE, FAILED, failWith } from './io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, type Opened, openFolder, report } from './policy-open.ts';

const USAGE = `policy test FOLDER [--update] [--cases FILE …] [--inventory FILE] [--config FILE]
  runs the cases of FOLDER/tests/*.yaml; and test files of the Cedar CLI (run-tests) with the folder's policies and the
  guardrails
  --update           writes the actual results into the files
  --cases FILE       JSON cases of run-tests
${FOLDER_USAGE}`;

const OPTIONS = {
  ...FOLDER_OPTIONS,
  update: { type: 'boolean' },
  cases: { type: 'string', multiple: true },
} as const;

/** `policy test`: 0 when every case came out as it expects, 1 with each difference otherwise. */
export const policyTest = command(USAGE, OPTIONS, async (line, io) => {
  const { values } = line;
  const opened = await openFolder(line, io, line.positionals, FAILED);
  if (typeof opened === 'number') return opened;
  const { runs, unread } = runTests(opened.sources, opened.loaded.snapshot);
  if (unread.length > 0) return report(unread, opened.place, io);
  let [passed, failed] = [0, 0];
  for (const run of runs) {
    const wrong = run.outcomes.filter(({ differs }) => differs !== null);
    passed += run.outcomes.length - wrong.length;
    if (values.update === true && wrong.length > 0) {
      const path = opened.path(run.source.file);
      await writeFile(path, updateCases(run.source.text, run.outcomes));
      io.out(`${path}: ${wrong.length} updated\n`);
      passed += wrong.length;
    } else {
      failed += wrong.length;
      for (const outcome of wrong) io.out(`${shown(outcome, opened)}\n`);
    }
  }
  const { validated, engine } = opened;
  const program = { schema: validated.schema, policies: validated.enforced };
  const more = await cedarTests(values.cases ?? [], engine, program);
  const differing = more.filter((differs) => differs !== null);
  for (const differs of differing) io.out(`${differs}\n`);
  passed += more.length - differing.length;
  failed += differing.length;
  io.out(`${passed} passed, ${failed} failed\n`);
  if (passed + failed === 0) return failWith('no case was found; write one into tests/NAME.yaml', io);
  return failed === 0 ? DONE : FAILED;
});

/** The case at its place, and below it what it expects and what came, key by key. */
function shown({ stated, result }: Outcome, { place }: Opened): string {
  const { expected } = stated;
  const lines = [place(stated.problem(stated.name))];
  const change = (key: string, was: string, is: string) => {
    if (was !== is) lines.push(`  - ${key}: ${was}`, `  + ${key}: ${is}`);
  };
  change('expect', expected.result, result.result);
  if (expected.by !== null) change('by', `[${expected.by.join(', ')}]`, `[${result.by.join(', ')}]`);
  if (expected.reason !== null || expected.result !== result.result) {
    change('reason', expected.reason ?? 'none', result.reason ?? 'none');
  }
  if (result.detail !== '') lines.push(`    ${result.detail}`);
  return lines.join('\n');
}

/** What differs in each case of the files, null where nothing does. */
async function cedarTests(files: readonly string[], engine: Engine, program: Program): Promise<(string | null)[]> {
  const found: (string | null)[] = [];
  for (const file of files) {
    const cases = await readFile(file, 'utf8').then(readCedarCases, (error: NodeJS.ErrnoException) => error.code ?? '');
    if (typeof cases === 'string') found.push(`${file}: cannot be read: ${cases}`);
    else {
      for (const stated of cases) {
        const differs = cedarDifference(stated, await entitiesOf(stated, dirname(file)), engine, program);
        found.push(differs === null ? null : `${file}: ${stated.name}: ${differs}`);
      }
    }
  }
  return found;
}

/** Entities that stand in a file of their own are read only from the folder of the cases and below. */
async function entitiesOf({ entities }: CedarCase, folder: string): Promise<unknown> {
  if (typeof entities !== 'string') return entities;
  const root = await realpath(folder);
  const path = await realpath(resolve(folder, entities)).catch(() => null);
  if (path === null || !path.startsWith(join(root, sep))) return null;
  const value = parseExactJson(await readFile(path, 'utf8'), { maxDepth: 70 });
  return value instanceof Fault ? null : value;
}

import { readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { Fault } from '../base/fault.ts';
import { parseExactJson } from '../base/strict-json.ts';
import type { Engine, Program } from '../policy/decide/engine.ts';
import { type CedarCase, cedarDifference, readCedarCases } from '../tools/cedar-cases.ts';
import { areRuns, type Outcome, runTests } from '../tools/run-tests.ts';
import { updateCases } from '../tools/update-cases.ts';
import { readArguments } from './arguments.ts';
import { DONE, FAILED, type Io } from './io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, type Opened, openFolder, report } from './policy-open.ts';

export const TEST_USAGE = `policy test FOLDER [--update] [--cases FILE …] [--inventory FILE] [--config FILE]
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
export async function policyTest(args: readonly string[], io: Io): Promise<number> {
  const parsed = readArguments(args, OPTIONS, TEST_USAGE, io);
  if (typeof parsed === 'number') return parsed;
  const { values, positionals } = parsed;
  const opened = await openFolder(positionals, values, TEST_USAGE, io, FAILED);
  if (typeof opened === 'number') return opened;
  const runs = runTests(opened.sources, opened.loaded.snapshot);
  if (!areRuns(runs)) return report(runs, opened.place, io);
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
  const more = await cedarTests(values.cases ?? [], engine, program, io);
  return conclude(passed + more.passed, failed + more.failed, io);
}

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

async function cedarTests(files: readonly string[], engine: Engine, program: Program, io: Io) {
  let [passed, failed] = [0, 0];
  for (const file of files) {
    const cases = await readFile(file, 'utf8').then(readCedarCases, (error: NodeJS.ErrnoException) => error.code ?? '');
    if (typeof cases === 'string') {
      failed++;
      io.out(`${file}: cannot be read: ${cases}\n`);
      continue;
    }
    for (const stated of cases) {
      const entities = await entitiesOf(stated, dirname(file));
      const differs = cedarDifference(stated, entities, engine, program);
      if (differs === null) passed++;
      else failed++;
      if (differs !== null) io.out(`${file}: ${stated.name}: ${differs}\n`);
    }
  }
  return { passed, failed };
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

function conclude(passed: number, failed: number, io: Io): number {
  io.out(`${passed} passed, ${failed} failed\n`);
  if (passed + failed === 0) {
    io.err('no case was found; write one into tests/NAME.yaml\n');
    return FAILED;
  }
  return failed === 0 ? DONE : FAILED;
}

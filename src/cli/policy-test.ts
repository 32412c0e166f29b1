import { readFile, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { JsonFault, parseExactJson } from '../base/strict-json.ts';
import { Engine, newInstance, type Program } from '../policy/decide/engine.ts';
import { formatProblem, type Problem } from '../source/problem.ts';
import { type CedarCase, cedarDifference, foreignProgram, readCedarCases } from '../tools/cedar-cases.ts';
import { areRuns, type Outcome, runTests } from '../tools/run-tests.ts';
import { updateCases } from '../tools/update-cases.ts';
import { misuse, readArguments } from './arguments.ts';
import { DONE, FAILED, type Io } from './io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, type Opened, openFolder, report } from './policy-open.ts';

export const TEST_USAGE = `policy test FOLDER [--update] [--cases FILE …] [--inventory FILE] [--config FILE]
policy test --policies FILE [--schema FILE] --cases FILE …
  runs the cases of FOLDER/tests/*.yaml; or test files of the Cedar CLI (run-tests) with the folder's policies and the
  guardrails, or with any other Cedar policies
  --update           writes the actual results into the files
  --cases FILE       JSON cases of run-tests
${FOLDER_USAGE}`;

const OPTIONS = {
  ...FOLDER_OPTIONS,
  update: { type: 'boolean' },
  cases: { type: 'string', multiple: true },
  policies: { type: 'string' },
  schema: { type: 'string' },
} as const;

/** `policy test`: 0 when every case came out as it expects, 1 with each difference otherwise. */
export async function policyTest(args: readonly string[], io: Io): Promise<number> {
  const parsed = readArguments(args, OPTIONS, TEST_USAGE, io);
  if (typeof parsed === 'number') return parsed;
  const { values, positionals } = parsed;
  if (values.policies !== undefined) {
    if (positionals.length > 0 || values.update === true || values.cases === undefined) {
      return misuse('--policies takes --cases, and neither a folder nor --update', TEST_USAGE, io);
    }
    return foreignTest(values.policies, values.schema, values.cases, io);
  }
  if (values.schema !== undefined) return misuse('--schema goes with --policies', TEST_USAGE, io);
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
  const { vetted, engine } = opened;
  const program = { schema: vetted.schema, policies: vetted.enforced };
  const foreign = await cedarTests(values.cases ?? [], engine, program, io);
  return conclude(passed + foreign.passed, failed + foreign.failed, io);
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

async function foreignTest(policies: string, schema: string | undefined, files: readonly string[], io: Io) {
  const texts = await Promise.all([policies, ...(schema === undefined ? [] : [schema])].map(readText));
  const unread = texts.find((text) => typeof text !== 'string');
  if (unread !== undefined) return report([unread as Problem], formatProblem, io);
  const [policyText = '', schemaText = null] = texts as string[];
  const program = foreignProgram(newInstance(), policyText, schemaText);
  if (typeof program === 'string') {
    io.err(`${policies}:1:1: ${program}\n`);
    return FAILED;
  }
  const engine = new Engine();
  const { passed, failed } = await cedarTests(files, engine, program, io);
  return conclude(passed, failed, io);
}

async function cedarTests(files: readonly string[], engine: Engine, program: Program, io: Io) {
  let [passed, failed] = [0, 0];
  for (const file of files) {
    const text = await readText(file);
    const cases = typeof text === 'string' ? readCedarCases(text) : text.message;
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
  return value instanceof JsonFault ? null : value;
}

async function readText(file: string): Promise<string | Problem> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    return { file, line: 1, column: 1, message: `cannot be read (${why}); name a file that is there` };
  }
}

function conclude(passed: number, failed: number, io: Io): number {
  io.out(`${passed} passed, ${failed} failed\n`);
  if (passed + failed === 0) {
    io.err('no case was found; write one into tests/NAME.yaml\n');
    return FAILED;
  }
  return failed === 0 ? DONE : FAILED;
}

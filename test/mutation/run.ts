import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../src/base/fault.ts';
import { corporaDir } from '../support/corpora.ts';
import type { Condition, Mutant } from './mutants.ts';

export const root = join(import.meta.dirname, '..', '..');

export interface Mutation {
  readonly name: string;
  readonly mutants: readonly Mutant[];
  /** All tests that may notice. */
  readonly tests: readonly string[];
  /** Tests that wait for servers more than they compute: their files run side by side. */
  readonly waits?: true;
  /** Those that are likely to notice what became of this file; they run first, in one process. */
  readonly near: (file: string) => readonly string[];
  /** The checks among them that are no statement of their own: each is of a file that has mutants. */
  readonly conditions?: readonly Condition[];
  /** Mutants that no test can notice, by `file: statement`, each with its reason. */
  readonly explained: Readonly<Record<string, string>>;
}

/** Only whether each mutant can be made: what a mutation looks for must stand in the sources. */
export const LIST_ONLY = process.env.MUTATION_LIST === '1';
/** A mutant that runs longer has lost a bound, and so was noticed. */
const PATIENCE_MS = 240_000;
/** A run takes up to an hour: after so many mutants it says how many are to come. */
const TOLD_EVERY = 10;

/**
 * Runs the tests over each mutant, in copies of the project, and reports those that no test notices. The exit code: 1 when
 * one goes unnoticed that is not explained, or an explanation has lost its mutant. Throws where a condition has lost its file.
 */
export async function runMutation(mutation: Mutation): Promise<number> {
  const { name, mutants, tests, conditions = [] } = mutation;
  const lost = conditions.find(([file]) => !mutants.some((mutant) => mutant.file.endsWith(`/${file}`)));
  if (lost !== undefined) throw new Error(`no source is called ${lost[0]}: ${lost[1]}`);
  if (LIST_ONLY) {
    // What is no program any more is noticed by every test, and shows nothing of them.
    for (const { file, what, mutated } of mutants) {
      const broken = brokenBy(mutated);
      if (broken !== null) throw new Error(`${file}: ${what}: ${broken}`);
    }
    process.stdout.write(`mutation ${name}: ${mutants.length} mutants\n`);
    return mutants.length > 0 ? 0 : 1;
  }
  const folders = Array.from({ length: Math.min(availableParallelism(), 4) * (mutation.waits ? 2 : 1) }, copyProject);
  const started = performance.now();
  try {
    if (!(await passes(folders[0]!, tests, mutation.waits, 'inherit'))) {
      process.stderr.write('the tests fail without any mutation\n');
      return 1;
    }
    const survivors: Mutant[] = [];
    const queue = [...mutants];
    const work = async (folder: string) => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        if (!(await noticed(folder, mutant, mutation))) {
          survivors.push(mutant);
          if (!Object.hasOwn(mutation.explained, nameOf(mutant))) tell(mutant);
        }
        if (queue.length % TOLD_EVERY === 0) process.stderr.write(`  ${queue.length} of ${mutants.length} to go\n`);
      }
    };
    await Promise.all(folders.map(work));
    return report(mutation, survivors, performance.now() - started);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** A copy of all that a run reads, in a folder of its own. */
export function copyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'));
  for (const part of ['src', 'test', 'cedar', 'docs', 'envoy', 'proto', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function noticed(folder: string, { file, mutated }: Mutant, mutation: Mutation): Promise<boolean> {
  const { tests, near } = mutation;
  const original = readFileSync(join(folder, file), 'utf8');
  writeFileSync(join(folder, file), mutated);
  try {
    const own = near(file);
    if (own.length > 0 && !(await passes(folder, own))) return true;
    const others = tests.filter((test) => !own.includes(test));
    return others.length > 0 && !(await passes(folder, others, mutation.waits));
  } finally {
    writeFileSync(join(folder, file), original);
  }
}

/** Runs tests in a copy of the project; true when all passed. `output`: where they say which fail. */
function passes(
  folder: string,
  files: readonly string[],
  waits?: true,
  output: 'ignore' | 'inherit' = 'ignore',
): Promise<boolean> {
  const side = waits ? ['--test-concurrency=4'] : ['--test-isolation=none'];
  const flags = ['--test', ...side, '--test-reporter=dot'];
  const child = spawn(process.execPath, [...flags, ...files], {
    cwd: folder,
    stdio: ['ignore', output, output],
    detached: true,
    env: { ...process.env, CORPORA_DIR: corporaDir, CI: 'true' },
  });
  // The whole group: a file that loops is a process of its own.
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), PATIENCE_MS);
  return new Promise<boolean>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  }).finally(() => clearTimeout(late));
}

/** Why a source is no program; null: it is one. */
function brokenBy(source: string): string | null {
  try {
    stripTypeScriptTypes(source);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

const nameOf = ({ file, what }: Mutant): string => `${file.replace('src/', '')}: ${what}`;

function tell({ file, line, what }: Mutant): void {
  process.stdout.write(`  unnoticed: ${file}:${line} ${what}\n`);
}

function report({ name, mutants, explained }: Mutation, survivors: readonly Mutant[], ms: number): number {
  const named = survivors.map((mutant) => ({ ...mutant, name: nameOf(mutant) }));
  const unexplained = named.filter((mutant) => !Object.hasOwn(explained, mutant.name));
  const idle = Object.keys(explained).filter((text) => !named.some((mutant) => mutant.name === text));
  for (const text of idle) process.stdout.write(`  explained, but noticed or gone: ${text}\n`);
  const counts = `${mutants.length} mutants, ${unexplained.length} unnoticed, ${named.length - unexplained.length} explained`;
  process.stdout.write(`mutation ${name}: ${counts}, ${Math.round(ms / 1000)} s\n`);
  return mutants.length > 0 && unexplained.length + idle.length === 0 ? 0 : 1;
}

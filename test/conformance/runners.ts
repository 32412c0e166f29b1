import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CorpusResult } from '../support/corpora.ts';

type Run = () => CorpusResult | Promise<CorpusResult>;

/** Files of this folder that are no runner. */
const others = new Set(['run', 'runners']);

/** The names of all runners: the files of this folder that export `run`. */
export const runnerNames: readonly string[] = globSync('*.ts', { cwd: import.meta.dirname })
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file) => basename(file, '.ts'))
  .filter((name) => !others.has(name))
  .sort();

/** Runs one corpus. A run that executed no case is an error, since it would prove nothing. */
export async function runCorpus(name: string): Promise<CorpusResult> {
  const { run } = (await import(join(import.meta.dirname, `${name}.ts`))) as { run: Run };
  const result = await run();
  if (result.passed + result.failures.length === 0) throw new Error(`${name} executed no case`);
  return result;
}

/** `NAME: N passed, N failed, N excepted`, and the runner's note. */
export function resultLine(name: string, { passed, failures, excepted, note }: CorpusResult): string {
  const counts = `${name}: ${passed} passed, ${failures.length} failed, ${excepted} excepted`;
  return note === undefined ? counts : `${counts} (${note})`;
}

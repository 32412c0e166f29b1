import { readFile } from 'node:fs/promises';
import { isConfig, loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { type Io, MISUSED } from './io.ts';

/** The configuration of a file, or the exit code after all its problems were printed. */
export async function readConfig(file: string, io: Io): Promise<Config | number> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    io.err(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code}); name a file that is there\n`);
    return MISUSED;
  }
  const config = loadConfig(text, file, io.env);
  if (isConfig(config)) return config;
  for (const problem of config) io.err(`${formatProblem(problem)}\n`);
  return MISUSED;
}

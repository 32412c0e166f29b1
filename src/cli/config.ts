import { readFile } from 'node:fs/promises';
import { isConfig, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { formatProblem } from '../source/problem.ts';
import { type Io, UNREAD, unread } from './io.ts';

/**
 * The configuration of a file, or the exit code after all its problems were printed: UNREAD where the file is not there,
 * `faulty` where it holds problems.
 */
export async function readConfig(file: string, io: Io, faulty = UNREAD): Promise<Config | number> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return unread(file, error, io);
  }
  const config = loadConfig(text, file, io.env);
  if (isConfig(config)) return config;
  for (const problem of config) io.err(`${formatProblem(problem)}\n`);
  return faulty;
}

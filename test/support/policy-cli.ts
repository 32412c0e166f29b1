import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { policyCommand } from '../../src/cli/policy.ts';
import type { Finished } from './run.ts';

const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

/** Runs `cedar-ext-authz policy …` in this process. */
export async function policyCli(...args: readonly string[]): Promise<Finished> {
  const said = { stdout: '', stderr: '' };
  const code = await policyCommand(args, {
    out: (text) => {
      said.stdout += text;
    },
    err: (text) => {
      said.stderr += text;
    },
    env: {},
  });
  return { code, ...said };
}

/** Files below a folder, by their paths. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** A copy of the example estate in a folder, with further files. */
export function copyExample(folder: string, files: Readonly<Record<string, string>> = {}): void {
  cpSync(example, folder, { recursive: true });
  writeFiles(folder, files);
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { policyCommand } from '../../src/cli/policy/policy.ts';
import { copyExample } from './estate.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import type { Finished } from './run.ts';

/** Runs `cedar-ext-authz policy …` in this process. */
export const policyCli = (...args: readonly string[]): Promise<Finished> => policyCliWith({}, ...args);

/** The same with an environment. */
export async function policyCliWith(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Finished> {
  const said = { stdout: '', stderr: '' };
  const code = await policyCommand(args, {
    out: (text) => {
      said.stdout += text;
    },
    err: (text) => {
      said.stderr += text;
    },
    env,
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

const folders: string[] = [];

/** A new folder, which `removeFolders` removes. */
export function newFolder(): string {
  const folder = temporaryFolder();
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  folders.splice(0).forEach(removeFolder);
}

/** A copy of the example estate in a new folder, with further files; and where its policies are. */
export function estateCopy(files: Readonly<Record<string, string>> = {}) {
  const root = newFolder();
  copyExample(root);
  writeFiles(root, files);
  return { root, policies: join(root, 'policies') };
}

/** A policy with its id, in two lines. */
export const policy = (id: string, text: string): string => `@id("${id}")\n${text};\n`;

/** A file of one case. */
export function oneCase(...lines: readonly string[]): string {
  return ['cases:', '  - name: a case', ...lines.map((line) => `    ${line}`), ''].join('\n');
}

export const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
export const INVOICE = 'GET payments.internal/api/invoices/42';

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { run } from './run.ts';
import type { Spire } from './spire.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'spire.md'), 'utf8');

/** A fenced block of docs/spire.md, by its language and name. */
export function block(language: string, name: string): string {
  const [, text] = new RegExp(`^\`\`\`${language} ${name}\\n([^]*?)^\`\`\`$`, 'm').exec(page) ?? [];
  if (text === undefined) throw new Error(`docs/spire.md has no block "${language} ${name}"`);
  return text;
}

/** A configuration block of the page. */
export function documentedYaml(name: string): Record<string, unknown> {
  return parse(block('yaml', name)) as Record<string, unknown>;
}

/** Runs a block of commands of the page as it stands, in `cwd`, against this SPIRE. */
export async function runDocumented(
  name: string,
  spire: Spire,
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const script = `${spire.shellFunctions}${block('sh', name)}`;
  const env = { ...process.env, TRUST_DOMAIN: spire.trustDomain, ...variables };
  return await run('bash', ['-euo', 'pipefail', '-c', script], { cwd, env });
}

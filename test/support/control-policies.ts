import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceFile } from '../../src/policy/text/source-file.ts';
import type { ControlSources } from '../../src/policy/text/sources.ts';
import type { Files } from './policy.ts';

const cedar = join(import.meta.dirname, '..', '..', 'cedar');

function read(folder: string, file: string): SourceFile {
  return { file: `${folder}${file}`, text: readFileSync(join(cedar, folder, file), 'utf8') };
}

/** The guardrails of control policies, as the release ships them. */
const guardrails: readonly SourceFile[] = readdirSync(join(cedar, 'guardrails', 'control'))
  .filter((name) => name.endsWith('.cedar'))
  .map((name) => read('guardrails/control/', name));

/** Control policies as if a folder held these files, with the shipped schema and guardrails. */
export function controlSources(files: Files, parts: Partial<ControlSources> = {}): ControlSources {
  return {
    schema: read('', 'control.cedarschema'),
    guardrails,
    policies: Object.entries(files).map(([file, text]) => ({ file, text })),
    ...parts,
  };
}

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finish } from '../support/run.ts';
import { copyProject, LIST_ONLY, root } from './run.ts';

/** One rule that is taken out of a file: texts that it holds once, each with what is left in its place. */
export type Patch = readonly [rule: string, file: string, ...edits: (readonly [text: string, left: string])[]];

/** A soak, and what it has to notice. */
export interface SoakMutation {
  /** The soak and its arguments. */
  readonly args: readonly [name: string, ...rest: readonly string[]];
  /** A seed for all runs, so that what is found once is found again. */
  readonly env: Readonly<Record<string, string>>;
  readonly patches: readonly Patch[];
  /** Only rules that hold this word. */
  readonly word: string;
}

/**
 * Can a soak fail? In a copy of the sources one rule after another is taken out, and the soak is run on the copy: it must find
 * a fault for each, and none without a mutation. The exit code: 1 when a rule makes no difference; throws when one no longer
 * applies.
 */
export async function runSoakMutation({ args, env, patches, word }: SoakMutation): Promise<number> {
  const chosen = patches.filter(([rule]) => rule.includes(word));
  for (const [, file, ...edits] of chosen) edited(readFileSync(join(root, file), 'utf8'), file, edits);
  if (LIST_ONLY) {
    process.stdout.write(`mutation ${args[0]}: ${chosen.length} rules\n`);
    return chosen.length > 0 ? 0 : 1;
  }
  const folder = copyProject();
  let noticed = 0;
  try {
    const without = await firstFault(folder, args, env);
    if (without !== '') throw new Error(`there are faults without any mutation:\n${without}`);
    for (const [rule, file, ...edits] of chosen) {
      const path = join(folder, file);
      const original = readFileSync(path, 'utf8');
      writeFileSync(path, edited(original, file, edits));
      const found = await firstFault(folder, args, env);
      writeFileSync(path, original);
      if (found !== '') noticed++;
      process.stdout.write(`  ${found === '' ? '✗' : '✓'} ${rule}: ${found.slice(0, 160) || 'no difference'}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`mutation ${args[0]}: ${chosen.length} rules taken out one by one, ${noticed} noticed\n`);
  return chosen.length > 0 && noticed === chosen.length ? 0 : 1;
}

/** The text of a file without a rule; throws where it does not hold each part of it once. */
function edited(original: string, file: string, edits: readonly (readonly [text: string, left: string])[]): string {
  let mutated = original;
  for (const [text, left] of edits) {
    if (original.split(text).length !== 2) throw new Error(`${file} does not hold this once: ${text}`);
    mutated = mutated.replace(text, () => left);
  }
  return mutated;
}

/** The first fault that the soak finds in the copy; empty where it finds none. */
async function firstFault(folder: string, args: SoakMutation['args'], env: SoakMutation['env']): Promise<string> {
  const soak = join(folder, 'test', 'soak', 'run.ts');
  const { code, stdout, stderr } = await finish(process.execPath, [soak, ...args], { env: { ...process.env, ...env } });
  if (code === 0) return '';
  if (code === 1 && stdout.includes('WRONG')) return stdout.trim().split('\n')[0] ?? '';
  throw new Error(`the soak did not run: ${stderr}`);
}

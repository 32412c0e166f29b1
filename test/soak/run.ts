import { globSync } from 'node:fs';
import { basename, join } from 'node:path';

/** `npm run soak -- NAME [ARGUMENT…]`: one long run, which prints one line of figures; exit code 1 when it found a fault. */
const names = globSync('*.ts', { cwd: import.meta.dirname })
  .map((file) => basename(file, '.ts'))
  .filter((name) => name !== 'run')
  .sort();
const [name = '', ...rest] = process.argv.slice(2);
if (!names.includes(name)) {
  process.stderr.write(`usage: npm run soak -- NAME [ARGUMENT…], NAME one of ${names.join(', ')}\n`);
  process.exit(64);
}
const { run } = (await import(join(import.meta.dirname, `${name}.ts`))) as {
  run: (args: readonly string[]) => Promise<SoakResult>;
};
const { line, faults } = await run(rest);
for (const fault of faults) process.stdout.write(`  ${fault}\n`);
process.stdout.write(`soak ${name}: ${faults.length === 0 ? 'right' : 'WRONG'}: ${line}\n`);
process.exit(faults.length === 0 ? 0 : 1);

/** What a soak found: its figures in one line, and what was wrong. */
export interface SoakResult {
  readonly line: string;
  readonly faults: readonly string[];
}

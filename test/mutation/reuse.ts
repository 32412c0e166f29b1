import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { finish } from '../support/run.ts';
import { type Patch, patches } from './reuse-patches.ts';
import { copyProject, LIST_ONLY, root } from './run.ts';

/**
 * Can the reuse matrix fail? In a copy of the sources one check after another is deleted, and the matrix is played
 * against the copy's sidecar: at least one cell must turn for each. It is played against the check port, which takes a
 * second; test/e2e/reuse.test.ts plays the same cells through Envoy. `node test/mutation/reuse.ts [WORD]` takes the checks
 * whose name holds the word. Exit code 1 when a deletion turns nothing, or no longer applies.
 */

interface Played {
  readonly played: number;
  readonly wrong: readonly string[];
}

/** How the matrix went in a copy; a text when it could not be played at all. */
async function play(folder: string): Promise<Played | string> {
  const { code, stdout, stderr } = await finish(process.execPath, [join(folder, 'test', 'mutation', 'reuse-play.ts')]);
  if (code !== 0) return stderr.trim().split('\n').slice(0, 6).join('\n    ');
  return JSON.parse(stdout) as Played;
}

/** The cells that turned when the check was deleted, or why that could not be seen. */
async function turned(folder: string, { edits }: Patch): Promise<readonly string[] | string> {
  const originals = new Map(edits.map(({ file }) => [file, readFileSync(join(folder, file), 'utf8')]));
  try {
    for (const { file, text, left } of edits) {
      const now = readFileSync(join(folder, file), 'utf8');
      writeFileSync(
        join(folder, file),
        now.replace(text, () => left),
      );
    }
    const outcome = await play(folder);
    return typeof outcome === 'string' ? `the matrix could not be played:\n    ${outcome}` : outcome.wrong;
  } finally {
    for (const [file, original] of originals) writeFileSync(join(folder, file), original);
  }
}

const isLost = (path: string, text: string): boolean => readFileSync(path, 'utf8').split(text).length !== 2;

async function main(word: string): Promise<number> {
  const chosen = patches.filter(({ check }) => check.includes(word));
  const lost = chosen.flatMap(({ edits }) => edits).find(({ file, text }) => isLost(join(root, file), text));
  if (lost !== undefined) throw new Error(`${lost.file} does not hold this once: ${lost.text}`);
  if (LIST_ONLY) {
    process.stdout.write(`mutation reuse: ${chosen.length} checks\n`);
    return chosen.length > 0 ? 0 : 1;
  }
  const folders = Array.from({ length: Math.min(availableParallelism(), 4) }, copyProject);
  const started = performance.now();
  try {
    const whole = await play(folders[0]!);
    if (typeof whole === 'string' || whole.wrong.length > 0 || whole.played === 0) {
      process.stderr.write(`the matrix is not right without any mutation: ${JSON.stringify(whole, null, 2)}\n`);
      return 1;
    }
    let noticed = 0;
    const queue = [...chosen];
    const work = async (folder: string): Promise<void> => {
      for (let patch = queue.shift(); patch !== undefined; patch = queue.shift()) {
        const cells = await turned(folder, patch);
        if (typeof cells !== 'string' && cells.length > 0) noticed++;
        process.stdout.write(`${lineOf(patch, cells)}\n`);
      }
    };
    await Promise.all(folders.map(work));
    const seconds = Math.round((performance.now() - started) / 1000);
    const counts = `${chosen.length} checks deleted one by one, ${noticed} noticed, ${chosen.length - noticed} not`;
    process.stdout.write(`mutation reuse: ${counts}; ${whole.played} cells each, ${seconds} s\n`);
    return chosen.length > 0 && noticed === chosen.length ? 0 : 1;
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

function lineOf({ check }: Patch, cells: readonly string[] | string): string {
  if (typeof cells === 'string') return `  ✗ ${check}: ${cells}`;
  if (cells.length === 0) return `  ✗ ${check}: no cell turned`;
  return `  ✓ ${check}: ${cells.length} turned, as ${cells[0]}`;
}

process.exit(await main(process.argv[2] ?? ''));

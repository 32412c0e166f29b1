import { createReadStream } from 'node:fs';
import { Fault } from '../base/fault.ts';
import { jsonOf } from '../base/json.ts';
import { Turns } from '../base/slices.ts';
import { LineSplitter } from '../source/json-lines.ts';
import { replaceFile } from '../source/replace-file.ts';
import { BASELINE_BYTES } from './baseline.ts';
import { type StoredBaseline, WorkloadBook } from './workload-book.ts';

/** What the first line names: another one is of another release, or no such file. */
const FORMAT = 'cedar-ext-authz behaviour 1';
/** How long writing holds the thread that serves checks, and how many lines are written at once. */
const [SLICE_MS, AT_ONCE] = [4, 64];

/**
 * Goes on with what a file keeps, or begins with nothing where there is none; `seed` is for the latter. A Fault where the file is
 * something else, or a line of it is: what is there is not to be lost.
 */
export async function readBaselines(file: string, limit: number, seed: number): Promise<WorkloadBook | Fault> {
  const splitter = new LineSplitter();
  let book: WorkloadBook | null = null;
  const take = ({ line, text }: { readonly line: number; readonly text: string | Fault }): Fault | null => {
    const entry = text instanceof Fault ? null : jsonOf(text);
    if (book === null) {
      const first = seedOf(entry);
      if (first === null)
        return new Fault(`${file}:1: no file of behaviour of this release; move it away to begin anew`);
      book = new WorkloadBook(limit, first);
      return null;
    }
    const stored = storedOf(entry);
    if (stored !== null && book.restore(stored)) return null;
    return new Fault(`${file}:${line}: no baseline of a workload; remove the line`);
  };
  try {
    for await (const chunk of createReadStream(file))
      for (const line of splitter.add(chunk as Buffer)) {
        const fault = take(line);
        if (fault !== null) return fault;
      }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new WorkloadBook(limit, seed);
    return new Fault(`${file}: ${(error as Error).message}`);
  }
  const rest = splitter.rest();
  const fault = rest === null ? null : take(rest);
  return fault ?? book ?? new Fault(`${file}:1: no file of behaviour of this release; move it away to begin anew`);
}

/** Keeps what is known in a file that nobody else may read, whole or not at all. Never rejects. */
export async function writeBaselines(file: string, book: WorkloadBook): Promise<Fault | null> {
  try {
    await replaceFile(file, async (handle) => {
      const turns = new Turns(SLICE_MS);
      let lines = [JSON.stringify({ format: FORMAT, seed: book.seed })];
      const flush = async (): Promise<void> => {
        await handle.writeFile(lines.map((line) => `${line}\n`).join(''));
        lines = [];
      };
      for (const { id, groups, bytes } of book.all()) {
        lines.push(JSON.stringify({ workload: id, groups, baseline: Buffer.from(bytes).toString('base64') }));
        if (lines.length >= AT_ONCE) await flush();
        if (turns.over) await turns.next();
      }
      await flush();
    });
    return null;
  } catch (error) {
    return new Fault((error as Error).message);
  }
}

function seedOf(entry: unknown): number | null {
  const { format, seed } = (entry ?? {}) as { readonly format?: unknown; readonly seed?: unknown };
  return format === FORMAT && Number.isInteger(seed) ? (seed as number) >>> 0 : null;
}

function storedOf(entry: unknown): StoredBaseline | null {
  const { workload, groups, baseline } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof workload !== 'string' || typeof baseline !== 'string' || !Array.isArray(groups)) return null;
  const trustDomain = /^spiffe:\/\/([^/]+)\/./.exec(workload)?.[1];
  if (trustDomain === undefined || !groups.every((group) => typeof group === 'string')) return null;
  const bytes = Buffer.from(baseline, 'base64');
  return bytes.length === BASELINE_BYTES ? { id: workload, trustDomain, groups, bytes } : null;
}

import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Fault, messageOf } from '../../base/fault.ts';
import type { Problem } from '../../source/problem.ts';
import { stampOf } from '../../source/stamp.ts';
import type { RevocationColumns } from './revocation-columns.ts';
import type { PlacedName } from './revocation-entries.ts';

export const MAX_BYTES = 64 * 1024 * 1024;
export const MAX_ENTRIES = 200_000;
/** On a machine that is busy. */
const PATIENCE_MS = 60_000;
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './revocation-lines-worker.ts' : './revocation-lines-worker.js',
  import.meta.url,
);

/** What the worker is to read: YAML, and the file of lines where that names it. */
export interface ReadOrder {
  readonly text: string;
  /** Where the text stands. */
  readonly file: string;
  readonly linesPath: string;
}

/** Which content was read. */
export interface LinesRead {
  /** Another one after each write of the file, and the same where it cannot be read for the same reason. */
  readonly stamp: string;
  /** SHA-256 of its bytes; null where they were not read to the end. */
  readonly digest: string | null;
  /** Why it was not read, or is not believed to be whole: what was read of it counts. */
  readonly fault: string | null;
}

/** What the worker found: all good revocations, and what is wrong with the others. */
export interface RevocationsRead {
  /** Null where no file of lines is named. */
  readonly lines: LinesRead | null;
  readonly table: RevocationColumns;
  readonly problems: readonly Problem[];
  readonly names: readonly PlacedName[];
}

/** What the worker answers; `unreadable`: why the text holds no list. */
export type ReadAnswer = RevocationsRead | { readonly unreadable: string };

/** The stamp that the file has now, as in `LinesRead`. Never rejects. */
export async function stampOfLines(path: string): Promise<string> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() && stats.size <= MAX_BYTES ? stampOf(stats) : unreadable(stats);
  } catch (error) {
    return messageOf(error);
  }
}

/** Why no such file is read. */
export const unreadable = (stats: BigIntStats): string =>
  stats.isFile() ? `longer than ${MAX_BYTES} bytes` : 'is no file';

/**
 * Reads revocations in a thread of its own: a hundred thousand take a second or more, and the memory goes with the thread. A
 * Fault where that ends early, or where the text holds no list. Never rejects.
 */
export async function readRevocations(order: ReadOrder, signal: AbortSignal): Promise<RevocationsRead | Fault> {
  const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 16 };
  const worker = new Worker(WORKER, { workerData: order, resourceLimits });
  const { promise, resolve } = Promise.withResolvers<RevocationsRead | Fault>();
  const given = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  given.addEventListener('abort', () => resolve(new Fault(`not read within ${PATIENCE_MS} ms`)));
  worker.on('message', (answer: ReadAnswer) => resolve('unreadable' in answer ? new Fault(answer.unreadable) : answer));
  worker.on('error', (error) => resolve(new Fault(messageOf(error))));
  worker.on('exit', () => resolve(new Fault('the thread that reads it ended')));
  try {
    return await promise;
  } finally {
    await worker.terminate();
  }
}

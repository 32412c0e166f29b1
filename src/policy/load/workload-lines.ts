import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../../base/fault.ts';
import type { EntryLines } from '../../inventory/lines.ts';
import type { EntryTableData } from '../../inventory/table/entry-table.ts';
import type { Problem } from '../../source/problem.ts';
import { stampOf } from '../../source/stamp.ts';
import type { WorkloadsFile } from '../text/sources.ts';

const CHUNK = 1024 * 1024;

/** The file is not the one whose stamp was taken, or cannot be read: it may be, the next time. */
export class WorkloadsUnread extends Error {
  readonly problem: Problem;

  constructor(file: string, message: string) {
    super(message);
    this.problem = { file, line: 1, column: 1, message };
  }
}

/** `workloads.jsonl`, read as a stream by a thread that serves nothing. */
export class WorkloadLines implements EntryLines {
  readonly file: string;
  readonly table: EntryTableData | undefined;
  readonly #source: WorkloadsFile;
  #digest: string | null;

  constructor(source: WorkloadsFile) {
    this.file = source.file;
    this.table = source.loaded?.table;
    this.#source = source;
    this.#digest = source.loaded?.digest ?? null;
  }

  /** `sha256:` and the hex digest; null before it was read to its end. */
  get digest(): string | null {
    return this.#digest;
  }

  /** Throws `WorkloadsUnread` where it is another file than when its stamp was taken, at the begin or at the end. */
  *chunks(): Generator<Uint8Array, void> {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    const descriptor = this.#open();
    try {
      this.#compare(descriptor);
      for (let length = this.#read(descriptor, buffer); length > 0; length = this.#read(descriptor, buffer)) {
        const chunk = buffer.subarray(0, length);
        hash.update(chunk);
        yield chunk;
      }
      this.#compare(descriptor);
    } finally {
      closeSync(descriptor);
    }
    this.#digest ??= `sha256:${hash.digest('hex')}`;
  }

  #open(): number {
    return this.#tried(() => openSync(this.#source.path, constants.O_RDONLY | constants.O_NONBLOCK));
  }

  #read(descriptor: number, buffer: Buffer): number {
    return this.#tried(() => readSync(descriptor, buffer));
  }

  #compare(descriptor: number): void {
    const stats: BigIntStats = this.#tried(() => fstatSync(descriptor, { bigint: true }));
    if (stampOf(stats) !== this.#source.stamp) {
      throw new WorkloadsUnread(this.file, 'was written while it was read; it is read again');
    }
  }

  #tried<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new WorkloadsUnread(this.file, `cannot be read (${messageOf(error)}); is it there, and readable?`);
    }
  }
}

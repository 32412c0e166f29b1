import type { KeyObject } from 'node:crypto';
import { type Held, type LearnedIds, RejectedTexts, type StoreMirror } from '../store-mirror.ts';
import type { TaskKey } from './registry.ts';
import { readMark, type TaskMark } from './task-mark.ts';
import { fieldOf, isBelieved, readRecord, type TaskRecord } from './task-record.ts';
import { TaskTable } from './task-table.ts';

/** What a store lacks: a task that began, with the mark of it, or none. */
export interface LostTask {
  readonly field: string;
  readonly record: string;
  readonly mark: string;
}

/** What was learned, by the ids of tasks. `rejected`: what opens, and no trusted key signed; each such text once. */
export type LearnedTasks = LearnedIds<'begun' | 'ended' | 'rejected'>;

interface TaskMirrorParts {
  readonly namespace: string;
  readonly trustedKeys: () => readonly KeyObject[];
  /** Beyond this a store holds more tasks than it may. */
  readonly most: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What is known of one task beside the table: its name, the texts that a store had, and the full read that had it last. */
interface Known {
  readonly key: TaskKey;
  readonly record: string;
  readonly mark: string;
  readonly seenIn: number;
}

/** What a store holds of a task, as far as it is believed. */
interface Believed {
  readonly record: TaskRecord;
  readonly text: string;
  readonly mark: { readonly mark: TaskMark; readonly keptUntilMs: number } | null;
}

/**
 * The tasks of a store, as far as they were seen: what a check is looked up in. A task began, and lives on, only by what a
 * trusted key signed. One that ended stays ended, and the latest lease counts, whatever the store has later.
 */
export class TaskMirror implements StoreMirror<LostTask, keyof LearnedTasks> {
  readonly #parts: TaskMirrorParts;
  readonly table = new TaskTable();
  /** By the field of the store. */
  readonly #known = new Map<string, Known>();
  readonly #rejected = new RejectedTexts();
  #pass = 0;
  #unreadable = 0;
  #overflowed = false;
  #overflowing = false;

  constructor(parts: TaskMirrorParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.table.size;
  }

  /** Records that could not be read since the last full read began. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Whether there were more than can be held: then nobody knows which are over. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** The record of a task that is known here. */
  recordOf(field: string): TaskRecord | null {
    const known = this.#known.get(field);
    return known === undefined ? null : readRecord(known.record);
  }

  beginPass(): void {
    this.#pass++;
    this.#unreadable = 0;
    this.#overflowing = false;
  }

  endPass(nowMs: number): readonly LostTask[] {
    this.#overflowed = this.#overflowing;
    const lost: LostTask[] = [];
    // At once, however many there are: no digest is made here.
    for (const [field, { key, record, mark, seenIn }] of this.#known) {
      if (seenIn === this.#pass || this.table.find(key.issuer, key.id)!.keptUntilMs <= nowMs) continue;
      lost.push({ field, record, mark });
    }
    return lost;
  }

  async take(held: readonly Held[], lost: LostTask[]): Promise<LearnedTasks> {
    const learned = { begun: [] as string[], ended: [] as string[], rejected: [] as string[] };
    for (const believed of await Promise.all(held.map((one) => this.#read(one, learned.rejected))))
      if (believed !== null) this.#apply(believed, learned, lost);
    return learned;
  }

  dropEnded(beforeMs: number): void {
    for (const task of this.table.values()) if (task.keptUntilMs <= beforeMs) this.#known.delete(fieldOf(task));
    this.table.dropOver(beforeMs);
  }

  /** What of it is believed; null: nothing, or there is nothing. */
  async #read({ record: text, mark }: Held, rejected: string[]): Promise<Believed | null> {
    if (text === null) return null;
    const { namespace, trustedKeys } = this.#parts;
    const record = readRecord(text);
    if (record === null) {
      this.#unreadable++;
      return null;
    }
    const known = this.#known.get(fieldOf(record.task));
    if (known?.record !== text && !(await isBelieved(namespace, record, trustedKeys()))) {
      if (this.#rejected.isNew(text)) rejected.push(record.task.id);
      return null;
    }
    if (mark === null || (known?.record === text && known.mark === mark))
      return { record, text: mark ?? '', mark: null };
    const read = await readMark(namespace, record, mark, trustedKeys());
    if (read === null && this.#rejected.isNew(mark)) rejected.push(record.task.id);
    return { record, text: read === null ? '' : mark, mark: read };
  }

  #apply(believed: Believed, learned: { begun: string[]; ended: string[] }, lost: LostTask[]): void {
    const { record, text, mark } = believed;
    const { task } = record;
    const field = fieldOf(task);
    const before = this.#known.get(field);
    if (before === undefined || this.#givesWay(before, field, record)) {
      // What nobody has to remember is not learned: its name is free.
      if ((mark?.keptUntilMs ?? task.keptUntilMs) <= this.#parts.now()) return;
      if (before === undefined && this.size >= this.#parts.most) {
        this.#overflowing = true;
        this.#overflowed = true;
        return;
      }
      this.table.set(task);
      const key = { issuer: task.issuer, id: task.id };
      this.#known.set(field, { key, record: record.text, mark: '', seenIn: this.#pass });
      learned.begun.push(task.id);
    } else if (before.record !== record.text) return;
    const known = this.#known.get(field)!;
    this.#known.set(field, { ...known, seenIn: this.#pass });
    if (text === known.mark) return;
    if (mark === null || !this.#mark(field, believed, learned)) lost.push(this.asStored(field));
  }

  /** Whether what is known by this name makes way for another beginning: of two that were begun, the first one counts. */
  #givesWay(before: Known, field: string, { task, text }: TaskRecord): boolean {
    if (before.record === text) return false;
    const known = this.table.find(task.issuer, task.id);
    if (known === null || known.keptUntilMs <= this.#parts.now()) return true;
    const first = this.recordOf(field)?.task.registeredAtMs ?? 0;
    return task.registeredAtMs < first || (task.registeredAtMs === first && text < before.record);
  }

  /** Takes a mark, unless what is known goes further. */
  #mark(field: string, { record, text, mark }: Believed, { ended }: { ended: string[] }): boolean {
    const { issuer, id } = record.task;
    const task = this.table.find(issuer, id)!;
    const { mark: said, keptUntilMs } = mark!;
    // Two ends say the same.
    if (task.ended !== null) return said.kind === 'end';
    if (said.kind === 'end') {
      const { atMs, by, reason } = said;
      this.table.set({ ...task, ended: { atMs, by, reason }, keptUntilMs });
      ended.push(id);
    } else {
      if (said.untilMs <= task.leaseUntilMs!) return said.untilMs === task.leaseUntilMs;
      this.table.set({ ...task, leaseUntilMs: said.untilMs, keptUntilMs });
    }
    this.#known.set(field, { ...this.#known.get(field)!, mark: text });
    return true;
  }

  /** A task that is known here, as a store is to have it. */
  asStored(field: string): LostTask {
    const { record, mark } = this.#known.get(field)!;
    return { field, record, mark };
  }
}

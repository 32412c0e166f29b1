import type { KeyObject } from 'node:crypto';
import type { LiftKeys } from '../../lift-keys.ts';
import { MAX_RECORD_BYTES } from '../../store-mirror.ts';
import { isEarly, judgeOrder, leaseFrom } from '../../tasks/orders.ts';
import {
  type RegisteredTask,
  type Registration,
  TASK_BYTES,
  type TaskKey,
  type TaskLimits,
  type TaskLookup,
  type TaskRegistry,
  type TaskResult,
} from '../../tasks/registry.ts';
import { writeMark } from '../../tasks/task-mark.ts';
import { type LearnedTasks, type LostTask, TaskMirror } from '../../tasks/task-mirror.ts';
import { digestOfTask, fieldOf, signedRecord, type TaskRecord } from '../../tasks/task-record.ts';
import type { Link } from '../link.ts';
import { RESTORE_MARKED } from '../marked-scripts.ts';
import { MAX_SKEW_MS } from '../options.ts';
import type { Head } from '../record-queries.ts';
import { type FollowedStore, type RecordEvent, SharedRecords } from '../shared-records.ts';
import { type Unwritten, unavailable, unwritten } from '../writer.ts';
import { Beginnings } from './beginnings.ts';
import { EXTEND, REGISTER, TASK_KEYS, TASK_LOG } from './scripts.ts';

/** Those of a store that holds more than this many times its limit are not followed. */
const MOST_TIMES = 2;

const UNSIGNED: TaskResult = {
  result: 'unsigned',
  detail: 'what opens a task must be signed, and there is no control.key here',
};

export interface RedisRegistryParts extends FollowedStore {
  readonly limits: TaskLimits;
  readonly keys: () => LiftKeys;
  /** Since when the store forgot no count, in milliseconds since the epoch. */
  readonly sinceMs: () => number;
  readonly onEvent: (event: RecordEvent<keyof LearnedTasks>) => void;
}

/**
 * The tasks that several sidecars share. Orders are written to the store on a connection of their own; all that is looked up
 * is the mirror in the memory of this process, which a feed keeps up to date.
 */
export class RedisTaskRegistry implements TaskRegistry {
  readonly #parts: RedisRegistryParts;
  readonly #mirror: TaskMirror;
  readonly #shared: SharedRecords<LostTask, keyof LearnedTasks>;
  readonly #begins = new Beginnings();

  private constructor(parts: RedisRegistryParts) {
    this.#parts = parts;
    const { options, clock, limits, keys, onEvent } = parts;
    this.#mirror = new TaskMirror({
      namespace: options.namespace,
      trustedKeys: () => keys().trusted,
      most: MOST_TIMES * limits.all,
      now: clock.now,
    });
    this.#shared = new SharedRecords(parts, {
      what: 'tasks',
      names: TASK_KEYS,
      log: TASK_LOG,
      mirror: this.#mirror,
      restore: RESTORE_MARKED,
      limits: [String(limits.all), String(limits.all * TASK_BYTES)],
      argsOf,
      refused: (word) => this.#refusedBy(word).detail,
      onEvent,
    });
  }

  /** Begins to follow the store; resolves after the first full read, or when that takes long. */
  static async start(parts: RedisRegistryParts): Promise<RedisTaskRegistry> {
    const registry = new RedisTaskRegistry(parts);
    await registry.#shared.start();
    return registry;
  }

  get lookup(): TaskLookup {
    return this.#mirror.table;
  }

  /** Why nobody knows which tasks are active at `nowMs`; null: it is known. */
  unknown(nowMs: number): string | null {
    return this.#overflow() ?? this.#shared.unknown(nowMs);
  }

  /** Milliseconds since they were up to date; null: never. */
  stalenessMs(nowMs: number): number | null {
    return this.#shared.stalenessMs(nowMs);
  }

  /** Other keys are trusted now. */
  keysChanged(): void {
    this.#shared.feed.resyncSoon();
  }

  /** What the store told of itself last, and records of it that could not be read. */
  status(): { readonly head: Head | null; readonly unreadable: number } {
    return { head: this.#shared.feed.head, unreadable: this.#mirror.unreadable };
  }

  all(): Iterable<RegisteredTask> {
    return this.#mirror.table.values();
  }

  async register(asked: Registration, keptMs: number, nowMs: number): Promise<TaskResult> {
    const judge = () => judgeOrder(this.#mirror.table, asked, this.#parts.limits, this.#begins, nowMs);
    const unread = this.#unread(nowMs);
    if (unread !== null) return unavailable(unread);
    let judged = judge();
    if (judged.result === 'new') {
      const { signing } = this.#parts.keys();
      if (signing === null) return UNSIGNED;
      const waitMs = isBudgeted(asked) ? this.#parts.sinceMs() - nowMs : 0;
      if (waitMs > 0) return unavailable(`the store began a new history; ask again in ${Math.ceil(waitMs / 1000)} s`);
      const release = this.#begins.reserve(judged.order.workloads);
      const begun = await this.#begin(judged.order, { keptMs, atMs: nowMs }, signing);
      release();
      if (begun !== 'held') return begun;
      judged = judge();
    }
    if (judged.result === 'known') return unchanged(judged.task, judged.task.registeredAtMs);
    return judged.result === 'new' ? unavailable('the store holds something else by this name') : judged;
  }

  async heartbeat(key: TaskKey, by: string, nowMs: number): Promise<TaskResult> {
    const unread = this.#unread(nowMs);
    if (unread !== null) return unavailable(unread);
    const task = this.lookup.find(key.issuer, key.id);
    const record = this.#mirror.recordOf(fieldOf(key));
    if (task === null || record === null) return { result: 'unknown' };
    const state = this.lookup.stateOf(task, nowMs);
    if (state !== 'active') return { result: 'over', state };
    if (isEarly(task, nowMs)) return unchanged(task, nowMs);
    const { signing } = this.#parts.keys();
    if (signing === null) return UNSIGNED;
    const [beforeMs, untilMs] = [task.leaseUntilMs!, leaseFrom(task, nowMs)!];
    const lease = this.#mark(record, { kind: 'lease', atMs: nowMs, beforeMs, untilMs, by }, signing);
    const written = await this.#shared.writer.write(EXTEND, [fieldOf(key), record.text, lease, String(beforeMs)]);
    if ('result' in written) return written;
    const [word, end] = written.words;
    switch (word) {
      case 'stored':
        return this.#taken(written.link, record, lease, nowMs);
      case 'over':
        await this.#take(record.text, end ?? null);
        return { result: 'over', state: 'ended' };
      case 'lapsed':
        return { result: 'over', state: 'lapsed' };
      case 'other':
        return unavailable('the store lost the task, or holds something else by its name; ask again');
      default:
        return this.#refusedBy(word);
    }
  }

  async end(key: TaskKey, by: string, reason: string, nowMs: number): Promise<TaskResult> {
    const task = this.lookup.find(key.issuer, key.id);
    const record = this.#mirror.recordOf(fieldOf(key));
    if (task === null || record === null) {
      const unknown = this.unknown(nowMs);
      return unknown === null ? { result: 'unknown' } : unavailable(unknown);
    }
    if (task.ended !== null) return unchanged(task, task.ended.atMs);
    const openMs = latestLease(task, nowMs);
    const end = this.#mark(record, { kind: 'end', atMs: nowMs, openMs, by, reason }, this.#parts.keys().signing);
    const limits = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER].map(String);
    const ended = { ...this.#mirror.asStored(fieldOf(key)), mark: end };
    const written = await this.#shared.writer.write(RESTORE_MARKED, [...limits, ...argsOf(ended)]);
    if ('result' in written) return written;
    return written.words[0] === 'done'
      ? this.#taken(written.link, record, end, nowMs)
      : this.#refusedBy(written.words[0]);
  }

  stop(): Promise<void> {
    return this.#shared.stop();
  }

  /** Why nothing can be ordered: what is a little old is enough, since the store judges by what it has. */
  #unread(nowMs: number): string | null {
    return this.#overflow() ?? this.#shared.unread(nowMs);
  }

  #overflow(): string | null {
    return this.#mirror.overflowed ? 'the store holds more tasks than it may' : null;
  }

  /** Writes a beginning; 'held' where the store has another one by its name, which is known then. */
  async #begin(
    order: Registration,
    kept: { readonly keptMs: number; readonly atMs: number },
    signing: KeyObject,
  ): Promise<TaskResult | 'held'> {
    const { options, limits } = this.#parts;
    const record = signedRecord(options.namespace, order, kept, signing);
    if (record.length > MAX_RECORD_BYTES) return { result: 'full', detail: `it is longer than ${MAX_RECORD_BYTES}` };
    const bounds = [limits.all, limits.all * TASK_BYTES, kept.atMs, MAX_SKEW_MS].map(String);
    const written = await this.#shared.writer.write(REGISTER, [fieldOf(order), record, ...bounds]);
    if ('result' in written) return written;
    const [word, held, mark] = written.words;
    if (word === 'held') {
      await this.#take(held ?? '', mark || null);
      return 'held';
    }
    if (word !== 'stored') return this.#refusedBy(word);
    await this.#take(record, null);
    return this.#confirmed(written.link, order, kept.atMs);
  }

  #mark(record: TaskRecord, mark: Parameters<typeof writeMark>[2], key: KeyObject | null): string {
    return writeMark(this.#parts.options.namespace, record, mark, key);
  }

  async #taken(link: Link, record: TaskRecord, mark: string, atMs: number): Promise<TaskResult> {
    await this.#take(record.text, mark);
    return this.#confirmed(link, record.task, atMs);
  }

  /** Takes what the store holds now, as the feed would a little later. */
  async #take(record: string, mark: string | null): Promise<void> {
    const learned = await this.#mirror.take([{ record, mark }], []);
    this.#parts.onEvent({ kind: 'learned', ...learned });
  }

  async #confirmed(link: Link, { issuer, id }: TaskKey, atMs: number): Promise<TaskResult> {
    const task = this.lookup.find(issuer, id);
    if (task === null) return unavailable('no trusted key signed what was written');
    const confirmed = await this.#shared.writer.confirmed(link, 'stored', atMs);
    return confirmed.result === 'unavailable' || confirmed.result === 'full' ? confirmed : { ...confirmed, task };
  }

  /** What the store answered instead of taking an order. */
  #refusedBy(word: string | undefined): Unwritten {
    const { all } = this.#parts.limits;
    return unwritten(word, `${all} tasks, or ${all * TASK_BYTES} bytes of them`);
  }
}

/** What it used before a history began would not be known. */
const isBudgeted = ({ budgets }: Registration): boolean => Object.values(budgets).some((budget) => budget !== null);

/** Until when a lease could last that somebody else gives at this moment, by another clock. */
const latestLease = ({ leaseMs, leaseUntilMs, endsAtMs }: RegisteredTask, nowMs: number): number =>
  leaseMs === null ? endsAtMs : Math.max(leaseUntilMs!, Math.min(nowMs + leaseMs + MAX_SKEW_MS, endsAtMs));

const argsOf = ({ field, record, mark }: LostTask): readonly string[] => [
  field,
  digestOfTask({ text: record }),
  record,
  mark,
];

const unchanged = (task: RegisteredTask, atMs: number): TaskResult => ({
  result: 'unchanged',
  task,
  atMs,
  replicas: null,
  covers: 'store',
});

import type { KeyObject } from 'node:crypto';
import { jsonOf } from '../../base/json.ts';
import { isSigned, signText } from '../signature.ts';
import { digestOfTask, type TaskRecord } from './task-record.ts';

const DOMAIN = 'cedar-ext-authz task mark 1';
/** Anybody who can write can write an end: it takes no more than the longest of those that are ordered, however it is escaped. */
const MAX_MARK_CHARS = 16 * 1024;
const MAX_NAMED_CHARS = 2048;
/** Of 15 digits, as the scripts read them, and within what a Date can say. */
const LATEST_MS = 999_999_999_999_999;

/** Times are milliseconds since the epoch. */
interface Lease {
  readonly kind: 'lease';
  readonly atMs: number;
  /** When the lease before would have run out. */
  readonly beforeMs: number;
  readonly untilMs: number;
  readonly by: string;
}

interface End {
  readonly kind: 'end';
  readonly atMs: number;
  /** Until then a lease that was given before could be shown as the last one. */
  readonly openMs: number;
  readonly by: string;
  readonly reason: string;
}

/** What marks a task that began: its last lease, or its end. */
export type TaskMark = Lease | End;

/**
 * Writes a mark of a task as stores hold it: until when the task is remembered by it, until when it lives (0: it has ended), and
 * JSON. What opens must be signed; an end that nobody signed (`key` null) counts too, and is remembered longer.
 */
export function writeMark(namespace: string, record: TaskRecord, mark: TaskMark, key: KeyObject | null): string {
  const signature = key === null ? '' : signText(DOMAIN, signedOf(namespace, record, mark), key);
  return textOf(record, mark, signature);
}

/** What a mark of this task says; null where it is none, or one that opens and that no key signed. Never rejects. */
export async function readMark(
  namespace: string,
  record: TaskRecord,
  text: string,
  keys: readonly KeyObject[],
): Promise<{ readonly mark: TaskMark; readonly keptUntilMs: number } | null> {
  const [, json] = /^\d{1,15} \d{1,15} (\[.*\])$/s.exec(text) ?? [];
  const parts = json === undefined || text.length > MAX_MARK_CHARS ? null : jsonOf(json);
  if (!Array.isArray(parts)) return null;
  const signature = parts.at(-1) as unknown;
  const mark = markOf(parts.slice(0, -1));
  if (mark === null || typeof signature !== 'string' || textOf(record, mark, signature) !== text) return null;
  const isOurs = signature !== '' && (await isSigned(DOMAIN, signedOf(namespace, record, mark), keys, signature));
  if (mark.kind === 'lease' && !(isOurs && isInTime(record, mark))) return null;
  // Whoever writes an end that nobody signed must not say how soon it is forgotten.
  return { mark, keptUntilMs: keptUntil(record, mark, isOurs) };
}

/** Whether a lease goes on where the one before ended, and is no longer than it may be. */
function isInTime({ task }: TaskRecord, { atMs, beforeMs, untilMs }: Lease): boolean {
  if (task.leaseMs === null || task.leaseUntilMs === null || beforeMs < task.leaseUntilMs) return false;
  return atMs < beforeMs && untilMs <= Math.min(atMs + task.leaseMs, task.endsAtMs);
}

function markOf(parts: readonly unknown[]): TaskMark | null {
  const [kind, atMs, number, ...rest] = parts;
  if (![atMs, number].every(isTime)) return null;
  const [first, second, ...more] = rest;
  if (kind === 'lease' && isTime(first) && isNamed(second) && more.length === 0)
    return { kind, atMs: atMs as number, beforeMs: number as number, untilMs: first, by: second };
  if (kind === 'end' && isNamed(first) && isNamed(second) && more.length === 0)
    return { kind, atMs: atMs as number, openMs: number as number, by: first, reason: second };
  return null;
}

const isTime = (one: unknown): one is number =>
  Number.isSafeInteger(one) && (one as number) >= 0 && (one as number) <= LATEST_MS;
const isNamed = (one: unknown): one is string => typeof one === 'string' && one.length <= MAX_NAMED_CHARS;

function keptUntil({ task }: TaskRecord, mark: TaskMark, isOurs: boolean): number {
  if (mark.kind === 'lease') return mark.untilMs + task.keptMs;
  const openMs = isOurs ? Math.min(mark.openMs, task.endsAtMs) : task.endsAtMs;
  return Math.max(openMs, task.leaseUntilMs ?? task.endsAtMs) + task.keptMs;
}

const partsOf = (mark: TaskMark): readonly unknown[] =>
  mark.kind === 'lease'
    ? [mark.kind, mark.atMs, mark.beforeMs, mark.untilMs, mark.by]
    : [mark.kind, mark.atMs, mark.openMs, mark.by, mark.reason];

function textOf(record: TaskRecord, mark: TaskMark, signature: string): string {
  const untilMs = mark.kind === 'lease' ? mark.untilMs : 0;
  const kept = keptUntil(record, mark, signature !== '');
  return `${kept} ${untilMs} ${JSON.stringify([...partsOf(mark), signature])}`;
}

const signedOf = (namespace: string, record: TaskRecord, mark: TaskMark): string =>
  JSON.stringify([namespace, digestOfTask(record), ...partsOf(mark)]);

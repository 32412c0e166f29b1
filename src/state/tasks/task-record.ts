import { hash, type KeyObject } from 'node:crypto';
import { isIdentifier } from '../../base/identifier.ts';
import { jsonOf } from '../../base/json.ts';
import { isSigned, signText } from '../signature.ts';
import { MAX_RECORD_BYTES } from '../store-mirror.ts';
import { leaseFrom } from './orders.ts';
import type { RegisteredTask, Registration, TaskKey } from './registry.ts';

const DOMAIN = 'cedar-ext-authz task 1';
const MAX_WORKLOADS = 16;

/** What a store holds of the beginning of a task: what the record says, and its text. */
export interface TaskRecord {
  readonly task: RegisteredTask;
  readonly text: string;
  readonly signature: string;
}

/**
 * Signs the beginning of a task for one namespace and writes it as stores hold it: until when it is remembered without another
 * heartbeat, for their scripts, and JSON. Times are milliseconds since the epoch.
 */
export function signedRecord(
  namespace: string,
  order: Registration,
  { keptMs, atMs }: { readonly keptMs: number; readonly atMs: number },
  key: KeyObject,
): string {
  const task = begunTask(order, keptMs, atMs);
  return textOf(task, signText(DOMAIN, signedOf(namespace, task), key));
}

/** What a record says, whoever wrote it; null where it is none, or not written as `signedRecord` writes it. */
export function readRecord(text: string): TaskRecord | null {
  const [, json] = /^\d{1,15} (\[.*\])$/s.exec(text) ?? [];
  const parts = json === undefined || text.length > MAX_RECORD_BYTES ? null : jsonOf(json);
  if (!Array.isArray(parts) || parts.length !== 15) return null;
  const [issuer, id, purpose, owner, workloads, parent, endsAtMs, leaseMs, ...more] = parts as readonly unknown[];
  const [calls, writes, resources, by, reason, kept, signature] = more;
  const [atMs, keptMs] = Array.isArray(kept) ? (kept as readonly unknown[]) : [];
  const texts = [issuer, id, purpose, by, reason, signature].every((one) => typeof one === 'string');
  const numbers = [endsAtMs, atMs, keptMs].every(isCount);
  if (!texts || !numbers || ![leaseMs, calls, writes, resources].every((one) => one === null || isCount(one)))
    return null;
  if (!isIdentifier(id as string) || (owner !== null && typeof owner !== 'string')) return null;
  if (!isTexts(workloads) || workloads.length === 0 || workloads.length > MAX_WORKLOADS) return null;
  if (parent !== null && !(isTexts(parent) && parent.length === 2)) return null;
  const above: TaskKey | null = parent === null ? null : { issuer: parent[0]!, id: parent[1]! };
  const order = {
    ...{ issuer, id, purpose, owner, workloads, parent: above, endsAtMs, leaseMs, by, reason },
    budgets: { calls, writes, resources },
  } as Registration;
  const task = begunTask(order, keptMs as number, atMs as number);
  return textOf(task, signature as string) === text ? { task, text, signature: signature as string } : null;
}

/** Whether one of the keys signed it for this namespace. Never rejects. */
export const isBelieved = (namespace: string, { task, signature }: TaskRecord, keys: readonly KeyObject[]) =>
  isSigned(DOMAIN, signedOf(namespace, task), keys, signature);

/** By which a lease and an end name the very beginning that they belong to. */
export const digestOfTask = ({ text }: Pick<TaskRecord, 'text'>): string => hash('sha256', text, 'base64url');

/** The field of a task in a store: of one length, whatever its names. */
export const fieldOf = ({ issuer, id }: TaskKey): string => hash('sha256', JSON.stringify([issuer, id]), 'base64url');

/** A task as it begins. */
function begunTask(order: Registration, keptMs: number, atMs: number): RegisteredTask {
  const leaseUntilMs = leaseFrom(order, atMs);
  const keptUntilMs = (leaseUntilMs ?? order.endsAtMs) + keptMs;
  return { ...order, registeredAtMs: atMs, leaseUntilMs, ended: null, keptMs, keptUntilMs, origin: 'store' };
}

function partsOf(task: RegisteredTask): readonly unknown[] {
  const { issuer, id, purpose, owner, workloads, parent, endsAtMs, leaseMs, budgets, by, reason } = task;
  const above = parent === null ? null : [parent.issuer, parent.id];
  return [
    ...[issuer, id, purpose, owner, workloads, above, endsAtMs, leaseMs],
    ...[budgets.calls, budgets.writes, budgets.resources, by, reason, [task.registeredAtMs, task.keptMs]],
  ];
}

const textOf = (task: RegisteredTask, signature: string): string =>
  `${task.keptUntilMs} ${JSON.stringify([...partsOf(task), signature])}`;

const signedOf = (namespace: string, task: RegisteredTask): string =>
  JSON.stringify([namespace, 'begin', ...partsOf(task)]);

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

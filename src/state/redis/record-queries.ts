import { Fault } from '../../base/fault.ts';
import type { Held } from '../store-mirror.ts';
import type { Link, Reply } from './link.ts';
import { PAGE, READ } from './record-scripts.ts';

/** What the store tells of the records of one kind with every answer. */
export interface Head {
  /** The history that the data has, where it is one of this server; else null. */
  readonly history: string | null;
  readonly serverMs: number;
  /** Replicas that are connected, and answer. */
  readonly replicas: number;
  /** The number of the last change. */
  readonly seq: number;
  readonly records: number;
  readonly marks: number;
  readonly bytes: number;
}

/** An answer of the store: the head, and what was asked for. */
export interface ReadRecords {
  readonly head: Head;
  readonly held: readonly Held[];
}

const OTHER = new Fault('the store answered with something else than it was asked for');

/** What the store holds of these fields. Never rejects. */
export async function readFields(
  link: Link,
  keys: readonly string[],
  fields: readonly string[],
  timeoutMs: number,
): Promise<ReadRecords | Fault> {
  const reply = await link.run(READ, keys, fields, timeoutMs);
  return reply instanceof Fault ? reply : (answerOf(reply, 0) ?? OTHER);
}

/** One page of everything, and the cursor of the next one. Never rejects. */
export async function readPage(
  link: Link,
  keys: readonly string[],
  cursor: string,
  count: number,
  timeoutMs: number,
): Promise<(ReadRecords & { readonly cursor: string }) | Fault> {
  const reply = await link.run(PAGE, keys, [cursor, String(count)], timeoutMs);
  if (reply instanceof Fault) return reply;
  const answer = answerOf(reply, 1);
  const next = Array.isArray(reply) ? (reply as readonly Reply[])[HEAD_LENGTH] : null;
  return answer === null || typeof next !== 'string' ? OTHER : { ...answer, cursor: next };
}

/**
 * The fields that changed after number `after`, in the order of the changes, waiting for the first for up to `blockMs`; null
 * where numbers are missing between them. Never rejects.
 */
export async function changedFields(
  link: Link,
  log: string,
  { after, most, blockMs, timeoutMs }: ChangesAsked,
): Promise<readonly string[] | null | Fault> {
  const block = blockMs === 0 ? [] : ['BLOCK', String(blockMs)];
  const args = ['XREAD', 'COUNT', String(most), ...block, 'STREAMS', log, `${after}-0`];
  const reply = await link.call(args, blockMs + timeoutMs);
  if (reply instanceof Fault) return reply;
  if (reply === null) return [];
  const [stream] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
  const entries = Array.isArray(stream) ? (stream as readonly Reply[])[1] : null;
  if (!Array.isArray(entries)) return OTHER;
  const fields: string[] = [];
  for (const entry of entries as readonly Reply[]) {
    const [id, pair] = Array.isArray(entry) ? (entry as readonly Reply[]) : [];
    const field = Array.isArray(pair) ? (pair as readonly Reply[])[1] : null;
    if (id !== `${after + fields.length + 1}-0` || typeof field !== 'string') return null;
    fields.push(field);
  }
  return fields;
}

interface ChangesAsked {
  readonly after: number;
  readonly most: number;
  readonly blockMs: number;
  readonly timeoutMs: number;
}

const HEAD_LENGTH = 8;

/** `more`: members between the head and what was asked for. */
function answerOf(reply: Reply, more: number): ReadRecords | null {
  if (!Array.isArray(reply)) return null;
  const [known, id, ...rest] = reply as readonly Reply[];
  const numbers = rest.slice(0, HEAD_LENGTH - 2);
  if (typeof known !== 'string' || typeof id !== 'string' || numbers.length < HEAD_LENGTH - 2) return null;
  if (!numbers.every((number) => Number.isSafeInteger(number))) return null;
  const [serverMs, replicas, seq, records, marks, bytes] = numbers as readonly number[];
  const history = known.startsWith(`${id} `) ? known : null;
  const held: Held[] = [];
  const pairs = rest.slice(HEAD_LENGTH - 2 + more);
  for (let at = 0; at + 1 < pairs.length; at += 2)
    held.push({ record: textOf(pairs[at]), mark: textOf(pairs[at + 1]) });
  return {
    head: {
      history,
      serverMs: serverMs!,
      replicas: replicas!,
      seq: seq!,
      records: records!,
      marks: marks!,
      bytes: bytes!,
    },
    held,
  };
}

const textOf = (reply: Reply | undefined): string | null => (typeof reply === 'string' ? reply : null);

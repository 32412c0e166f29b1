import { Fault } from '../../base/fault.ts';
import type { Link, Reply } from './link.ts';
import { MAX_SKEW_MS } from './options.ts';
import { ADOPT, LOOK } from './scripts.ts';

/** What LOOK gives. */
export interface Looked {
  /** The history that the data has; empty when it has none. */
  readonly known: string;
  /** The id of the server, with which a history of its own begins. */
  readonly id: string;
  readonly serverMs: number;
  /** Used proofs, as they are counted. */
  readonly entries: number;
  /** Counts and their members, in the same way. */
  readonly counts: number;
  /** Accounts on which something was opened, in the same way. */
  readonly accounts: number;
}

/** What ADOPT gives: a history, or none where the clocks differ. */
export interface Adopted {
  readonly result: 'known' | 'skew';
  readonly known: string;
  readonly serverMs: number;
}

const OTHER = new Fault('the store answered with something else than it was asked for');

/** Asks for the history, the clock and the counts. Never rejects. */
export async function look(link: Link, keys: readonly string[], timeoutMs: number): Promise<Looked | Fault> {
  const reply = await link.run(LOOK, keys, [], timeoutMs);
  if (reply instanceof Fault) return reply;
  const [known, id, serverMs, entries, counts, accounts] = listOf(reply);
  if (typeof known !== 'string' || typeof id !== 'string' || !isCount(serverMs)) return OTHER;
  if (!isCount(entries) || !isCount(counts) || !isCount(accounts)) return OTHER;
  return { known, id, serverMs, entries, counts, accounts };
}

/**
 * Asks for a history that can be used, which begins now where there is none: none of the same server that began before
 * `latest`, and not the one `inDoubt`. `nowMs`: milliseconds since the epoch. Never rejects.
 */
export async function adopt(
  link: Link,
  key: string,
  { nowMs, latest, inDoubt }: { readonly nowMs: number; readonly latest: string; readonly inDoubt: string },
  timeoutMs: number,
): Promise<Adopted | Fault> {
  const args = [String(nowMs), String(MAX_SKEW_MS), latest, inDoubt];
  const reply = await link.run(ADOPT, [key], args, timeoutMs);
  if (reply instanceof Fault) return reply;
  const [result, known, serverMs] = listOf(reply);
  if ((result !== 'known' && result !== 'skew') || typeof known !== 'string' || !isCount(serverMs)) return OTHER;
  return result === 'known' && Number.isNaN(beginningOf(known)) ? OTHER : { result, known, serverMs };
}

/** When a history began, in milliseconds since the epoch by the store's clock; NaN where the text names none. */
export const beginningOf = (history: string): number => Number(/ (\d{1,15})$/.exec(history)?.[1] ?? Number.NaN);

const listOf = (reply: Reply): readonly Reply[] => (Array.isArray(reply) ? (reply as readonly Reply[]) : []);

const isCount = (value: Reply | undefined): value is number => typeof value === 'number' && Number.isSafeInteger(value);

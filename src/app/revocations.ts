import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/schema.ts';
import { Refresher } from '../source/refresher.ts';
import { JoinedBook } from '../state/joined-book.ts';
import { ProcessBook } from '../state/process-book.ts';
import type { RevocationBook } from '../state/revocation-book.ts';
import { type RevocationFile, readRevocationFile } from '../state/revocation-file.ts';
import { type RevocationLookup, Revocations } from '../state/revocations.ts';
import type { Reporters } from './changes.ts';
import type { Part } from './part.ts';

/** How often the file is read whatever the watcher reports. */
const REFRESH_MS = 10_000;
const LEAST_MS = 200;

/** The revocations of the configuration's file, which is watched, and those that are ordered. */
export interface RevocationsPart extends Part {
  /** What takes orders, and lists what applies. */
  readonly book: RevocationBook;
  /** What applies at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => RevocationLookup | Fault;
  /** How many are in force at `nowMs`; null while nobody knows. */
  readonly inForce: (nowMs: number) => number | null;
  /** Counts the changes of what applies. */
  readonly generation: () => number;
  /** What is wrong with the file as it is now, one line each: it is not, or not alone, what applies. */
  readonly problems: () => readonly string[];
}

/** Called after each read: what applied before and what applies now (null: nothing could be read yet), and the faults. */
export type OnRevocations = (before: Revocations | null, now: Revocations | null, problems: readonly string[]) => void;

/** Reads the file of `revocations.file`, if there is one, and goes on reading it; takes orders for this process. */
export async function startRevocations({ revocations }: Config, onRead: OnRevocations): Promise<RevocationsPart> {
  const { file } = revocations;
  let applying: Revocations | null = file === null ? new Revocations() : null;
  let generation = 0;
  let problems: readonly string[] = [];
  const refresher =
    file === null
      ? null
      : new Refresher<RevocationFile>({
          clock: systemClock,
          files: [file],
          maxStaleMs: Number.MAX_SAFE_INTEGER,
          leastMs: LEAST_MS,
          refreshMs: () => REFRESH_MS,
          read: (signal, last) => readRevocationFile(file, signal, last),
          onRead: (read, last) => {
            problems = read instanceof Fault ? [read.detail] : read.problems;
            const before = applying;
            // A look at an unchanged file changes nothing: retries of checks between two looks are no second uses.
            const now = read === last ? before : nextOf(before, read);
            if (now !== before) generation++;
            applying = now;
            onRead(before, now, problems);
          },
        });
  await refresher?.refresh();
  const unread = new Fault(`the revocations in ${file} could not be read`);
  const book = new JoinedBook(() => applying, new ProcessBook(() => generation++));
  const inForce = (nowMs: number) => (applying === null ? null : inForceOf(book, nowMs));
  return {
    book,
    current: () => (applying === null ? unread : book.lookup),
    inForce,
    generation: () => generation,
    problems: () => problems,
    missing: () => (applying === null ? [unread.detail] : []),
    status: (nowMs) => ({ revocations: { inForce: inForce(nowMs), problems } }),
    stop: () => refresher?.stop(),
  };
}

function inForceOf(book: RevocationBook, nowMs: number): number {
  let count = 0;
  for (const { revocation } of book.all()) if (nowMs < revocation.untilMs) count++;
  return count;
}

/**
 * What applies after a read. Nothing is lifted by a file that has a fault; at the start it must have none, since nobody
 * knows what the entry that cannot be read would have refused.
 */
function nextOf(before: Revocations | null, read: RevocationFile | Fault): Revocations | null {
  if (read instanceof Fault) return before;
  if (read.problems.length === 0) return read.revocations;
  return before === null ? null : before.with(read.revocations);
}

/** Reports what changed, and what is wrong with the file, to log, audit and metrics; the same fault once. */
export function revocationEvents({ log, metrics, audit }: Reporters): OnRevocations {
  let reported = '';
  return (before, now, problems) => {
    metrics.revocationsRead(problems.length > 0 ? 'refused' : 'loaded');
    const text = problems.join('\n');
    if (problems.length > 0 && text !== reported) {
      if (now === null) log.error('there are no revocations', { problems });
      else log.error('revocations refused in part, lifting nothing', { problems });
      audit.change({ event: 'revocations-refused', problems });
    }
    reported = text;
    if (now === null || now === before) return;
    const { added, changed, lifted } = now.since(before ?? new Revocations(), systemClock.now());
    if (before !== null && added.length + changed.length + lifted.length === 0) return;
    log.info('revocations read', { added, changed, lifted });
    audit.change({ event: 'revocations-changed', added, changed, lifted });
  };
}

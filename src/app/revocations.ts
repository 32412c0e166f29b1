import { hash } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/schema.ts';
import { Refresher } from '../source/refresher.ts';
import { JoinedBook } from '../state/joined-book.ts';
import { LiftKeySource, type LiftKeys } from '../state/lift-keys.ts';
import { ProcessBook } from '../state/process-book.ts';
import type { BookEvent, RedisBook } from '../state/redis/book.ts';
import type { RedisState } from '../state/redis/store.ts';
import type { RevocationBook } from '../state/revocation-book.ts';
import { type RevocationFile, readRevocationFile } from '../state/revocation-file.ts';
import { type RevocationLookup, Revocations } from '../state/revocations.ts';
import type { Reporters } from './changes.ts';
import type { Part } from './part.ts';

/** How often the file is read whatever the watcher reports. */
const REFRESH_MS = 10_000;
const LEAST_MS = 200;
const MAX_SHOWN = 16;

/** The revocations of the configuration's file, which is watched, and those that are ordered. */
export interface RevocationsPart extends Part {
  /** What takes orders, and lists what applies. */
  readonly book: RevocationBook;
  /** What applies at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => RevocationLookup | Fault;
  /** How many are in force at `nowMs`; null while nobody knows. */
  readonly inForce: (nowMs: number) => number | null;
  /** Names what applies: another text after each change, and the same on sidecars that know the same. */
  readonly revision: () => string;
  /** What is wrong with the file as it is now, one line each: it is not, or not alone, what applies. */
  readonly problems: () => readonly string[];
  /** Those that the store holds; null where they are ordered in this process alone. */
  readonly stored: RedisBook | null;
}

/** Who is told of changes. */
export interface RevocationReports {
  /** After each read of the file: what applied before and what applies now (null: nothing could be read yet), and the faults. */
  readonly onRead: (before: Revocations | null, now: Revocations | null, problems: readonly string[]) => void;
  readonly onOrdered: (event: BookEvent) => void;
  readonly onKeys: (read: LiftKeys | Fault, before: LiftKeys | null) => void;
}

/**
 * Reads the file of `revocations.file`, if there is one, and goes on reading it; takes orders for the store that is shared, or
 * for this process.
 */
export async function startRevocations(
  config: Config,
  shared: RedisState | null,
  reports: RevocationReports,
): Promise<RevocationsPart> {
  const file = await startFile(config.revocations.file, reports);
  const ordered = await startOrdered(config, shared, reports);
  const { stored } = ordered;
  const book = new JoinedBook(file.applying, ordered.book);
  const missing = (nowMs: number) => [...file.missing(), ...ordered.missing(nowMs)];
  const inForce = (nowMs: number) => (missing(nowMs).length > 0 ? null : book.inForce(nowMs));
  return {
    book,
    stored,
    inForce,
    missing,
    current: (nowMs) => {
      const [unread] = file.missing();
      const unknown = unread ?? stored?.unknown(nowMs) ?? null;
      return unknown === null ? book.lookup : new Fault(unknown);
    },
    revision: () => `${file.revision()} ${ordered.revision()}`,
    problems: file.problems,
    status: (nowMs) => ({
      revocations: { inForce: inForce(nowMs), problems: file.problems(), ...(stored !== null && shown(stored, nowMs)) },
    }),
    stop: async () => {
      await file.stop();
      await ordered.stop();
    },
  };
}

/** What `/status` shows of the revocations in the store. */
function shown(stored: RedisBook, nowMs: number) {
  const { head, unreadable } = stored.status();
  return {
    store: {
      fault: stored.unknown(nowMs),
      staleSeconds: secondsOf(stored.stalenessMs(nowMs)),
      revocations: head?.revocations ?? null,
      lifts: head?.lifts ?? null,
      bytes: head?.bytes ?? null,
      unreadable,
    },
  };
}

const secondsOf = (ms: number | null): number | null => (ms === null ? null : Math.round(ms) / 1000);

/** The revocations that are ordered, in the store or in this process. */
async function startOrdered({ control }: Config, shared: RedisState | null, reports: RevocationReports) {
  if (shared === null) {
    let changes = 0;
    const book = new ProcessBook(() => changes++);
    return { book, stored: null, missing: () => [], revision: () => String(changes), stop: () => {} };
  }
  let changed = () => {};
  const keys = await LiftKeySource.start(control, systemClock, (read, before) => {
    reports.onKeys(read, before);
    if (!(read instanceof Fault)) changed();
  });
  const stored = await shared.openBook(() => keys.keys, reports.onOrdered);
  changed = () => stored.keysChanged();
  return {
    book: stored,
    stored,
    missing: (nowMs: number): readonly string[] => [
      ...(keys.missing ? [`no keys of lifts: ${keys.fault}`] : []),
      // Once they were read, checks that cannot know more are refused with a reason.
      ...(stored.stalenessMs(nowMs) === null ? [stored.unknown(nowMs)!] : []),
    ],
    revision: () => stored.revision,
    stop: async () => {
      await keys.stop();
      await stored.stop();
    },
  };
}

/** The revocations of a file, which is watched; none where there is no file. */
async function startFile(file: string | null, { onRead }: RevocationReports) {
  let applying: Revocations | null = file === null ? new Revocations() : null;
  let revision = '';
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
            if (now !== before && !(read instanceof Fault))
              revision = hash('sha256', problems.length === 0 ? read.text : `${revision} ${read.text}`, 'base64url');
            applying = now;
            onRead(before, now, problems);
          },
        });
  await refresher?.refresh();
  return {
    applying: () => applying,
    revision: () => revision,
    problems: () => problems,
    missing: () => (applying === null ? [`the revocations in ${file} could not be read`] : []),
    stop: async () => refresher?.stop(),
  };
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

/** Reports changes of the file, of the store and of the keys of lifts to log, audit and metrics; the same fault once. */
export function revocationReports({ log, metrics, audit }: Reporters): RevocationReports {
  let reported = '';
  return {
    onRead: (before, now, problems) => {
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
    },
    onOrdered: (event) => {
      switch (event.kind) {
        case 'learned': {
          const { added, lifted, rejected } = event;
          if (rejected.length > 0) {
            metrics.counted('authz_revocation_lifts_rejected_total', rejected.length);
            log.error('lifts rejected', { revocations: some(rejected) });
          }
          if (added.length + lifted.length === 0) return;
          log.info('revocations changed in the store', { added: some(added), lifted: some(lifted) });
          return audit.change({ event: 'revocations-changed', added, changed: [], lifted });
        }
        case 'resync':
          return metrics.counted('authz_revocation_resyncs_total');
        case 'restored':
          return log.warn('revocations written back to the store', { revocations: event.revocations });
        case 'not restored':
          return log.error('revocations could not be written back to the store', { detail: event.detail });
      }
    },
    onKeys: (read, before) => {
      if (read instanceof Fault)
        log.error('keys of lifts could not be read', { detail: read.detail, kept: before !== null });
      else log.info('keys of lifts read', { trusted: read.trusted.length, signs: read.signing !== null });
    },
  };
}

/** Enough ids to recognise what happened. */
const some = (ids: readonly string[]): readonly string[] =>
  ids.length <= MAX_SHOWN ? ids : [...ids.slice(0, MAX_SHOWN), `… (${ids.length} in all)`];

import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/schema.ts';
import { MAX_IDS } from '../observe/change.ts';
import type { SnapshotHolder } from '../policy/load/holder.ts';
import { type RevocationFileListener, RevocationFileSource } from '../state/file/revocation-file-source.ts';
import { JoinedBook } from '../state/joined-book.ts';
import { LiftKeySource, type LiftKeys, type OrderKeys } from '../state/lift-keys.ts';
import { ProcessBook } from '../state/process-book.ts';
import type { BookEvent, RedisBook } from '../state/redis/book.ts';
import type { RedisState } from '../state/redis/store.ts';
import type { RevocationBook } from '../state/revocation-book.ts';
import type { RevocableNames } from '../state/revocation-names.ts';
import type { RevocationLookup } from '../state/revocations.ts';
import type { Reporters } from './changes.ts';
import type { Part } from './part.ts';

const MAX_SHOWN = 16;
const NO_KEYS: LiftKeys = { signing: null, trusted: [] };

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
  /** Names of the file that nobody has, one line each, with their places: their revocations apply, and hit nothing. */
  readonly unknownNames: () => readonly string[];
  /** Tells of each change of the file. */
  onChange(listener: () => void): void;
  /** Those that the store holds; null where they are ordered in this process alone. */
  readonly stored: RedisBook | null;
  /** The keys that sign what opens, and by which it is believed. */
  readonly keys: OrderKeys;
}

/** Who is told of changes. */
export interface RevocationReports extends RevocationFileListener {
  readonly onOrdered: (event: BookEvent) => void;
  readonly onKeys: (read: LiftKeys | Fault, before: LiftKeys | null) => void;
}

export const unheard: RevocationReports = { *onChange() {}, onRead: () => {}, onOrdered: () => {}, onKeys: () => {} };

/**
 * Reads the file of `revocations.file`, if there is one, and goes on reading it; takes orders for the store that is shared, or
 * for this process. `known` gives the names that exist now; null: not known.
 */
export async function startRevocations(
  config: Config,
  shared: RedisState | null,
  reports: RevocationReports,
  known: () => RevocableNames | null,
): Promise<RevocationsPart> {
  const path = config.revocations.file;
  const file = path === null ? null : await RevocationFileSource.start(path, systemClock, reports);
  const ordered = await startOrdered(config, shared, reports);
  const { stored } = ordered;
  const book = new JoinedBook(() => file?.applying ?? null, ordered.book);
  const missing = (nowMs: number) => [file?.unread ?? [], ordered.missing(nowMs)].flat();
  const inForce = (nowMs: number) => (missing(nowMs).length > 0 ? null : book.inForce(nowMs));
  const problems = () => file?.problems ?? [];
  const unknownNames = () => {
    const names = known();
    return names === null ? [] : (file?.unknown(names) ?? []);
  };
  return {
    book,
    stored,
    keys: ordered.keys,
    inForce,
    missing,
    current: (nowMs) => {
      const unknown = file?.unread ?? stored?.unknown(nowMs) ?? null;
      return unknown === null ? book.lookup : new Fault(unknown);
    },
    revision: () => `${file?.revision ?? ''} ${ordered.revision()}`,
    problems,
    unknownNames,
    onChange: (listener) => file?.onChange(listener),
    status: (nowMs) => ({
      revocations: {
        inForce: inForce(nowMs),
        problems: problems(),
        unknownNames: some(unknownNames()),
        ...(stored !== null && shown(stored, nowMs)),
      },
    }),
    stop: async () => {
      await file?.stop();
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
      revocations: head?.records ?? null,
      lifts: head?.marks ?? null,
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
    const keys: OrderKeys = { current: () => NO_KEYS, onChange: () => {} };
    return { book, stored: null, keys, missing: () => [], revision: () => String(changes), stop: () => {} };
  }
  const listeners: (() => void)[] = [];
  const keys = await LiftKeySource.start(control, systemClock, (read, before) => {
    reports.onKeys(read, before);
    if (!(read instanceof Fault)) for (const listener of listeners) listener();
  });
  const stored = await shared.openBook(() => keys.keys, reports.onOrdered);
  listeners.push(() => stored.keysChanged());
  return {
    book: stored,
    stored,
    keys: { current: () => keys.keys, onChange: (listener: () => void) => void listeners.push(listener) },
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

/** Reports changes of the file, of the store and of the keys of lifts to log, audit and metrics; the same fault once. */
export function revocationReports({ log, metrics, audit }: Reporters): RevocationReports {
  let reported = '';
  return {
    *onChange({ added, changed, lifted }) {
      // Each lift is recorded with its id; of the others there may be a hundred thousand at each start.
      for (let at = 0; at === 0 || at < lifted.length; at += MAX_IDS) {
        const others = at === 0 ? { added, changed } : { added: [], changed: [] };
        audit.change({ event: 'revocations-changed', ...others, lifted: lifted.slice(at, at + MAX_IDS) });
        yield;
      }
      log.info('revocations read', { added: some(added), changed: some(changed), lifted: some(lifted) });
    },
    onRead: (applies, problems) => {
      metrics.revocationsRead(problems.length > 0 ? 'refused' : 'loaded');
      const text = problems.join('\n');
      if (problems.length > 0 && text !== reported) {
        if (applies) log.error('revocations refused in part, lifting nothing', { problems });
        else log.error('there are no revocations', { problems });
        audit.change({ event: 'revocations-refused', problems });
      }
      reported = text;
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
          return log.warn('revocations written back to the store', { revocations: event.records });
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

/** Reports names of the file that nobody has: now, and when the file or the inventory changes. */
export function watchRevokedNames(revocations: RevocationsPart, policy: SnapshotHolder, log: Reporters['log']): void {
  let said = '';
  const look = () => {
    const found = some(revocations.unknownNames());
    if (found.join('\n') === said) return;
    said = found.join('\n');
    for (const problem of found) log.warn('configuration problem', { problem });
  };
  revocations.onChange(look);
  policy.events.on('loaded', look);
  look();
}

/** Enough ids to recognise what happened. */
const some = (ids: readonly string[]): readonly string[] =>
  ids.length <= MAX_SHOWN ? ids : [...ids.slice(0, MAX_SHOWN), `… (${ids.length} in all)`];

import type { Clock } from '../../base/clock.ts';
import type { LearnedIds, StoreMirror } from '../store-mirror.ts';
import { RecordFeed } from './feed.ts';
import type { Endpoint, StoreOptions } from './options.ts';
import type { Script } from './scripts.ts';
import { StoreUpkeep } from './upkeep.ts';
import { StoreWriter } from './writer.ts';

/** The store that several kinds of records are in. */
export interface FollowedStore {
  readonly options: StoreOptions;
  readonly clock: Clock;
  /** Where the primary is; null while nobody knows. */
  readonly primary: () => Endpoint | null;
  /** The data has no history that can be followed: somebody has to begin one. */
  readonly onUnknownHistory: () => void;
}

/** What happened to the records of one kind. */
export type RecordEvent<Kind extends string> =
  | ({ readonly kind: 'learned' } & LearnedIds<Kind>)
  | { readonly kind: 'resync' }
  | { readonly kind: 'restored'; readonly records: number }
  | { readonly kind: 'not restored'; readonly detail: string };

interface RecordParts<Lost, Kind extends string> {
  /** What they are, in messages: `tasks`. */
  readonly what: string;
  /** The keys of its scripts, by their names, and the stream of changes among them. */
  readonly names: readonly string[];
  readonly log: string;
  readonly mirror: StoreMirror<Lost, Kind>;
  /** The script that writes back, its limits, and what it gets for each. */
  readonly restore: Script;
  readonly limits: readonly string[];
  readonly argsOf: (lost: Lost) => readonly string[];
  /** Why a script that did not answer `done` wrote nothing. */
  readonly refused: (word: string | undefined) => string;
  readonly onEvent: (event: RecordEvent<Kind>) => void;
}

/**
 * The records of one kind that several processes share: a feed keeps the mirror in the memory of this one up to date, orders are
 * written on a connection of their own, and what the store lost is written back.
 */
export class SharedRecords<Lost, Kind extends string> {
  readonly feed: RecordFeed<Lost, Kind>;
  readonly writer: StoreWriter;
  readonly #upkeep: StoreUpkeep<Lost>;
  readonly #what: string;
  readonly #maxStaleMs: number;

  constructor(store: FollowedStore, { what, names, log, mirror, onEvent, ...upkeep }: RecordParts<Lost, Kind>) {
    const { options, clock, primary, onUnknownHistory } = store;
    const key = (name: string) => `authz:{${options.namespace}}:${name}`;
    const keys = names.map(key);
    this.#what = what;
    this.#maxStaleMs = options.maxStaleMs;
    this.feed = new RecordFeed({
      ...{ options, clock, primary, onUnknownHistory, keys, log: key(log), mirror },
      onLearned: (learned) => onEvent({ kind: 'learned', ...learned }),
      onResync: () => onEvent({ kind: 'resync' }),
      onLost: (lost) => void this.#upkeep.restore(lost),
    });
    this.writer = new StoreWriter({ options, primary, keys, feed: this.feed });
    this.#upkeep = new StoreUpkeep<Lost>({
      ...{ clock, writer: this.writer, ...upkeep },
      onRestored: (records) => onEvent({ kind: 'restored', records }),
      onNotRestored: (detail) => onEvent({ kind: 'not restored', detail }),
    });
  }

  /** Begins to follow the store; resolves after the first full read, or when that takes long. */
  async start(): Promise<void> {
    await this.feed.start();
    this.#upkeep.start();
  }

  /** Milliseconds since they were up to date; null: never. */
  stalenessMs(nowMs: number): number | null {
    return this.feed.stalenessMs(nowMs);
  }

  /** Why nobody knows any of them; null: they were read once. */
  unread(nowMs: number): string | null {
    const isRead = this.feed.stalenessMs(nowMs) !== null;
    return isRead ? null : `the ${this.#what} of the store were not read yet: ${this.feed.fault}`;
  }

  /** Why nobody knows at `nowMs` what became of them; null: it is known. */
  unknown(nowMs: number): string | null {
    const staleMs = this.feed.stalenessMs(nowMs);
    if (staleMs === null) return this.unread(nowMs);
    if (staleMs <= this.#maxStaleMs) return null;
    return `the ${this.#what} of the store are ${Math.round(staleMs)} ms old: ${this.feed.fault || 'it does not answer'}`;
  }

  async stop(): Promise<void> {
    this.#upkeep.stop();
    this.writer.close();
    await this.feed.stop();
  }
}

import { type Clock, pause } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { within } from '../../base/within.ts';
import type { LearnedIds, StoreMirror } from '../store-mirror.ts';
import { Link } from './link.ts';
import { type Endpoint, type StoreOptions, textOf } from './options.ts';
import { beginningOf } from './queries.ts';
import { changedFields, type Head, readFields, readPage } from './record-queries.ts';

/** A server that answers nothing for so long is left. */
const DEAD_MS = 2000;
/** How long the server keeps a question that nothing answers. */
const BLOCK_MS = 500;
/** Entries of one answer: a hundred of the longest are some megabytes. */
const MOST = 200;
/** Entries of one page of everything: with larger ones more outlives the collections of garbage meanwhile, and the heap grows. */
const PAGE = 50;
const RETRY_MS = 100;
/** Everything is read again so often, or so soon where the store has less than is known here; less often where that is much. */
const RESYNC_MS = 60_000;
const LESS_MS = 5000;
const RESYNC_MS_PER_ENTRY = 10;
/**
 * So long after its beginning a history is not believed to be complete: whoever knows what a failover lost writes it back
 * meanwhile.
 */
const GRACE_MS = 1500;
/** Of one full read, about so many ids are told: enough to recognise what happened. */
const MOST_TOLD = 1000;
/** What ended so long ago is forgotten. */
const KEPT_MS = 60_000;

export interface FeedParts<Lost, Kind extends string> {
  readonly options: StoreOptions;
  readonly clock: Clock;
  readonly keys: readonly string[];
  readonly log: string;
  readonly mirror: StoreMirror<Lost, Kind>;
  /** Where the primary is; null while nobody knows. */
  readonly primary: () => Endpoint | null;
  /** The data has no history that can be followed: somebody has to begin one. */
  readonly onUnknownHistory: () => void;
  readonly onLearned: (learned: LearnedIds<Kind>) => void;
  /** What the store lacks. */
  readonly onLost: (lost: readonly Lost[]) => void;
  /** A full read is over. */
  readonly onResync: () => void;
}

/** A moment by the wall clock, and by one that nobody sets. */
interface Moment {
  readonly wallMs: number;
  readonly ownMs: number;
}

/**
 * Follows the records of one kind in a store on a connection of its own: reads all of them once, then each change as it comes, and
 * everything again where numbers are missing or the history is another one. It is known to be up to date as of the moment when
 * the store was asked for the number of its last change, and everything up to that number was read.
 */
export class RecordFeed<Lost, Kind extends string> {
  readonly #parts: FeedParts<Lost, Kind>;
  readonly #first = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();
  #stopping = false;
  #link: Link | null = null;
  #history: string | null = null;
  /** The number of the last change that was read. */
  #seq = 0;
  #head: Head | null = null;
  #freshAt: Moment | null = null;
  /** What the store was last asked for, and when. */
  #asked: { readonly seq: number; readonly at: Moment } | null = null;
  #fault = 'not reached yet';
  #wake = Promise.withResolvers<void>();
  #sweepAt = 0;
  #again = false;
  #revision = '';

  constructor(parts: FeedParts<Lost, Kind>) {
    this.#parts = parts;
  }

  /** Begins; resolves once everything was read, or when that takes long. */
  start(): Promise<void> {
    this.#running = this.#run();
    return within(this.#first.promise, DEAD_MS, () => {});
  }

  /** The history that is followed; null while there is none. */
  get history(): string | null {
    return this.#history;
  }

  /** What the store told last. */
  get head(): Head | null {
    return this.#head;
  }

  get fault(): string {
    return this.#fault;
  }

  /** Milliseconds since it was up to date; null: it never was. A clock that is set back makes nothing younger. */
  stalenessMs(nowMs: number): number | null {
    if (this.#freshAt === null) return null;
    const { wallMs, ownMs } = this.#freshAt;
    return Math.max(0, nowMs - wallMs, performance.now() - ownMs);
  }

  /** What was not believed may hold now: everything is read again. */
  resyncSoon(): void {
    this.#again = true;
  }

  /** How far the store was read: the same on all sidecars that have read as far. */
  get revision(): string {
    return this.#revision;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#link?.close();
    this.#wake.resolve();
    await within(this.#running, DEAD_MS, () => {});
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#fault = await this.#connect();
      this.#history = null;
      await pause(this.#parts.clock, RETRY_MS * (0.5 + Math.random()), this.#wake.promise);
    }
  }

  /** Follows on one connection for as long as that works; gives why it does not any more. */
  async #connect(): Promise<string> {
    const { options, primary } = this.#parts;
    const endpoint = primary();
    if (endpoint === null) return 'nobody knows where the store is';
    const link = await Link.open({ ...options, endpoint, timeoutMs: DEAD_MS });
    if (link instanceof Fault) return link.detail;
    this.#link = link;
    try {
      for (;;) {
        const fault = (await this.#readAll(link)) ?? (await this.#follow(link, endpoint));
        if (fault !== null) return fault;
      }
    } finally {
      link.close();
      this.#link = null;
    }
  }

  /** Reads everything; a text where that is not possible. */
  async #readAll(link: Link): Promise<string | null> {
    const { keys, mirror, clock, onLost, onResync, onUnknownHistory } = this.#parts;
    const at = this.#moment();
    const first = await readFields(link, keys, [], DEAD_MS);
    if (first instanceof Fault) return first.detail;
    const { history, seq } = first.head;
    if (history === null) {
      onUnknownHistory();
      return 'the data has no history yet';
    }
    this.#again = false;
    mirror.beginPass();
    const lost: Lost[] = [];
    const learned = {} as Record<Kind, string[]>;
    for (let cursor = ''; cursor !== '0'; ) {
      const page = await readPage(link, keys, cursor || '0', PAGE, DEAD_MS);
      if (page instanceof Fault) return page.detail;
      if (page.head.history !== history) return 'the history changed while it was read';
      const more = await mirror.take(page.held, lost);
      for (const [kind, ids] of Object.entries(more) as [Kind, readonly string[]][]) {
        learned[kind] ??= [];
        if (learned[kind].length < MOST_TOLD) learned[kind].push(...ids);
      }
      cursor = page.cursor;
    }
    lost.push(...mirror.endPass(clock.now()));
    this.#history = history;
    this.#seq = seq;
    this.#asked = null;
    this.#learned(learned);
    this.#upTo(first.head, at);
    onResync();
    if (lost.length > 0) onLost(lost);
    return null;
  }

  /** Reads each change; null where everything has to be read again, a text where the connection is of no use. */
  async #follow(link: Link, endpoint: Endpoint): Promise<string | null> {
    const { keys, log, mirror, primary, options, onLost, onUnknownHistory } = this.#parts;
    const blockMs = Math.min(BLOCK_MS, Math.ceil(options.maxStaleMs / 4));
    const soonMs = Math.max(LESS_MS, RESYNC_MS_PER_ENTRY * mirror.size);
    const lessAt = performance.now() + soonMs;
    const resyncAt = performance.now() + Math.max(RESYNC_MS, soonMs) * (0.75 + Math.random() / 2);
    for (let behind = false; performance.now() < resyncAt && !this.#again; ) {
      const asked = { after: this.#seq, most: MOST, blockMs: behind ? 0 : blockMs, timeoutMs: DEAD_MS };
      const fields = await changedFields(link, log, asked);
      if (fields instanceof Fault) return fields.detail;
      if (fields === null || (behind && fields.length === 0)) return null;
      const at = this.#moment();
      const read = await readFields(link, keys, [...new Set(fields)], DEAD_MS);
      if (read instanceof Fault) return read.detail;
      const { head, held } = read;
      if (head.history !== this.#history) {
        onUnknownHistory();
        return head.history === null ? 'the data has no history any more' : null;
      }
      const lost: Lost[] = [];
      this.#learned(await mirror.take(held, lost));
      if (lost.length > 0) onLost(lost);
      this.#seq += fields.length;
      if (head.seq < this.#seq) return null;
      behind = head.seq > this.#seq;
      if (head.records < mirror.size && at.ownMs > lessAt) return null;
      this.#upTo(head, at);
      this.#sweep(head, at);
      const now = primary();
      if (now !== null && textOf(now) !== textOf(endpoint)) return `${textOf(now)} is the primary now`;
    }
    return null;
  }

  /** The store was asked at this moment: what it had then is known as soon as everything up to its last change was read. */
  #upTo(head: Head, at: Moment): void {
    this.#head = head;
    this.#revision = `${this.#history} ${this.#seq}`;
    const { options } = this.#parts;
    if (this.#asked !== null && this.#seq >= this.#asked.seq) this.#fresh(this.#asked.at);
    this.#asked = null;
    const youngMs = head.serverMs - beginningOf(head.history ?? '');
    if (!(youngMs >= GRACE_MS)) this.#fault = 'the store has begun a new history';
    else if (head.replicas < options.replicas) this.#fault = `${head.replicas} of ${options.replicas} replicas answer`;
    else if (this.#seq >= head.seq) this.#fresh(at);
    else this.#asked = { seq: head.seq, at };
  }

  /** Forgets what has ended by both clocks, from time to time. */
  #sweep({ serverMs }: Head, { wallMs, ownMs }: Moment): void {
    if (ownMs < this.#sweepAt) return;
    this.#sweepAt = ownMs + KEPT_MS;
    this.#parts.mirror.dropEnded(Math.min(serverMs, wallMs) - KEPT_MS);
  }

  #fresh(at: Moment): void {
    this.#freshAt = at;
    this.#fault = '';
    this.#first.resolve();
  }

  #learned(learned: LearnedIds<Kind>): void {
    const lists: readonly (readonly string[])[] = Object.values(learned);
    if (lists.some((ids) => ids.length > 0)) this.#parts.onLearned(learned);
  }

  #moment(): Moment {
    return { wallMs: this.#parts.clock.now(), ownMs: performance.now() };
  }
}

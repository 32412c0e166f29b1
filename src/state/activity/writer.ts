import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { within } from '../../base/within.ts';
import type { Link, Reply } from '../redis/link.ts';
import { Agreement } from './agreement.ts';
import type { ActivityLimits, DecisionSummary } from './model.ts';
import { type Batch, Outbox } from './outbox.ts';
import { KEEP } from './scripts.ts';
import type { ActivityCounts } from './size.ts';
import { encodeUse } from './stored-use.ts';
import type { KnownUse } from './uses.ts';

/** How often what waits is written, and how long one write may take. */
const WRITE_EVERY_MS = 1000;
const WRITE_MS = 1000;
/** After a write that failed, what waits is left alone for so long: by then a dead connection has been left. */
const PAUSE_MS = 2000;

/** Where the shared store is. */
export interface ActivityStore {
  /** The link in use; null while there is none. */
  readonly link: Link | null;
  /** The whole name of a key. */
  key(name: string): string;
}

export interface WriterOptions {
  readonly limits: ActivityLimits;
  readonly store: ActivityStore;
  readonly clock: Clock;
  /** So many decisions are dropped: too many waited, or a write failed. */
  readonly onDropped: (decisions: number) => void;
  /** A write failed: why, and whether it is not for what the last one failed. It may have been made all the same. */
  readonly onFailure: (fault: Fault, isNew: boolean) => void;
  /** Another process of the store keeps more or less for lists. */
  readonly onDisagreement: (warning: string) => void;
}

/** Writes what is kept to the store, once a second and by size, one write at a time. Nobody waits for it. */
export class ActivityWriter {
  readonly #options: WriterOptions;
  readonly #keys: readonly string[];
  readonly #outbox: Outbox;
  readonly #agreement: Agreement;
  #writing: Promise<void> | null = null;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #cancel = () => {};
  #counts: ActivityCounts | null = null;
  #fault: Fault | null = null;

  constructor(options: WriterOptions, onTick: (nowMs: number) => void) {
    const { limits, store, clock, onDropped, onDisagreement } = options;
    this.#options = options;
    this.#keys = ['denials', 'allows', 'uses', 'uses:names', 'uses:times'].map((name) => store.key(name));
    this.#outbox = new Outbox(onDropped);
    this.#agreement = new Agreement(limits, store.key('activity'), onDisagreement);
    const tick = () => {
      this.#begin();
      this.#agreement.look(store.link, clock.now());
      onTick(clock.now());
      this.#cancel = clock.after(WRITE_EVERY_MS, tick);
    };
    this.#cancel = clock.after(WRITE_EVERY_MS, tick);
  }

  /** Decisions that wait. */
  get waiting(): number {
    return this.#outbox.size;
  }

  /** Whether nothing waits and nothing is on its way. */
  get isIdle(): boolean {
    return this.#outbox.isEmpty && this.#writing === null;
  }

  /** How many are in the store, as the last write found; null before the first one. */
  get counts(): ActivityCounts | null {
    return this.#counts;
  }

  /** Why the last write failed; null where it did not. */
  get fault(): Fault | null {
    return this.#fault;
  }

  /** What another process of the store keeps, where that is not the same; else null. */
  get warning(): string | null {
    return this.#agreement.warning;
  }

  add(result: DecisionSummary['result'], text: string): void {
    this.#outbox.add(result, text);
    // Not now: a check is waiting for its answer.
    if (this.#outbox.isLarge && this.#writing === null) setImmediate(() => this.#begin());
  }

  addUse(use: KnownUse): void {
    this.#outbox.addUse(use);
  }

  /** Writes what waits, as far as that goes in so many milliseconds, and ends. */
  async stop(waitMs: number): Promise<void> {
    this.#cancel();
    this.#pausedUntilMs = Number.NEGATIVE_INFINITY;
    this.#begin();
    await within(this.#writing ?? Promise.resolve(), waitMs, () => {});
    this.#pausedUntilMs = Number.POSITIVE_INFINITY;
  }

  #begin(): void {
    if (this.#writing !== null) return;
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = null;
    });
  }

  async #writeAll(): Promise<void> {
    const { store, clock, onDropped, onFailure } = this.#options;
    while (!this.#outbox.isEmpty) {
      const { link } = store;
      // A clock that was set back does not end the pause later.
      const now = clock.now();
      if (link === null || (now < this.#pausedUntilMs && now >= this.#pausedUntilMs - PAUSE_MS)) return;
      const batch = this.#outbox.take();
      const fault = await this.#write(link, batch);
      const isNew = fault?.detail !== this.#fault?.detail;
      this.#fault = fault;
      if (fault === null) continue;
      this.#pausedUntilMs = clock.now() + PAUSE_MS;
      for (const use of batch.uses) this.#outbox.addUse(use);
      const decisions = batch.denials.length + batch.allows.length;
      if (decisions > 0) onDropped(decisions);
      onFailure(fault, isNew);
    }
  }

  async #write(link: Link, { denials, allows, uses }: Batch): Promise<Fault | null> {
    const { limits, clock } = this.#options;
    const reply = await link.run(
      KEEP,
      this.#keys,
      [
        ...[limits.denials, limits.allows, limits.workloads, clock.now(), denials.length, allows.length].map(String),
        ...denials,
        ...allows,
        ...uses.flatMap((use) => [use.workload, encodeUse(use)]),
      ],
      WRITE_MS,
    );
    if (reply instanceof Fault) return reply;
    const [word, ...counts] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
    if (word === 'full') return new Fault('the memory of the store is nearly used up: nothing is kept for lists');
    if (word !== 'kept') return new Fault('the store answered with something else');
    this.#counts = { denials: Number(counts[0]), allows: Number(counts[1]), workloads: Number(counts[2]) };
    return null;
  }
}

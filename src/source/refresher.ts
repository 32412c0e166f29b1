import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { wakeAfter } from './wall-clock-timer.ts';
import { foldersOf, Watch } from './watch.ts';

/** One change of a folder makes several events; they become one read. */
const SETTLE_MS = 50;
/** Reads within the time after which what was read is no longer believed. */
const CHANCES = 3;

export interface RefreshOptions<T> {
  readonly clock: Clock;
  /** Reads anew; a fault keeps what was read before (`last`). Gives up when the signal is aborted. Never rejects. */
  readonly read: (signal: AbortSignal, last: T | null) => Promise<T | Fault>;
  /** What each read gave, and what was the last good one before it. */
  readonly onRead: (read: T | Fault, before: T | null) => void;
  /** Milliseconds to the next read when nothing asks for one, after `last`. At most a third of `maxStaleMs`. */
  readonly refreshMs: (last: T | null) => number;
  /** Milliseconds since the last good read, beyond which what it gave is no longer believed. */
  readonly maxStaleMs: number;
  /** Milliseconds that lie at least between two reads; after failures twice as many, and twice again, up to the usual. */
  readonly leastMs: number;
  /** Files whose changes ask for a read. */
  readonly files?: readonly string[];
}

/** How old what was read is: younger than its limit, older, or never read. */
export type Freshness = 'fresh' | 'stale' | 'absent';

/** Of what was read at `freshAt` (null: never), at `nowMs`. All in milliseconds. */
export function freshness(freshAt: number | null, maxStaleMs: number, nowMs: number): Freshness {
  if (freshAt === null) return 'absent';
  return nowMs - freshAt <= maxStaleMs ? 'fresh' : 'stale';
}

/**
 * Reads something at the start and then in the background: from time to time by the wall clock, when its file changes, and
 * when somebody asks. One read at a time; one that is asked for too early is made as soon as it may. A bad read keeps what
 * the last good one gave, and is tried again soon, then less and less often.
 */
export class Refresher<T> {
  readonly #options: RefreshOptions<T>;
  readonly #abort = new AbortController();
  readonly #watch: Watch | null;
  #last: { readonly value: T; readonly freshAt: number } | null = null;
  #fault: string | null = null;
  #failures = 0;
  #readAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #asked = false;
  #cancel: () => void = () => {};

  constructor(options: RefreshOptions<T>) {
    this.#options = options;
    const { files = [] } = options;
    this.#watch = files.length > 0 ? Watch.files(files, () => this.refreshSoon(SETTLE_MS)) : null;
  }

  /** What the last good read gave; null while there was none. */
  get last(): T | null {
    return this.#last?.value ?? null;
  }

  /** When the last good read began; null while there was none. */
  get freshAt(): number | null {
    return this.#last?.freshAt ?? null;
  }

  /** What was wrong with the last read; null when it was good. */
  get fault(): string | null {
    return this.#fault;
  }

  state(nowMs: number): Freshness {
    return freshness(this.freshAt, this.#options.maxStaleMs, nowMs);
  }

  /** Reads now; where a read is under way, once more after it. Resolves after the read, good or bad. Never rejects. */
  async refresh(): Promise<void> {
    await this.#running;
    await this.#attempt();
  }

  /** Asks for a read: in `settleMs`, and not before `leastMs` have passed since the last. */
  refreshSoon(settleMs = 0): void {
    if (this.#abort.signal.aborted) return;
    const waiting = this.#asked;
    this.#asked = true;
    if (this.#running !== null) return;
    const { clock } = this.#options;
    const leastMs = this.#leastMs();
    // A clock that was set back must not put the read off by as much.
    const due = Math.max(settleMs, Math.min(leastMs - (clock.now() - this.#readAt), leastMs));
    if (due <= 0) void this.#attempt();
    // Not put off by further changes: a busy folder delays no update.
    else if (!waiting) this.#schedule(due);
  }

  /** Ends the reading; a read that is under way is given up, and reported to nobody. What was read stays. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancel();
    this.#watch?.close();
    await this.#running;
  }

  async #attempt(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#running ??= this.#readOnce().finally(() => {
      this.#running = null;
      this.#plan();
    });
    await this.#running;
  }

  async #readOnce(): Promise<void> {
    const { clock, read, onRead, files = [] } = this.#options;
    const { signal } = this.#abort;
    this.#cancel();
    this.#asked = false;
    // Anew each time, since a folder may have been replaced. Without a folder, the read reports it.
    this.#watch?.follow(foldersOf(files));
    const freshAt = clock.now();
    const before = this.last;
    const value = await read(signal, before);
    this.#readAt = clock.now();
    if (signal.aborted) return;
    if (value instanceof Fault) {
      this.#fault = value.detail;
      this.#failures++;
    } else {
      this.#last = { value, freshAt };
      this.#fault = null;
      this.#failures = 0;
    }
    onRead(value, before);
  }

  #plan(): void {
    if (this.#abort.signal.aborted) return;
    if (this.#asked) {
      this.#asked = false;
      this.refreshSoon();
      return;
    }
    const { refreshMs, maxStaleMs } = this.#options;
    const leastMs = this.#leastMs();
    const usualMs = atLeast(leastMs, Math.min(refreshMs(this.last), maxStaleMs / CHANCES));
    this.#schedule(this.#failures === 0 ? usualMs : Math.min(usualMs, leastMs * 2 ** Math.min(this.#failures, 20)));
  }

  #schedule(delayMs: number): void {
    this.#cancel();
    this.#cancel = wakeAfter(this.#options.clock, delayMs, () => void this.#attempt());
  }

  #leastMs(): number {
    return atLeast(1, this.#options.leastMs);
  }
}

/** What is no number is the least. */
const atLeast = (leastMs: number, ms: number): number => Math.max(leastMs, Number.isNaN(ms) ? leastMs : ms);

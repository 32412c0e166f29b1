import { createHash } from 'node:crypto';
import type { FSWatcher } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { watchFile } from '../source/watch-file.ts';
import { documentReader, type KeyOrigin, type ReadDocument } from './jwks-document.ts';
import { TokenFault } from './jws-fault.ts';
import { type IgnoredKey, type KeySet, parseJwks } from './key-set.ts';
import type { KeySource } from './key-source.ts';

/** The longest delay that setTimeout takes; beyond it fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;
/** A busy folder, and an unknown `kid` in every token, cost one read in so long. */
const COOLDOWN_MS: Readonly<Record<KeyOrigin['from'], number>> = { file: 200, url: 10_000, discovery: 10_000 };
/** A file is cheap to look at, and its watcher can miss a change; a server is asked as rarely as rotation allows. */
const REFRESH_MS: Readonly<Record<KeyOrigin['from'], number>> = { file: 5000, url: 300_000, discovery: 300_000 };

export interface JwksSourceOptions {
  readonly issuer: string;
  readonly origin: KeyOrigin;
  /** Milliseconds since the last successful read, beyond which the keys are no longer believed. */
  readonly maxStaleMs: number;
  readonly clock: Clock;
  /** Told of every attempt to read, for the log and a metric. */
  readonly onEvent: (event: KeyEvent) => void;
  /** Milliseconds between two reads when nothing asks for one: never less than the cooldown, at most a third of `maxStaleMs`. */
  readonly refreshMs?: number;
  /** Milliseconds that lie at least between two reads. */
  readonly cooldownMs?: number;
}

/** What became of one attempt to read the keys. */
export interface KeyEvent {
  readonly issuer: string;
  readonly result: 'updated' | 'unchanged' | 'rejected';
  /** What was wrong with a rejected one, and which keys of an accepted one are ignored. Empty when nothing. */
  readonly detail: string;
}

/** The keys of one issuer as the status page shows them. Times are milliseconds since the epoch. */
export interface KeySourceStatus {
  readonly issuer: string;
  readonly origin: KeyOrigin['from'];
  readonly state: 'fresh' | 'stale' | 'absent';
  /** The last successful read; null while there was none. */
  readonly freshAt: number | null;
  readonly keys: number;
  readonly ignored: readonly IgnoredKey[];
  /** What was wrong with the last attempt; null when it was good. */
  readonly fault: string | null;
}

/** What was read last and found good. */
interface Good {
  readonly set: KeySet;
  readonly digest: string;
  readonly freshAt: number;
}

/**
 * The keys of one issuer, read at the start and then in the background: from time to time, when a file changes, and when
 * a token names a key that is not known. One read at a time, and one in a cooldown, however many tokens ask; a read that
 * is asked for too early is made at the end of the cooldown, so that a rotation is seen however many false keys are
 * named. A bad answer (an error, no JWKS, no usable key) keeps the last good keys until they are `maxStaleMs` old.
 */
export class JwksSource implements KeySource {
  readonly #options: JwksSourceOptions;
  readonly #read: ReadDocument;
  readonly #cooldownMs: number;
  readonly #refreshMs: number;
  readonly #abort = new AbortController();
  #good: Good | null = null;
  #fault: string | null = null;
  #failures = 0;
  #attemptAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #asked = false;
  #cancelTimer: () => void = () => {};
  #watcher: FSWatcher | null = null;

  private constructor(options: JwksSourceOptions) {
    const { issuer, origin, maxStaleMs } = options;
    this.#options = options;
    this.#read = documentReader(issuer, origin);
    this.#cooldownMs = clamp(options.cooldownMs ?? COOLDOWN_MS[origin.from], 1);
    // Three chances before the keys are too old.
    this.#refreshMs = clamp(Math.min(options.refreshMs ?? REFRESH_MS[origin.from], maxStaleMs / 3), this.#cooldownMs);
  }

  /** Resolves after the first attempt, good or bad: a start without network is a start, and refuses until keys come. */
  static async open(options: JwksSourceOptions): Promise<JwksSource> {
    const source = new JwksSource(options);
    await source.#attempt();
    return source;
  }

  /** The last good keys; `keys_stale` while there are none, or when they are too old at `now` (milliseconds). */
  current(now: number): KeySet | TokenFault {
    const good = this.#good;
    if (good !== null && now - good.freshAt <= this.#options.maxStaleMs) return good.set;
    // After a suspend the timer is late, so whoever notices asks.
    this.refreshSoon();
    const why = this.#fault === null ? '' : `; the last attempt: ${this.#fault}`;
    return new TokenFault('keys_stale', good === null ? `no keys were read${why}` : `the keys are too old${why}`);
  }

  /** Asks for a read, now or at the end of the cooldown. */
  refreshSoon(): void {
    if (this.#running !== null) {
      this.#asked = true;
      return;
    }
    const elapsed = this.#options.clock.now() - this.#attemptAt;
    if (elapsed >= this.#cooldownMs) void this.#attempt();
    // A clock that was set back must not put the read off by as much.
    else this.#schedule(Math.min(this.#cooldownMs - elapsed, this.#cooldownMs));
  }

  status(): KeySourceStatus {
    const { issuer, origin, clock, maxStaleMs } = this.#options;
    const good = this.#good;
    const fresh = good !== null && clock.now() - good.freshAt <= maxStaleMs;
    return {
      issuer,
      origin: origin.from,
      state: good === null ? 'absent' : fresh ? 'fresh' : 'stale',
      freshAt: good?.freshAt ?? null,
      keys: good?.set.keys.length ?? 0,
      ignored: good?.set.ignored ?? [],
      fault: this.#fault,
    };
  }

  /** Ends the reading; a read that is under way is given up. What was read stays until it is too old. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#cancelTimer();
    this.#watcher?.close();
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
    this.#cancelTimer();
    this.#asked = false;
    this.#attemptAt = this.#options.clock.now();
    this.#watch();
    const document = await this.#read(this.#abort.signal);
    if (this.#abort.signal.aborted) return;
    if (document instanceof Fault) this.#reject(document.detail);
    else this.#accept(document);
  }

  #accept(document: Uint8Array): void {
    const digest = createHash('sha256').update(document).digest('hex');
    const unchanged = this.#good?.digest === digest;
    const set = unchanged && this.#good !== null ? this.#good.set : parseJwks(document);
    if (set instanceof Fault) {
      this.#reject(set.detail);
      return;
    }
    this.#good = { set, digest, freshAt: this.#attemptAt };
    this.#fault = null;
    this.#failures = 0;
    const ignored = set.ignored.map(({ index, why }) => `key ${index}: ${why}`).join('; ');
    this.#options.onEvent({
      issuer: this.#options.issuer,
      result: unchanged ? 'unchanged' : 'updated',
      detail: unchanged ? '' : ignored,
    });
  }

  #reject(detail: string): void {
    this.#fault = detail;
    this.#failures++;
    this.#options.onEvent({ issuer: this.#options.issuer, result: 'rejected', detail });
  }

  /** After an attempt: at once again if somebody asked meanwhile, soon after a failure, else at the usual time. */
  #plan(): void {
    const backoff = this.#cooldownMs * 2 ** Math.min(this.#failures, 20);
    if (this.#asked) this.refreshSoon();
    else this.#schedule(this.#failures === 0 ? this.#refreshMs : Math.min(backoff, this.#refreshMs));
  }

  #schedule(delayMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(clamp(delayMs, 1), () => void this.#attempt());
  }

  /** Anew at each read, since a watcher follows a folder that was moved away. Without a folder, the read says so. */
  #watch(): void {
    const { origin } = this.#options;
    if (origin.from !== 'file') return;
    this.#watcher?.close();
    this.#watcher = watchFile(origin.path, () => this.refreshSoon());
  }
}

/** What keeps tokens of this issuer from being verified, in one line. */
export const whyNoKeys = ({ issuer, state, fault }: KeySourceStatus): string =>
  `${state === 'stale' ? 'stale' : 'no'} keys for issuer ${issuer}${fault === null ? '' : `: ${fault}`}`;

/** Between a least delay and the longest that a timer takes; what is no number is the least. */
function clamp(delayMs: number, leastMs: number): number {
  return delayMs > leastMs ? Math.min(delayMs, MAX_DELAY_MS) : leastMs;
}

import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { within } from '../base/within.ts';
import { type Freshness, Refresher } from '../source/refresher.ts';
import { documentReader, type KeyOrigin, type ReadDocument } from './jwks-document.ts';
import { TokenFault } from './jws-fault.ts';
import { type IgnoredKey, type KeySet, parseJwks } from './key-set.ts';
import type { KeySource } from './key-source.ts';

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
  /** Reads the document at the origin in another way than over the Web PKI. */
  readonly readDocument?: ReadDocument;
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
  readonly state: Freshness;
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
}

/**
 * The keys of one issuer, read at the start and then in the background: from time to time, when a file changes, and when
 * a token names a key that is not known. One read at a time, and one in a cooldown, however many tokens ask; a read that
 * is asked for too early is made at the end of the cooldown, so that a rotation is seen however many false keys are
 * named. A bad answer (an error, no JWKS, no usable key) keeps the last good keys until they are `maxStaleMs` old.
 */
export class JwksSource implements KeySource {
  readonly #options: JwksSourceOptions;
  readonly #keys: Refresher<Good>;
  /** Resolved by the next read. */
  #next = Promise.withResolvers<void>();

  private constructor(options: JwksSourceOptions) {
    const { issuer, origin, maxStaleMs, clock } = options;
    const readDocument = options.readDocument ?? documentReader(issuer, origin);
    this.#options = options;
    this.#keys = new Refresher({
      clock,
      maxStaleMs,
      leastMs: options.cooldownMs ?? COOLDOWN_MS[origin.from],
      refreshMs: () => options.refreshMs ?? REFRESH_MS[origin.from],
      files: origin.from === 'file' ? [origin.path] : [],
      read: async (signal, last) => {
        const document = await readDocument(signal);
        return document instanceof Fault ? document : readKeys(document, last);
      },
      onRead: (read, before) => {
        options.onEvent({ issuer, ...describe(read, before) });
        this.#next.resolve();
        this.#next = Promise.withResolvers();
      },
    });
  }

  /** Resolves after the first attempt, good or bad: a start without network is a start, and refuses until keys come. */
  static async open(options: JwksSourceOptions): Promise<JwksSource> {
    const source = new JwksSource(options);
    await source.#keys.refresh();
    return source;
  }

  /** The last good keys; `keys_stale` while there are none, or when they are too old at `now` (milliseconds). */
  current(now: number): KeySet | TokenFault {
    const { last, fault } = this.#keys;
    if (last !== null && this.#keys.state(now) === 'fresh') return last.set;
    // After a suspend the timer is late, so whoever notices asks.
    this.refreshSoon();
    const why = fault === null ? '' : `; the last attempt: ${fault}`;
    return new TokenFault('keys_stale', last === null ? `no keys were read${why}` : `the keys are too old${why}`);
  }

  /** Asks for a read, now or at the end of the cooldown. */
  refreshSoon(): void {
    this.#keys.refreshSoon();
  }

  /** The same for what can wait: resolves after the next read, good or bad, or after `limitMs`. */
  async refreshed(limitMs: number): Promise<void> {
    const { promise } = this.#next;
    this.refreshSoon();
    await within(promise, limitMs, () => {});
  }

  status(): KeySourceStatus {
    const { issuer, origin, clock } = this.#options;
    const { last, freshAt, fault } = this.#keys;
    return {
      issuer,
      origin: origin.from,
      state: this.#keys.state(clock.now()),
      freshAt,
      keys: last?.set.keys.length ?? 0,
      ignored: last?.set.ignored ?? [],
      fault,
    };
  }

  /** Ends the reading; a read that is under way is given up. What was read stays until it is too old. */
  async close(): Promise<void> {
    await this.#keys.stop();
  }
}

/** The keys of a document; the last ones themselves where it is the same. */
function readKeys(document: Uint8Array, last: Good | null): Good | Fault {
  const digest = createHash('sha256').update(document).digest('hex');
  if (last?.digest === digest) return last;
  const set = parseJwks(document);
  return set instanceof Fault ? set : { set, digest };
}

function describe(read: Good | Fault, before: Good | null): Omit<KeyEvent, 'issuer'> {
  if (read instanceof Fault) return { result: 'rejected', detail: read.detail };
  if (read === before) return { result: 'unchanged', detail: '' };
  return { result: 'updated', detail: read.set.ignored.map(({ index, why }) => `key ${index}: ${why}`).join('; ') };
}

/** What keeps tokens of this issuer from being verified, in one line. */
export const whyNoKeys = ({ issuer, state, fault }: KeySourceStatus): string =>
  `${state === 'stale' ? 'stale' : 'no'} keys for issuer ${issuer}${fault === null ? '' : `: ${fault}`}`;

import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { wakeAfter } from '../../source/wall-clock-timer.ts';
import type { State } from '../../state/model.ts';
import { bodyOf, type NoticeFormat } from './body.ts';
import { type Turn, takeNotice, takeWords } from './claims.ts';
import type { Notice, NoticeType } from './notice.ts';
import { type PostResult, post } from './post.ts';
import { readSecrets, signatureOf } from './signature.ts';

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];
/** How long after each attempt that failed comes the next one. */
const DELAYS_MS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/** A delay may be longer by this part of it, so that not all come at once to a receiver that is back. */
const JITTER = 0.2;
/** What is of use for as long as it can be delivered: the time of all attempts, and some more. */
export const LONGEST_MS = 96 * HOUR;
/** How many notices wait for one receiver. */
const MAX_WAITING = 256;
const MAX_POSTING = 4;
/** How long a receiver that cannot keep up is left alone: twice as long each time. */
const PAUSE_MS = [30 * SECOND, 30 * MINUTE] as const;
const READ_MS = 5000;

/** What becomes of notices, for log and metrics. */
export interface ReceiverEvent {
  /** `failed`: one attempt. `given-up`: no further one. `suppressed`: people were told the same a moment ago. */
  readonly result: 'delivered' | 'failed' | 'given-up' | 'dropped' | 'suppressed' | 'disabled';
  readonly notice: Notice;
  readonly attempt: number;
  readonly detail: string;
}

export interface ReceiverOptions {
  readonly name: string;
  readonly url: URL;
  readonly ca: string | null;
  /** Files of its secrets; each signs. */
  readonly secretFiles: readonly string[];
  readonly format: NoticeFormat;
  readonly events: readonly NoticeType[];
  /** Where people see to an approval. */
  readonly page: string | null;
  readonly state: State;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly onEvent: (event: ReceiverEvent) => void;
}

/** A notice that waits. */
interface Waiting {
  readonly notice: Notice;
  attempts: number;
  /** Gives it to other processes again; null while it is not claimed. */
  release: (() => void) | null;
  cancel: () => void;
}

/**
 * Delivers notices to one receiver: claimed once by all processes, signed, at most four at a time, tried again by a schedule until
 * they are of no use. What it cannot hold is dropped; a receiver that answers 410 gets no more from this process.
 */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #waiting = new Set<Waiting>();
  readonly #due: Waiting[] = [];
  readonly #abort = new AbortController();
  readonly #posting = new Set<Promise<void>>();
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #pauses = 0;
  #cancelPause: (() => void) | null = null;
  #disabled: string | null = null;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** What `/status` shows: without the URL, which may be a secret. */
  status() {
    const { name, url } = this.#options;
    return { name, host: url.host, waiting: this.#waiting.size, disabled: this.#disabled };
  }

  /** Takes a notice that it is to get; delivers it later. Never throws. */
  offer(notice: Notice): void {
    const { events } = this.#options;
    if (!(events.includes(notice.type) || isAlwaysTold(notice)) || this.#abort.signal.aborted) return;
    const waiting: Waiting = { notice, attempts: 0, release: null, cancel: () => {} };
    const full = this.#waiting.size < MAX_WAITING ? null : `${MAX_WAITING} notices wait`;
    const fault = this.#disabled ?? full;
    if (fault === null) {
      this.#waiting.add(waiting);
      this.#ready(waiting);
    } else this.#tell('dropped', waiting, fault);
  }

  /** Ends the deliveries. What was not delivered may be sent by another process, or by the next one. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelPause?.();
    await Promise.all(this.#posting);
    for (const waiting of [...this.#waiting]) {
      waiting.release?.();
      this.#giveUp(waiting, 'the process ends');
    }
  }

  #ready(waiting: Waiting): void {
    this.#due.push(waiting);
    this.#pump();
  }

  #pump(): void {
    // Whoever cannot keep up is asked by one until it can.
    const most = this.#pauses > 0 ? 1 : MAX_POSTING;
    while (!this.#abort.signal.aborted && this.#due.length > 0 && this.#posting.size < most) {
      const { clock } = this.#options;
      const pauseMs = this.#pausedUntilMs - clock.now();
      if (pauseMs > 0) {
        this.#cancelPause ??= wakeAfter(clock, pauseMs, () => {
          this.#cancelPause = null;
          // By the time of the timer, whatever became of the clock.
          this.#pausedUntilMs = Number.NEGATIVE_INFINITY;
          this.#pump();
        });
        return;
      }
      const posting = this.#attempt(this.#due.shift()!).finally(() => {
        this.#posting.delete(posting);
        this.#pump();
      });
      this.#posting.add(posting);
    }
  }

  async #attempt(waiting: Waiting): Promise<void> {
    const { notice } = waiting;
    const { name, state, format, clock } = this.#options;
    if (clock.now() >= notice.untilMs) return this.#giveUp(waiting, 'it is expired');
    waiting.attempts++;
    if (waiting.release === null) {
      const turn = await takeNotice(state, name, notice, clock.now());
      if (turn.turn === 'unknown') return this.#failed(waiting, turn.detail);
      if (turn.turn !== 'ours') return void this.#waiting.delete(waiting);
      waiting.release = turn.release;
    }
    const isOnce = format === 'slack' && !isAlwaysTold(notice);
    const words: Turn | null = isOnce ? await takeWords(state, name, notice, clock.now()) : null;
    if (words?.turn === 'unknown') return this.#failed(waiting, words.detail);
    if (words?.turn === 'taken') {
      this.#tell('suppressed', waiting, 'the same was sent within five minutes');
      return void this.#waiting.delete(waiting);
    }
    const posted = await this.#post(notice);
    if (posted.result !== 'delivered') words?.release();
    this.#posted(waiting, posted);
  }

  async #post(notice: Notice): Promise<PostResult> {
    const { url, ca, secretFiles, format, page, clock } = this.#options;
    const { signal } = this.#abort;
    const secrets = await readSecrets(secretFiles, AbortSignal.any([signal, AbortSignal.timeout(READ_MS)]));
    if (secrets instanceof Fault) return { result: 'failed', detail: secrets.detail };
    const body = bodyOf(notice, format, page);
    const seconds = Math.floor(clock.now() / 1000);
    const signed = secrets.length === 0 ? {} : { 'webhook-signature': signatureOf(secrets, notice.id, seconds, body) };
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'cedar-ext-authz',
      'webhook-id': notice.id,
      'webhook-timestamp': String(seconds),
      ...signed,
    };
    return post({ url, ca, headers, body }, clock, signal);
  }

  #posted(waiting: Waiting, posted: PostResult): void {
    // Given up meanwhile, since another one was answered with 410.
    if (!this.#waiting.has(waiting)) return;
    if (this.#abort.signal.aborted && posted.result !== 'delivered') return;
    if (posted.result === 'delivered') {
      this.#pauses = 0;
      this.#waiting.delete(waiting);
      this.#tell('delivered', waiting, '');
    } else if (posted.result === 'gone') this.#disable(waiting, posted.detail);
    else {
      if (posted.result === 'busy') this.#pause(posted.afterMs);
      this.#failed(waiting, posted.detail);
    }
  }

  #failed(waiting: Waiting, detail: string): void {
    this.#tell('failed', waiting, detail);
    const { clock, random } = this.#options;
    const delayMs = DELAYS_MS[waiting.attempts - 1];
    const afterMs = delayMs === undefined ? null : delayMs * (1 + JITTER * random());
    if (afterMs === null) this.#giveUp(waiting, 'all attempts failed');
    else if (clock.now() + afterMs >= waiting.notice.untilMs)
      this.#giveUp(waiting, 'it expires before the next attempt');
    else waiting.cancel = wakeAfter(clock, afterMs, () => this.#ready(waiting));
  }

  #pause(askedMs: number | null): void {
    this.#cancelPause?.();
    this.#cancelPause = null;
    const [least, most] = PAUSE_MS;
    const ownMs = least * 2 ** Math.min(this.#pauses++, 10);
    const pauseMs = Math.min(Math.max(ownMs, askedMs ?? 0), most);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#options.clock.now() + pauseMs);
  }

  #disable(waiting: Waiting, detail: string): void {
    this.#disabled = detail;
    this.#tell('disabled', waiting, detail);
    for (const each of [...this.#waiting]) this.#giveUp(each, detail);
    this.#due.length = 0;
  }

  #giveUp(waiting: Waiting, detail: string): void {
    waiting.cancel();
    if (this.#waiting.delete(waiting)) this.#tell('given-up', waiting, detail);
  }

  #tell(result: ReceiverEvent['result'], { notice, attempts }: Waiting, detail: string): void {
    this.#options.onEvent({ result, notice, attempt: attempts, detail });
  }
}

/** What no receiver can be spared, and is told as often as it happens. */
const isAlwaysTold = ({ type }: Notice): boolean => type === 'break_glass.used';

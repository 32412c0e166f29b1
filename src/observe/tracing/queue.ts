import type { Clock } from '../../base/clock.ts';
import type { Sent } from './collector.ts';
import type { EncodedSpans } from './spans.ts';

/** What became of spans, for log and metrics. `detail` says why not. */
export interface SpanEvent {
  readonly result: 'exported' | 'dropped' | 'failed' | 'rejected' | 'delayed';
  /** 0 where an attempt failed that is made again. */
  readonly spans: number;
  readonly detail: string | null;
}

export interface SpanQueueOptions {
  /** Checks whose spans may wait. */
  readonly limit: number;
  /** Sends spans once. Never rejects. */
  readonly send: (spans: string, signal: AbortSignal) => Promise<Sent>;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly onEvent: (event: SpanEvent) => void;
}

/** Checks of one request. */
const MAX_BATCH = 128;
/** How long the first of a batch waits for others, in milliseconds. */
const GATHER_MS = 1000;
/** How long after a failure the next attempt comes: twice as long each time. */
const RETRY_MS = [1000, 30_000] as const;
/** A batch that could not be sent for so long is given up: a collector that is back needs what happens now. */
const MAX_AGE_MS = 60_000;
/** How long the end waits for what is left, in milliseconds. */
const FLUSH_MS = 2000;

/**
 * Sends spans, one request at a time. What finds no room is dropped and counted; nothing here is waited for by a check. Holds
 * at most `limit` checks and one batch.
 */
export class SpanQueue {
  readonly #options: SpanQueueOptions;
  readonly #abort = new AbortController();
  #waiting: EncodedSpans[] = [];
  #sending: Promise<void> | null = null;
  /** Ends the pause between batches and attempts. */
  #wake: (() => void) | null = null;
  #stopping = false;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  /** Checks whose spans wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  hasRoom(): boolean {
    return this.#waiting.length < this.#options.limit && !this.#stopping;
  }

  /** Takes spans for which there is room. */
  offer(spans: EncodedSpans): void {
    this.#waiting.push(spans);
    this.#sending ??= this.#run();
    if (this.#waiting.length === MAX_BATCH) this.#wake?.();
  }

  drop(spans: number): void {
    this.#options.onEvent({ result: 'dropped', spans, detail: null });
  }

  /** Sends what waits, within two seconds; what is left then is dropped. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    const late = setTimeout(() => this.#abort.abort(), FLUSH_MS);
    await this.#sending;
    clearTimeout(late);
    const left = this.#waiting.reduce((sum, { count }) => sum + count, 0);
    if (left > 0) this.drop(left);
  }

  async #run(): Promise<void> {
    let isFirst = true;
    while (this.#waiting.length > 0 && !this.#abort.signal.aborted) {
      if (isFirst && this.#waiting.length < MAX_BATCH) await this.#pause(GATHER_MS);
      const batch = this.#waiting.splice(0, MAX_BATCH);
      isFirst = this.#waiting.length < MAX_BATCH;
      await this.#deliver(batch);
    }
    this.#sending = null;
  }

  async #deliver(batch: readonly EncodedSpans[]): Promise<void> {
    const { send, clock, random, onEvent } = this.#options;
    const spans = batch.reduce((sum, { count }) => sum + count, 0);
    const json = batch.map((each) => each.json).join(',');
    const untilMs = clock.now() + MAX_AGE_MS;
    let [delayMs, most] = RETRY_MS as readonly [number, number];
    for (;;) {
      const sent = await send(json, this.#abort.signal);
      if (sent.result === 'delivered') {
        onEvent({ result: 'exported', spans: Math.max(0, spans - sent.rejected), detail: null });
        if (sent.rejected > 0)
          onEvent({ result: 'rejected', spans: Math.min(spans, sent.rejected), detail: sent.detail });
        return;
      }
      const pauseMs = Math.max(delayMs, sent.afterMs ?? 0) * (1 + random() / 4);
      const isOver = sent.result === 'failed' || this.#stopping || clock.now() + pauseMs > untilMs;
      onEvent({ result: isOver ? 'failed' : 'delayed', spans: isOver ? spans : 0, detail: sent.detail });
      if (isOver) return;
      await this.#pause(pauseMs);
      delayMs = Math.min(delayMs * 2, most);
    }
  }

  /** Waits so long, or until there is no more time or need to. */
  async #pause(milliseconds: number): Promise<void> {
    if (this.#stopping) return;
    const over = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(milliseconds, over.resolve);
    this.#wake = over.resolve;
    await over.promise;
    this.#wake = null;
    cancel();
  }
}

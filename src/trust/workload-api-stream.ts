import type { MethodDefinition } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import { openStream, type StreamCall, StreamFault } from './workload-api-call.ts';

const LEAST_DELAY_MS = 1000;
const MOST_DELAY_MS = 30_000;
/** A stream that says nothing at all for so long is given up: an agent answers at once, if only with a refusal. */
const FIRST_MESSAGE_MS = 10_000;
/**
 * A denial after a good message is believed when it stands for so long: while SPIRE replaces SVIDs of a tainted authority,
 * its agent knows no identity for a moment, and says so.
 */
const DENIAL_MS = 5000;
const ASK_AGAIN_MS = 250;
/** How often the wall clock is looked at. Timers stand still while a machine sleeps, and the wall clock does not. */
const TICK_MS = 1000;

export interface WorkloadStreamOptions<M> {
  /** The endpoint as grpc-js names it. */
  readonly target: string;
  readonly method: MethodDefinition<object, M>;
  readonly clock: Clock;
  /**
   * Milliseconds after the last message when the stream is opened anew beside the old one, which ends when the new one has
   * spoken. An agent speaks when something changes, so that silence alone proves nothing.
   */
  readonly refreshMs: number;
  /** The complete state, with everything that is absent withdrawn. */
  readonly onMessage: (message: M) => void;
  readonly onFault: (fault: StreamFault) => void;
}

/**
 * One stream of the Workload API that is kept open for good: reopened when it ends, after errors with a delay that grows
 * from 1 s to 30 s and starts over with each good message, and confirmed from time to time. Only `refused` and
 * `unsupported` end it (SPIFFE Workload API section 5.3). `denied` is passed on once it has stood for 5 s.
 */
export class WorkloadStream<M> {
  readonly #options: WorkloadStreamOptions<M>;
  /** The stream that has spoken. */
  #current: StreamCall | null = null;
  /** The stream that has yet to speak. */
  #pending: StreamCall | null = null;
  #failures = 0;
  /** When the denial began that has not been passed on yet. */
  #deniedSince: number | null = null;
  /** Whether what the last good message said still stands. */
  #holds = false;
  #spokeAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #cancelRetry: (() => void) | null = null;
  #cancelDeadline: () => void = () => {};
  #cancelTick: () => void = () => {};
  #stopped = false;
  readonly #firstOutcome = Promise.withResolvers<void>();

  constructor(options: WorkloadStreamOptions<M>) {
    this.#options = options;
  }

  /** Opens the stream; resolves after the first message or failure. Never rejects. */
  start(): Promise<void> {
    this.#try();
    this.#tick();
    return this.#firstOutcome.promise;
  }

  /** Something says that the agent is there again: asks without waiting for the whole delay, at most once a second. */
  retrySoon(): void {
    if (this.#cancelRetry === null) return;
    this.#failures = 0;
    this.#retryIn(Math.max(0, this.#triedAt + LEAST_DELAY_MS - this.#options.clock.now()));
  }

  stop(): void {
    this.#stopped = true;
    this.#clear();
    this.#cancelTick();
    this.#firstOutcome.resolve();
  }

  #try(): void {
    this.#clearRetry();
    const { target, method, clock } = this.#options;
    this.#triedAt = clock.now();
    const call: StreamCall = openStream(target, method, {
      message: (message) => this.#spoke(call, message),
      ended: (fault) => this.#ended(call, fault),
    });
    this.#pending = call;
    this.#cancelDeadline = clock.after(FIRST_MESSAGE_MS, () => {
      this.#fail(new StreamFault('unavailable', `no message within ${FIRST_MESSAGE_MS / 1000} s`));
    });
  }

  #spoke(call: StreamCall, message: M): void {
    if (call === this.#pending) {
      this.#cancelDeadline();
      this.#current?.cancel();
      this.#current = call;
      this.#pending = null;
    }
    this.#failures = 0;
    this.#deniedSince = null;
    this.#holds = true;
    this.#spokeAt = this.#options.clock.now();
    this.#options.onMessage(message);
    this.#firstOutcome.resolve();
  }

  #ended(call: StreamCall, fault: StreamFault | null): void {
    if (call === this.#pending) {
      this.#pending = null;
      this.#fail(fault ?? new StreamFault('unavailable', 'the agent ended the stream without a message'));
      return;
    }
    this.#current = null;
    // The stream that was opened to confirm this one says what there is to say.
    if (this.#pending !== null) return;
    if (fault !== null) this.#fail(fault);
    else this.#retryIn(Math.max(0, this.#triedAt + LEAST_DELAY_MS - this.#options.clock.now()));
  }

  #fail(fault: StreamFault): void {
    if (this.#stopped) return;
    this.#clear();
    if (fault.kind === 'denied' && this.#holds) {
      const now = this.#options.clock.now();
      this.#deniedSince ??= now;
      if (Math.abs(now - this.#deniedSince) < DENIAL_MS) {
        this.#retryIn(ASK_AGAIN_MS);
        return;
      }
      this.#holds = false;
    }
    this.#deniedSince = null;
    this.#stopped = fault.kind === 'refused' || fault.kind === 'unsupported';
    if (this.#stopped) this.#cancelTick();
    else this.#retryIn(Math.min(LEAST_DELAY_MS * 2 ** this.#failures, MOST_DELAY_MS));
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#options.onFault(fault);
    this.#firstOutcome.resolve();
  }

  #retryIn(delayMs: number): void {
    this.#clearRetry();
    // A clock that was set back must not put the attempt off by as much.
    this.#cancelRetry = this.#options.clock.after(Math.min(delayMs, MOST_DELAY_MS), () => this.#try());
  }

  #tick(): void {
    if (this.#stopped) return;
    const { clock, refreshMs } = this.#options;
    const age = clock.now() - this.#spokeAt;
    const due = this.#current !== null && this.#pending === null && (age >= refreshMs || age < 0);
    if (due) this.#try();
    this.#cancelTick = clock.after(Math.min(TICK_MS, refreshMs), () => this.#tick());
  }

  #clear(): void {
    this.#clearRetry();
    this.#cancelDeadline();
    this.#current?.cancel();
    this.#pending?.cancel();
    this.#current = null;
    this.#pending = null;
  }

  #clearRetry(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
  }
}

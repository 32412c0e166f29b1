import { Refusal } from '../base/outcome.ts';
import { within } from '../base/within.ts';
import { AuditChain, type ChainOptions, type Pending, type Written } from './chain.ts';
import { type AuditChange, changeBody } from './change.ts';
import { type AuditBody, type AuditRecord, auditBody } from './record.ts';
import type { AuditSink } from './sink.ts';

export interface AuditOptions extends Omit<ChainOptions, 'sink'> {
  /** At least one. */
  readonly sinks: readonly AuditSink[];
  /** What becomes of an allow that cannot be recorded in time. */
  readonly onFailure: 'deny' | 'unsafeAllow';
}

/**
 * The record of every decision: each sink holds a hash chain of its own, so that each can be verified by itself.
 */
export class Audit {
  readonly #chains: readonly AuditChain[];
  readonly #options: AuditOptions;

  private constructor(chains: readonly AuditChain[], options: AuditOptions) {
    this.#chains = chains;
    this.#options = options;
  }

  /** Opens every sink and writes the first line of each. Throws when one of them cannot be written. */
  static async start(options: AuditOptions): Promise<Audit> {
    const chains: AuditChain[] = [];
    for (const sink of options.sinks) chains.push(await AuditChain.start({ ...options, sink }));
    return new Audit(chains, options);
  }

  /**
   * Records one decision, and waits for every sink, but at most `waitMs` milliseconds. Gives the line of the first sink.
   * An allow that is not in every sink by then becomes the refusal `audit_unavailable`, which is what has to be answered,
   * and what is recorded in its place; a line that was begun and says allow is followed by one with `"event":"withdrawn"`.
   * A denial, or an allow under `unsafeAllow`, gives null then: it is answered as it is, and recorded when the sink can.
   * Never throws, never hangs.
   */
  record(record: AuditRecord, waitMs: number): Promise<Written | Refusal | null> {
    const body = auditBody(record);
    const pending = this.#chains.map((chain) => chain.append(body));
    const line = within(inEverySink(pending), waitMs, () => null);
    return line.then((written) => written ?? this.#unrecorded(record, pending, waitMs));
  }

  /** What becomes of a decision that is not in every sink. */
  #unrecorded(record: AuditRecord, pending: readonly Pending[], waitMs: number): Refusal | null {
    if (record.result === 'deny' || this.#options.onFailure === 'unsafeAllow') return null;
    const detail = `the record of an allow could not be written within ${Math.round(waitMs)} ms`;
    const instead = auditBody({ ...record, result: 'deny', reason: 'audit_unavailable', detail });
    for (const [at, each] of pending.entries()) {
      if (each.cancel()) this.#chains[at]!.append(instead);
      else void this.#withdraw(record.decision, this.#chains[at]!, each);
    }
    return new Refusal('audit_unavailable', detail);
  }

  /**
   * Writes a line that is no decision of a check, and waits for every sink, but at most `waitMs` milliseconds. Null: it is
   * not in every sink. With `orWithdraw`, what it tells of does not happen then: a line that was begun is followed by one
   * with `"event":"withdrawn"`; without, the line is written when the sink can. Never throws, never hangs.
   */
  async append(body: AuditBody, waitMs: number, orWithdraw: boolean): Promise<Written | null> {
    const pending = this.#chains.map((chain) => chain.append(body));
    const written = await within(inEverySink(pending), waitMs, () => null);
    if (written !== null || !orWithdraw) return written;
    for (const [at, each] of pending.entries())
      if (!each.cancel()) void this.#withdraw(body.decision, this.#chains[at]!, each);
    return null;
  }

  /** Marks a decision whose line says allow, and on which Envoy had given up: it reached nobody. */
  undelivered(decision: string): void {
    for (const chain of this.#chains) chain.note(this.#options.now(), decision, { event: 'undelivered' });
  }

  /** Goes on in a new file, now, where the file of a sink was moved away. */
  reopen(): void {
    for (const chain of this.#chains) chain.reopen();
  }

  /** Records a change of what decides, in every sink; one that a full queue leaves no room for is counted as lost. */
  change(change: AuditChange): void {
    const body = changeBody(this.#options.now(), change);
    for (const chain of this.#chains) chain.append(body);
  }

  /** Lines that wait, by the name of the sink; of several sinks with one name, the longest queue. */
  waiting(): ReadonlyMap<string, number> {
    const waiting = new Map<string, number>();
    for (const chain of this.#chains) waiting.set(chain.sink, Math.max(waiting.get(chain.sink) ?? 0, chain.waiting));
    return waiting;
  }

  /** Writes what waits, at most `waitMs` milliseconds long, and closes the sinks. */
  async close(waitMs: number): Promise<void> {
    await within(Promise.all(this.#chains.map((chain) => chain.close())), waitMs, () => null);
  }

  async #withdraw(decision: string, chain: AuditChain, pending: Pending): Promise<void> {
    const line = await pending.done;
    if (line === null) return;
    chain.note(this.#options.now(), decision, { event: 'withdrawn', of: line.seq, answered: 'audit_unavailable' });
  }
}

/** The line of the first sink once all have theirs; null where one could not be written. */
function inEverySink(pending: readonly Pending[]): Promise<Written | null> {
  const [first, ...more] = pending.map(({ done }) => done);
  // By far the most have one sink.
  if (first !== undefined && more.length === 0) return first;
  return Promise.all(pending.map(({ done }) => done)).then((lines) => (lines.includes(null) ? null : lines[0]!));
}

import { randomUUIDv7 } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Refusal } from '../base/outcome.ts';
import type { Soon } from '../base/soon.ts';
import { within } from '../base/within.ts';
import type { CheckInput, RawRequestSummary } from '../http/input.ts';
import type { CheckTrace, TraceHeader } from '../http/trace-context.ts';
import type { CheckContext, CheckResult, Decision } from './decision.ts';
import { Trail } from './trail.ts';

/** One check as a door hands it over. */
export interface CheckCall {
  /** Reads the request, or says why it cannot be read. */
  readonly read: () => CheckInput | Refusal;
  /** The request as it came, where it cannot be read. */
  readonly raw: () => RawRequestSummary;
  /** When the one who asks stops waiting, in milliseconds since the epoch; Infinity where there is no deadline. */
  readonly deadline: number;
  /** Whether the one who asks stopped waiting already, as far as it is known: what nobody waits for is refused. */
  readonly gaveUp: () => boolean;
  /** The `traceparent` that came beside the request. */
  readonly traceparent: () => TraceHeader;
}

/** What ties an answer to the audit. */
export interface AuditReference {
  readonly decision: string;
  /** Number and hash of the audit line; null when the line could not be written. */
  readonly seq: number | null;
  readonly hash: string | null;
}

/** What a door encodes. */
export interface Answer {
  readonly decided: Decision;
  readonly reference: AuditReference;
}

export interface AnswerParts {
  /** `nowMs`: milliseconds since the epoch. */
  readonly decide: (input: CheckInput, context: CheckContext, nowMs: number) => Soon<Decision>;
  /**
   * Writes the audit line, and waits for its sink at most `waitMs`. Gives its place; or the refusal that an allow becomes
   * when it cannot be recorded; or null when the answer goes out unrecorded.
   */
  readonly record: (
    result: CheckResult,
    waitMs: number,
  ) => Promise<{ readonly seq: number; readonly hash: string } | Refusal | null>;
  /** The trace that a check belongs to. Never throws. */
  readonly trace: (asked: TraceHeader, input: CheckInput | null) => CheckTrace | null;
  /** Each gets every result, once it is recorded. One that fails changes no answer. */
  readonly listeners: readonly ((result: CheckResult) => void)[];
  /** An allow was recorded, and nobody waited for it any more: it reached nobody. */
  readonly undelivered: (decision: string) => void;
  readonly onListenerBug: (error: unknown, decision: string) => void;
  /** The check is refused with `internal`. */
  readonly onBug: (error: unknown, decision: string) => void;
  /** Gives milliseconds since the epoch. */
  readonly clock: () => number;
  readonly limits: AnswerLimits;
}

export interface AnswerLimits {
  readonly concurrentChecks: number;
  /** How long before the deadline the answer must be under way, in milliseconds. */
  readonly marginMs: number;
  /** The most that a check may take where its deadline is later, in milliseconds. */
  readonly deadlineMs: number;
}

export interface Answerer {
  /** Answers one check. Never throws and never rejects: every path ends in a Decision. */
  answer(call: CheckCall): Promise<Answer>;
  inflight(): number;
}

/**
 * Builds what answers checks, whatever door they come through: limits, deadline, decision, audit, answer. An allow leaves
 * only after the audit sink has its line; the one catch turns a bug into a denial, a log line and a metric.
 */
export function createAnswerer(parts: AnswerParts): Answerer {
  const { limits } = parts;
  let inflight = 0;

  async function answer(call: CheckCall): Promise<Answer> {
    const decision = randomUUIDv7();
    inflight++;
    try {
      const time = parts.clock();
      const started = performance.now();
      const deciding = decide(call, decision, time);
      const { input, decided } = deciding instanceof Promise ? await deciding : deciding;
      return await recorded(call, { decision, time, input, decided }, started);
    } catch (error) {
      parts.onBug(error, decision);
      return unrecorded(decision, refused(new Refusal('internal', 'a bug')));
    } finally {
      inflight--;
    }
  }

  async function recorded(call: CheckCall, found: Found, started: number): Promise<Answer> {
    const { decision, decided } = found;
    const microseconds = () => Math.round((performance.now() - started) * 1000);
    const raw = found.input === null ? call.raw() : null;
    const trace = parts.trace(call.traceparent(), found.input);
    const result: CheckResult = { ...found, microseconds: microseconds(), raw, trace };
    decided.trail.lap(null);
    const line = await parts.record(result, Math.min(call.deadline - parts.clock(), limits.deadlineMs));
    decided.trail.lap('audit');
    if (line instanceof Refusal) {
      // What is refused uses nothing up.
      if ('giveBack' in decided) decided.giveBack();
      const instead: Decision = { outcome: line, trail: decided.trail };
      publish({ ...result, microseconds: microseconds(), decided: instead });
      return unrecorded(decision, instead);
    }
    if ('giveBack' in decided && call.gaveUp()) {
      decided.giveBack();
      parts.undelivered(decision);
    }
    publish({ ...result, microseconds: microseconds() });
    if (line === null) return unrecorded(decision, decided);
    return { decided, reference: { decision, seq: line.seq, hash: line.hash } };
  }

  function publish(result: CheckResult): void {
    for (const listener of parts.listeners) {
      try {
        listener(result);
      } catch (error) {
        parts.onListenerBug(error, result.decision);
      }
    }
  }

  /** Reads and decides. A bug in either becomes a denial that is recorded like every other. */
  function decide(
    { read, deadline, gaveUp }: CheckCall,
    decision: string,
    nowMs: number,
  ): Soon<Pick<Found, 'input' | 'decided'>> {
    let input: CheckInput | null = null;
    const bug = (error: unknown): Pick<Found, 'input' | 'decided'> => {
      parts.onBug(error, decision);
      return { input, decided: refused(new Refusal('internal', 'a bug')) };
    };
    try {
      // Before anything is read: what is refused for want of time is to take as little of it as can be.
      if (inflight > limits.concurrentChecks) {
        return { input, decided: overloaded(`more than ${limits.concurrentChecks} checks at once`) };
      }
      const left = Math.min(deadline - nowMs, limits.deadlineMs) - limits.marginMs;
      if (left <= 0) return { input, decided: overloaded('no time was left when the check arrived') };
      if (gaveUp()) return { input, decided: overloaded('Envoy gave up before it was decided') };
      const request = read();
      if (request instanceof Refusal) return { input, decided: refused(request) };
      input = request;
      const deciding = parts.decide(request, { decision, deadline: nowMs + left, gaveUp }, nowMs);
      if (!(deciding instanceof Promise)) return { input, decided: deciding };
      return within(deciding, left, () => undecided(left)).then((decided) => ({ input, decided }), bug);
    } catch (error) {
      return bug(error);
    }
  }

  return { answer, inflight: () => inflight };
}

/** A check that was decided, and not yet recorded. */
type Found = Pick<CheckResult, 'decision' | 'time' | 'input' | 'decided'>;

const unrecorded = (decision: string, decided: Decision): Answer => ({
  decided,
  reference: { decision, seq: null, hash: null },
});

/** A decision before, or instead of, a check. */
export const refused = (outcome: Refusal): Decision => ({ outcome, trail: new Trail() });

const undecided = (ms: number): Decision => overloaded(`undecided after ${Math.round(ms)} ms`);

const overloaded = (detail: string): Decision => refused(new Refusal('overloaded', detail));

import { performance } from 'node:perf_hooks';
import { v7 as uuid } from 'uuid';
import { Refusal } from '../base/outcome.ts';
import type { Decision, Occasion } from '../check/check.ts';
import type { CheckInput, Told } from '../http/input.ts';
import type { CheckResponseMessage } from './messages.ts';
import { allowResponse, denyResponse, type Stamp } from './response.ts';

/** One Check as the transport hands it over. */
export interface CheckCall {
  /** Reads the request, or says why it cannot be read. */
  readonly read: () => CheckInput | Refusal;
  /** What the request says of itself where it cannot be read. */
  readonly told: () => Told;
  /** When Envoy stops waiting, in milliseconds since the epoch; Infinity where it set no deadline. */
  readonly deadline: number;
  /** Whether Envoy stopped waiting already, as far as it is known: what it gave up on is refused there. */
  readonly gaveUp: () => boolean;
}

/** What was decided about one Check, for the audit record and the metrics. */
export interface Concluded {
  readonly decision: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly microseconds: number;
  readonly input: CheckInput | null;
  /** Where there is no input. */
  readonly told: Told | null;
  readonly decided: Decision;
}

/** Where the audit line of a decision stands. */
export interface Line {
  readonly seq: number;
  readonly hash: string;
}

export interface HandlerParts {
  readonly decide: (input: CheckInput, occasion: Occasion, now: number) => Promise<Decision>;
  /**
   * Writes the audit line, and waits for its sink at most `waitMs`. Gives the line; or the refusal that an allow becomes
   * when it cannot be recorded; or null when the answer goes out unrecorded.
   */
  readonly record: (concluded: Concluded, waitMs: number) => Promise<Line | Refusal | null>;
  /** `auditMicros`: how long the answer waited for its audit line. */
  readonly observe: (concluded: Concluded, auditMicros: number) => void;
  /** An allow was recorded, and Envoy had given up on it: it reached nobody. */
  readonly undelivered: (decision: string) => void;
  readonly onBug: (error: unknown, decision: string) => void;
  readonly clock: () => number;
  readonly limits: HandlerLimits;
}

export interface HandlerLimits {
  readonly concurrentChecks: number;
  /** How long before Envoy's deadline the answer must be under way, in milliseconds. */
  readonly marginMs: number;
  /** The most that a check may take where Envoy gives it longer, in milliseconds. */
  readonly deadlineMs: number;
}

/** Answers one Check. Never throws and never rejects: every path ends in an explicit CheckResponse. */
export type Handler = (call: CheckCall) => Promise<CheckResponseMessage>;

export interface RunningHandler {
  readonly handle: Handler;
  readonly inflight: () => number;
}

/**
 * Builds the handler: limits, deadline, decision, audit, answer. An allow leaves only after the audit sink has its
 * line; the one catch turns a bug into a denial, a log line and a metric.
 */
export function createHandler(parts: HandlerParts): RunningHandler {
  const { limits } = parts;
  let inflight = 0;

  async function handle(call: CheckCall): Promise<CheckResponseMessage> {
    const decision = uuid();
    inflight++;
    try {
      return await answer(call, decision);
    } catch (error) {
      parts.onBug(error, decision);
      return denyResponse(new Refusal('internal', 'a bug'), unrecorded(decision));
    } finally {
      inflight--;
    }
  }

  async function answer(call: CheckCall, decision: string): Promise<CheckResponseMessage> {
    const time = parts.clock();
    const started = performance.now();
    const { input, decided } = await decide(call, decision, time);
    const conclude = (what: Decision): Concluded => ({
      decision,
      time,
      microseconds: Math.round((performance.now() - started) * 1000),
      input,
      told: input === null ? call.told() : null,
      decided: what,
    });
    const concluded = conclude(decided);
    const recording = performance.now();
    const line = await parts.record(concluded, Math.min(call.deadline - parts.clock(), limits.deadlineMs));
    const auditMicros = Math.round((performance.now() - recording) * 1000);
    if (line instanceof Refusal) {
      // What is refused uses nothing up.
      if ('giveBack' in decided) decided.giveBack();
      const answered = conclude({ outcome: line, trail: decided.trail });
      parts.observe(answered, auditMicros);
      return respond(answered.decided, unrecorded(decision));
    }
    if ('giveBack' in decided && call.gaveUp()) {
      decided.giveBack();
      parts.undelivered(decision);
    }
    parts.observe(conclude(decided), auditMicros);
    return respond(decided, line === null ? unrecorded(decision) : { decision, seq: line.seq, hash: line.hash });
  }

  /** Reads and decides. A bug in either becomes a denial that is recorded like every other. */
  async function decide(
    call: CheckCall,
    decision: string,
    now: number,
  ): Promise<{ input: CheckInput | null; decided: Decision }> {
    let input: CheckInput | null = null;
    try {
      const read = call.read();
      if (read instanceof Refusal) return { input, decided: refused(read) };
      input = read;
      if (inflight > limits.concurrentChecks) {
        return { input, decided: overloaded(`more than ${limits.concurrentChecks} checks at once`) };
      }
      const left = Math.min(call.deadline - now, limits.deadlineMs) - limits.marginMs;
      if (left <= 0) return { input, decided: overloaded('no time was left when the check arrived') };
      const { gaveUp } = call;
      if (gaveUp()) return { input, decided: overloaded('Envoy gave up before it was decided') };
      const occasion = { decision, deadline: now + left, gaveUp };
      return { input, decided: await within(parts.decide(read, occasion, now), left) };
    } catch (error) {
      parts.onBug(error, decision);
      return { input, decided: refused(new Refusal('internal', 'a bug')) };
    }
  }

  return { handle, inflight: () => inflight };
}

const unrecorded = (decision: string): Stamp => ({ decision, seq: null, hash: null });

const refused = (outcome: Refusal): Decision => ({ outcome, trail: {} });

const overloaded = (detail: string): Decision => refused(new Refusal('overloaded', detail));

/** What was decided, or a refusal when that takes longer than `ms`. */
async function within(deciding: Promise<Decision>, ms: number): Promise<Decision> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Decision>((resolve) => {
    timer = setTimeout(() => resolve(overloaded(`undecided after ${Math.round(ms)} ms`)), ms);
  });
  try {
    return await Promise.race([deciding, late]);
  } finally {
    clearTimeout(timer);
  }
}

function respond(decided: Decision, stamp: Stamp): CheckResponseMessage {
  return 'admission' in decided
    ? allowResponse(decided.admission, stamp, decided.outcome.observed)
    : denyResponse(decided.outcome, stamp);
}

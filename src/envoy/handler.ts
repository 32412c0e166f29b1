import { performance } from 'node:perf_hooks';
import { v7 as uuid } from 'uuid';
import type { Decision } from '../check.ts';
import type { CheckInput } from '../input.ts';
import { Refusal } from '../outcome.ts';
import type { CheckResponseMessage } from './messages.ts';
import { allowResponse, denyResponse, type Stamp } from './response.ts';

/** One Check as the transport hands it over. */
export interface CheckCall {
  /** Reads the request, or says why it cannot be read. */
  readonly read: () => CheckInput | Refusal;
  /** When Envoy stops waiting, in milliseconds since the epoch; Infinity where it set no deadline. */
  readonly deadline: number;
}

/** What was decided about one Check, for the audit record and the metrics. */
export interface Concluded {
  readonly decision: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly microseconds: number;
  readonly input: CheckInput | null;
  readonly decided: Decision;
}

export interface HandlerParts {
  readonly decide: (input: CheckInput, decision: string, now: number) => Promise<Decision>;
  /** Resolves with the number and hash of the audit line once its sink has it; rejects when it cannot be written in time. */
  readonly record: (concluded: Concluded, deadline: number) => Promise<{ seq: number; hash: string }>;
  /** Whether an allow stands although its audit line could not be written. */
  readonly unsafeAllowUnaudited: boolean;
  readonly observe: (concluded: Concluded) => void;
  readonly onBug: (error: unknown, decision: string) => void;
  readonly clock: () => number;
  readonly limits: HandlerLimits;
}

export interface HandlerLimits {
  readonly concurrentChecks: number;
  /** How long before Envoy's deadline the answer must be under way, in milliseconds. */
  readonly marginMs: number;
}

/** Answers one Check. Never throws and never rejects: every path ends in an explicit CheckResponse. */
export type Handler = (call: CheckCall) => Promise<CheckResponseMessage>;

export interface RunningHandler {
  readonly handle: Handler;
  readonly inflight: () => number;
  /** Resolves when no check is in flight. */
  readonly idle: () => Promise<void>;
}

/**
 * Builds the handler: limits, deadline, decision, audit, answer. An allow leaves only after the audit sink has its
 * line; the one catch turns a bug into a denial, a log line and a metric.
 */
export function createHandler(parts: HandlerParts): RunningHandler {
  let inflight = 0;
  const waiting: (() => void)[] = [];

  async function handle(call: CheckCall): Promise<CheckResponseMessage> {
    const decision = uuid();
    inflight++;
    try {
      return await answer(call, decision, inflight > parts.limits.concurrentChecks);
    } catch (error) {
      parts.onBug(error, decision);
      return denyResponse(new Refusal('internal', 'a bug'), { decision, seq: null, hash: null });
    } finally {
      inflight--;
      if (inflight === 0) for (const wake of waiting.splice(0)) wake();
    }
  }

  async function answer(call: CheckCall, decision: string, shed: boolean): Promise<CheckResponseMessage> {
    const time = parts.clock();
    const started = performance.now();
    const read = call.read();
    const input = read instanceof Refusal ? null : read;
    const decided =
      read instanceof Refusal ? refused(read) : await decideInTime(read, call.deadline, time, shed, decision);
    const conclude = (what: Decision): Concluded => ({
      decision,
      time,
      microseconds: Math.round((performance.now() - started) * 1000),
      input,
      decided: what,
    });
    const concluded = conclude(decided);
    const stamp = await recorded(concluded, call.deadline);
    if (stamp !== null || decided.outcome instanceof Refusal || parts.unsafeAllowUnaudited) {
      parts.observe(concluded);
      return respond(decided, stamp ?? { decision, seq: null, hash: null });
    }
    const outcome = new Refusal('audit_unavailable', 'no sink took the audit line');
    const unaudited = conclude({ outcome, trail: decided.trail });
    parts.observe(unaudited);
    return respond(unaudited.decided, { decision, seq: null, hash: null });
  }

  async function decideInTime(
    input: CheckInput,
    deadline: number,
    now: number,
    shed: boolean,
    decision: string,
  ): Promise<Decision> {
    if (shed) return overloaded(`more than ${parts.limits.concurrentChecks} checks at once`);
    const left = deadline - now - parts.limits.marginMs;
    if (left <= 0) return overloaded('no time was left when the check arrived');
    const deciding = parts.decide(input, decision, now).catch((error: unknown): Decision => {
      parts.onBug(error, decision);
      return refused(new Refusal('internal', 'a bug'));
    });
    return Number.isFinite(left) ? within(deciding, left) : deciding;
  }

  async function recorded(concluded: Concluded, deadline: number): Promise<Stamp | null> {
    try {
      return { decision: concluded.decision, ...(await parts.record(concluded, deadline)) };
    } catch {
      return null;
    }
  }

  return {
    handle,
    inflight: () => inflight,
    idle: () => (inflight === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}

const refused = (outcome: Refusal): Decision => ({ outcome, trail: {} });

const overloaded = (detail: string): Decision => refused(new Refusal('overloaded', detail));

/** What was decided, or a refusal when that takes longer than `ms`. */
async function within(deciding: Promise<Decision>, ms: number): Promise<Decision> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Decision>((resolve) => {
    timer = setTimeout(() => resolve(overloaded(`undecided after ${Math.round(ms)} ms`)), Math.min(ms, 2 ** 31 - 1));
  });
  try {
    return await Promise.race([deciding, late]);
  } finally {
    clearTimeout(timer);
  }
}

function respond(decided: Decision, stamp: Stamp): CheckResponseMessage {
  return 'admission' in decided ? allowResponse(decided.admission, stamp) : denyResponse(decided.outcome, stamp);
}

import { randomBytes } from 'node:crypto';
import type { CheckResult } from '../../check/decision.ts';
import type { CheckInput } from '../../http/input.ts';
import { type CheckTrace, parentOf, type TraceHeader } from '../../http/trace-context.ts';
import type { SpanQueue } from './queue.ts';
import { runsOf, spansOf } from './spans.ts';
import { WallTime } from './wall-time.ts';

export interface TracerOptions {
  /** Of the checks without a parent, the part of which a trace begins here, 0 to 1. */
  readonly ratio: number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly queue: Pick<SpanQueue, 'offer' | 'hasRoom' | 'drop'>;
}

const [TRACE_BYTES, SPAN_BYTES] = [16, 8];

/** Makes spans of checks: of those whose parent is sampled, and of a part of those that have no parent. */
export class Tracer {
  readonly #options: TracerOptions;
  readonly #wall = new WallTime();

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** The trace of a check, before its line is written: the line names it. */
  readonly trace = (asked: TraceHeader, input: CheckInput | null): CheckTrace | null => {
    const parent = parentOf(asked, input);
    if (parent !== null) {
      const span = parent.sampled ? hex(SPAN_BYTES) : null;
      return { id: parent.traceId, parent: parent.spanId, span };
    }
    const { ratio, random } = this.#options;
    return random() < ratio ? { id: hex(TRACE_BYTES), parent: null, span: hex(SPAN_BYTES) } : null;
  };

  /** Queues the spans of a check that ended. Nothing is waited for. */
  readonly listener = (result: CheckResult): void => {
    const { trace } = result;
    if (trace === null || trace.span === null) return;
    const { queue } = this.#options;
    const runs = runsOf(result);
    if (queue.hasRoom()) queue.offer(spansOf(result, trace, runs, this.#wall));
    else queue.drop(runs.length + 1);
  };
}

/** Ids are random; one of zeros alone is none, and comes once in 2^64. */
const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

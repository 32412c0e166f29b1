import { randomUUID } from 'node:crypto';
import { systemClock } from '../../base/clock.ts';
import type { AnswerParts } from '../../check/answer.ts';
import type { Config } from '../../config/schema.ts';
import { receivedTrace } from '../../http/trace-context.ts';
import type { Log } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { SpanEvent } from '../../observe/tracing/queue.ts';

/** What makes traces, running: what a check is answered with. */
export interface Tracing extends Pick<AnswerParts, 'trace' | 'listeners'> {
  missing(): readonly string[];
  status(): Readonly<Record<string, unknown>>;
  stop(): void | Promise<void>;
  readonly gauges: () => { readonly authz_tracing_waiting?: number; readonly authz_tracing_waiting_limit?: number };
}

/** No spans are made: a check costs the look at its `traceparent` for its audit line, and nothing is loaded. */
const OFF: Tracing = {
  trace: receivedTrace,
  listeners: [],
  gauges: () => ({}),
  missing: () => [],
  status: () => ({}),
  stop: () => {},
};

/** Makes spans of checks where the configuration asks for it, and sends them. Never rejects. */
export async function startTracing(
  { tracing }: Config,
  { log, metrics }: { readonly log: Log; readonly metrics: Metrics },
  version: string,
): Promise<Tracing> {
  if (tracing === null) return OFF;
  const { Collector, SpanQueue, Tracer, exportRequest } = await import('../../observe/tracing/tracing.ts');
  const { otlp, ratio, queue: limit } = tracing;
  const collector = new Collector(otlp);
  const { host } = otlp.url;
  const wrap = exportRequest(version, randomUUID());
  let cause: string | null = null;
  const onEvent = ({ result, spans, detail }: SpanEvent): void => {
    if (spans > 0) metrics.control('authz_tracing_spans_total', { result }, spans);
    if (result === 'exported' && cause !== null) log.info('spans delivered again', { collector: host });
    if (detail !== null && detail !== cause) log.warn('spans not delivered', { collector: host, detail });
    if (result !== 'dropped') cause = detail;
  };
  for (const result of ['exported', 'dropped', 'failed', 'rejected'])
    metrics.control('authz_tracing_spans_total', { result }, 0);
  const send = (spans: string, signal: AbortSignal) => collector.post(wrap(spans), signal);
  const queue = new SpanQueue({ limit, send, clock: systemClock, random: Math.random, onEvent });
  const tracer = new Tracer({ ratio, random: Math.random, queue });
  return {
    trace: tracer.trace,
    listeners: [tracer.listener],
    gauges: () => ({ authz_tracing_waiting: queue.waiting, authz_tracing_waiting_limit: limit }),
    missing: () => [],
    status: () => ({ tracing: { collector: host, waiting: queue.waiting, fault: cause } }),
    stop: async () => {
      await queue.stop();
      collector.close();
    },
  };
}

/** Why the files that spans are sent with cannot be used, one line each. */
export async function tracingFaults({ tracing }: Config): Promise<readonly string[]> {
  if (tracing === null) return [];
  const { collectorFaults } = await import('../../observe/tracing/tracing.ts');
  return (await collectorFaults(tracing.otlp)).map((fault) => `tracing.otlp: ${fault}`);
}

import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { type OtlpPosted, type ReceivedSpan, startOtlpReceiver } from './otlp-receiver.ts';
import { ending } from './started.ts';
import { until } from './until.ts';
import { World, type WorldOptions } from './world.ts';
import { ledgerReads } from './world-asks.ts';

interface TracingWorldOptions {
  /** What the collector answers with; left out: it takes all. */
  readonly answer?: (response: ServerResponse, posted: OtlpPosted) => void;
  /** More of the section `tracing`, and of its `otlp`. */
  readonly tracing?: Readonly<Record<string, unknown>>;
  readonly otlp?: Readonly<Record<string, unknown>>;
  readonly stdout?: Writable;
  /** Changes the rest of the configuration. */
  readonly edit?: WorldOptions['edit'];
}

/** The sidecar of this process with a collector of the test, which takes what it is sent by OTLP. */
export async function startTracingWorld({ answer, tracing, otlp, stdout, edit }: TracingWorldOptions = {}) {
  await using started = new AsyncDisposableStack();
  const collector = ending(started, await startOtlpReceiver(answer));
  const world = ending(
    started,
    await World.start({
      ...(stdout && { stdout }),
      edit: (config) => {
        const otlpOf = { url: `${collector.url}/v1/traces`, ...otlp };
        Object.assign(config, { tracing: { otlp: otlpOf, ratio: 1, ...tracing } });
        config.log = { level: 'info' };
        edit?.(config);
      },
    }),
  );
  const running = started.move();
  return {
    collector,
    world,
    /** An allowed request, with these headers. */
    read: (headers: Readonly<Record<string, string>> = {}) => {
      const asked = ledgerReads()(world);
      return world.send({ ...asked, headers: { ...asked.headers, ...headers } });
    },
    /** The spans of a decision, the first that of the check. */
    spansOf: (decision: string): Promise<readonly [ReceivedSpan, ...ReceivedSpan[]]> =>
      until('the spans', () => {
        const spans = collector.spans();
        const check = spans.find(({ attributes = [] }) =>
          attributes.some(({ value }) => value.stringValue === decision),
        );
        return check === undefined
          ? null
          : [check, ...spans.filter(({ parentSpanId }) => parentSpanId === check.spanId)];
      }),
    /** The value of one series of /metrics. */
    metric: async (series: string): Promise<number | null> => {
      const line = (await world.status('/metrics')).split('\n').find((text) => text.startsWith(`${series} `));
      return line === undefined ? null : Number(line.slice(series.length + 1));
    },
    stop: () => running.disposeAsync(),
  };
}

import { textAttribute } from './spans.ts';

/** All that is loaded only where traces are made. */
export { Collector, collectorFaults } from './collector.ts';
export { SpanQueue } from './queue.ts';
export { Tracer } from './tracer.ts';

const NAME = 'cedar-ext-authz';

/** Makes an ExportTraceServiceRequest, as the JSON of OTLP, of spans with commas between them. `instance` is this process. */
export function exportRequest(version: string, instance: string): (spans: string) => string {
  const resource = [
    textAttribute('service.name', NAME),
    textAttribute('service.version', version),
    textAttribute('service.instance.id', instance),
  ].join(',');
  const scope = `{"name":"${NAME}","version":${JSON.stringify(version)}}`;
  const head = `{"resourceSpans":[{"resource":{"attributes":[${resource}]},"scopeSpans":[{"scope":${scope},"spans":[`;
  return (spans) => `${head}${spans}]}]}]}`;
}

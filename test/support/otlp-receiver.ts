import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listenOnLoopback } from './ports.ts';

/** A span as the JSON of OTLP has it. */
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly Attribute[];
  readonly status?: { readonly code?: number };
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly arrayValue?: { readonly values: Attribute['value'][] } };
}

/** A span that came, and the service that made it. */
export type ReceivedSpan = OtlpSpan & { readonly service: string };

/** One request that came. */
export interface OtlpPosted {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Takes traces and logs by OTLP as JSON over HTTP, on loopback. `answer` is what it answers with; left out: it takes all. */
export async function startOtlpReceiver(
  answer: (response: ServerResponse, posted: OtlpPosted) => void = (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
) {
  const posted: OtlpPosted[] = [];
  const server = createServer(async (request, response) => {
    const one = { url: request.url ?? '', headers: request.headers, body: await text(request) };
    posted.push(one);
    answer(response, one);
  });
  const port = await listenOnLoopback(server);
  const spans = (): readonly ReceivedSpan[] =>
    posted.filter(({ url }) => url === '/v1/traces').flatMap(({ body }) => spansIn(body));
  return {
    url: `http://127.0.0.1:${port}`,
    posted: posted as readonly OtlpPosted[],
    spans,
    /** The texts of the log records that came. */
    logs: (): readonly string[] => posted.filter(({ url }) => url === '/v1/logs').flatMap(({ body }) => logsIn(body)),
    close: async () => {
      server.closeAllConnections();
      await closeServer(server);
    },
  };
}

/** The text of an attribute of a span; of a list, its items with commas between. */
export function attribute({ attributes = [] }: OtlpSpan, key: string): string | undefined {
  const value = attributes.find((each) => each.key === key)?.value;
  return value?.stringValue ?? value?.arrayValue?.values.map(({ stringValue }) => stringValue).join(',');
}

interface Resource {
  readonly resource?: { readonly attributes?: readonly Attribute[] };
}

/** The spans of an ExportTraceServiceRequest. */
export function spansIn(body: string): readonly ReceivedSpan[] {
  const { resourceSpans = [] } = JSON.parse(body) as {
    resourceSpans?: (Resource & { scopeSpans: { spans: OtlpSpan[] }[] })[];
  };
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = resource?.attributes?.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
  });
}

function logsIn(body: string): readonly string[] {
  const { resourceLogs = [] } = JSON.parse(body) as {
    resourceLogs?: { scopeLogs: { logRecords: { body?: { stringValue?: string } }[] }[] }[];
  };
  return resourceLogs.flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) => logRecords.map((record) => record.body?.stringValue ?? '')),
  );
}

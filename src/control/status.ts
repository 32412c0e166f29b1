import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { http } from '../base/node-http.ts';
import { ENDING, Visitors } from './visitors.ts';

/** Whether checks can be answered, and what is missing where they cannot. */
export interface Readiness {
  readonly ready: boolean;
  /** What is missing, for a person; nothing private. */
  readonly missing: readonly string[];
}

export interface StatusOptions {
  /** IP address and port; port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  readonly readiness: () => Readiness;
  /** What `/status` shows: plain data without secrets. */
  readonly status: () => unknown;
  readonly metrics: () => Promise<{ readonly type: string; readonly body: string }>;
  /** Told when one of these functions fails; the answer says no more than that it did. */
  readonly failed: (path: string, error: unknown) => void;
}

/** A scrape is made anew no sooner: whatever asks for metrics, checks come first. */
const SCRAPE_MS = 1000;
/** An address holds up neither the checks nor the probes of the others. */
const VISITOR_LIMITS = { all: 64, connections: 8, asksPerSecond: 200 };

/** The status port once it listens. */
export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value, null, 2)}\n`,
});

/**
 * Serves `/healthz`, `/readyz`, `/status` and `/metrics` over HTTP, for GET and HEAD alone. Nothing here changes anything,
 * and no answer tells of an error more than that there was one. Metrics are a second old at most; an address that asks too
 * often gets 429 or no connection. Resolves when the port listens; rejects when it cannot.
 */
export async function serveStatus(given: StatusOptions): Promise<StatusServer> {
  const options = { ...given, metrics: atMostOnceIn(SCRAPE_MS, given.metrics) };
  const visitors = new Visitors(VISITOR_LIMITS, () => performance.now());
  const server = http.createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 5000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      if (visitors.asks(addressOf(request.socket))) void answer(request, response, options);
      else response.writeHead(429, { connection: 'close', 'content-length': 0, 'retry-after': '1' }).end();
    },
  );
  server.maxConnections = VISITOR_LIMITS.all + ENDING;
  server.on('connection', (socket) => {
    const address = addressOf(socket);
    if (visitors.connects(address, socket)) socket.once('close', () => visitors.left(address, socket));
    else socket.destroy();
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const addressOf = (socket: Socket): string => socket.remoteAddress ?? '';

/** What `make` gave, made anew when that is older than `ms`; what fails is made anew at once. */
function atMostOnceIn<T>(ms: number, make: () => Promise<T>): () => Promise<T> {
  let last: { readonly made: Promise<T>; readonly at: number } | null = null;
  return () => {
    const now = performance.now();
    if (last !== null && now - last.at < ms) return last.made;
    const made = make();
    last = { made, at: now };
    made.catch(() => {
      if (last?.made === made) last = null;
    });
    return made;
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: StatusOptions): Promise<void> {
  const path = (request.url ?? '').replace(/\?.*$/s, '');
  const reading = request.method === 'GET' || request.method === 'HEAD';
  const { status, type, body } = reading ? await page(path, options) : json(405, { error: 'only GET and HEAD' });
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    ...(reading ? {} : { allow: 'GET, HEAD', connection: 'close' }),
  });
  // For HEAD, node:http itself leaves out the body.
  response.end(body);
}

async function page(path: string, { readiness, status, metrics, failed }: StatusOptions): Promise<Answer> {
  try {
    switch (path) {
      case '/healthz':
        return json(200, { healthy: true });
      case '/readyz': {
        const { ready, missing } = readiness();
        return json(ready ? 200 : 503, { ready, missing });
      }
      case '/status':
        return json(200, status());
      case '/metrics':
        return { status: 200, ...(await metrics()) };
      default:
        return json(404, { error: 'not here; there are /healthz, /readyz, /status, /metrics' });
    }
  } catch (error) {
    failed(path, error);
    return json(500, { error: 'this page could not be made; the log says why' });
  }
}

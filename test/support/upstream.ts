import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer as createTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { closeServer, listenOnLoopback } from './ports.ts';

/** What the upstream says it was asked: the proof of what travelled on. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  /** Every header as received, repeats apart, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** It opened a tunnel. */
  readonly tunnel?: true;
}

/** A service behind Envoy. Answers each request with what it saw, as JSON, and counts them. */
export interface Upstream {
  readonly port: number;
  /** All that reached it, WebSocket upgrades included. */
  readonly seen: readonly Seen[];
  close(): Promise<void>;
}

/**
 * Starts the service on a loopback port, for HTTP/1.1, HTTP/2 without TLS, and WebSocket upgrades, whose tunnels are echoed,
 * or ended at once; without them Node takes an upgrade for a plain request. With `grpc` it answers gRPC calls with an empty
 * message instead of JSON.
 */
export async function startUpstream({
  grpc = false,
  tunnels = 'echoed' as 'echoed' | 'ended' | 'none',
} = {}): Promise<Upstream> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const answer = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
    const record = describe(request);
    seen.push(record);
    request.resume();
    if (grpc && 'stream' in response && request.headers['content-type']?.startsWith('application/grpc')) {
      answerGrpc(response);
      return;
    }
    response.setHeader('content-type', 'application/json');
    (response as ServerResponse).end(JSON.stringify(record));
  };
  const http1 = createHttp(answer);
  // It is Envoy that closes idle connections: a close from here can meet the next request half-way, which Envoy answers 503.
  http1.keepAliveTimeout = 0;
  const tunnel = (request: IncomingMessage, socket: Duplex): void => {
    seen.push({ ...describe(request), tunnel: true });
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    if (tunnels === 'echoed') socket.pipe(socket);
    else socket.end();
    socket.on('error', () => socket.destroy());
  };
  if (tunnels !== 'none') http1.on('upgrade', tunnel);
  const http2 = createHttp2(answer);
  const server = createTcp((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.once('data', (first) => {
      socket.pause();
      socket.unshift(first);
      if (first.toString('latin1').startsWith('PRI ')) {
        // It takes what was read off the socket by itself; a flowing socket would lose it.
        http2.emit('connection', socket);
      } else {
        http1.emit('connection', socket);
        socket.resume();
      }
    });
  });
  return {
    port: await listenOnLoopback(server),
    seen,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await closeServer(server);
    },
  };
}

const EMPTY_MESSAGE = Buffer.alloc(5);

function answerGrpc(response: Http2ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/grpc' });
  response.addTrailers({ 'grpc-status': '0' });
  response.end(EMPTY_MESSAGE);
}

function describe(request: IncomingMessage | Http2ServerRequest): Seen {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    headers.push([request.rawHeaders[i]!.toLowerCase(), request.rawHeaders[i + 1]!]);
  }
  return { method: request.method ?? '', url: request.url ?? '', headers };
}

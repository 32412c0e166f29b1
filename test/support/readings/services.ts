import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Server as GrpcServer, type handleUnaryCall, ServerCredentials } from '@grpc/grpc-js';
import { closeServer, listenOnLoopback } from '../ports.ts';
import { Program } from '../process.ts';
import { until } from '../until.ts';

export const kinds = ['node', 'folding', 'wsgi', 'websocket', 'grpc'] as const;
/** A kind of service: what it takes a request for differs. */
export type Kind = (typeof kinds)[number];

/** What a service read of one request, in its own way. */
export interface Seen {
  readonly method: string;
  /** Decoded, as the service's framework hands it on. */
  readonly path: string;
  readonly query: string;
  /** By names in lower case; those of a WSGI service are variables with `_` turned back. Several values are joined. */
  readonly headers: Readonly<Record<string, string>>;
  /** It opened a tunnel. */
  readonly tunnel?: boolean;
}

/** A service of one kind, on loopback. */
export interface Service {
  readonly port: number;
  /** All that reached it. */
  reached(): Promise<readonly Seen[]>;
  stop(): Promise<void>;
}

export const GRPC_METHODS = ['Get', 'Close', 'List'] as const;

export async function startService(kind: Kind): Promise<Service> {
  if (kind === 'wsgi') return await startWsgi();
  if (kind === 'grpc') return await startGrpc();
  return await startNode(kind === 'websocket');
}

/** Node's http, which takes an upgrade for a plain request where nobody listens for upgrades. */
async function startNode(upgrades: boolean): Promise<Service> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    seen.push(describe(request));
    request.resume();
    response.end('done');
  });
  if (upgrades) {
    server.on('upgrade', (request, socket) => {
      seen.push({ ...describe(request), tunnel: true });
      socket.on('error', () => socket.destroy());
      socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    });
  }
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return {
    port: await listenOnLoopback(server),
    reached: async () => seen,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await closeServer(server);
    },
  };
}

function describe(request: IncomingMessage): Seen {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const [name, value] = [request.rawHeaders[i]!.toLowerCase(), request.rawHeaders[i + 1]!];
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return {
    method: request.method ?? '',
    path: decodeURIComponent(path),
    query: mark === -1 ? '' : url.slice(mark + 1),
    headers,
  };
}

async function startWsgi(): Promise<Service> {
  const program = new Program('the WSGI service', 'python3', [join(import.meta.dirname, 'wsgi.py')], { open: true });
  const [port = 0, control = 0] = await until('the ports of the WSGI service', () => {
    program.assertRunning();
    return program.stdout[0]?.split(' ').map(Number);
  });
  return {
    port,
    reached: async () => ((await (await fetch(`http://127.0.0.1:${control}/`)).json()) as Seen[]).map(variables),
    stop: async () => {
      await program.stop();
    },
  };
}

/** The variables of a WSGI request by the header names that they stand for. */
function variables(seen: Seen): Seen {
  const headers = Object.entries(seen.headers).map(([name, value]) => [nameOf(name), value] as const);
  return { ...seen, headers: Object.fromEntries(headers) };
}

const nameOf = (variable: string): string => variable.slice('HTTP_'.length).toLowerCase().replaceAll('_', '-');

async function startGrpc(): Promise<Service> {
  const seen: Seen[] = [];
  const server = new GrpcServer();
  const bytes = (value: Buffer): Buffer => value;
  const handler =
    (path: string): handleUnaryCall<Buffer, Buffer> =>
    (call, answer) => {
      const headers = Object.fromEntries(Object.entries(call.metadata.getMap()).map(([k, v]) => [k, String(v)]));
      seen.push({ method: 'POST', path, query: '', headers });
      answer(null, Buffer.from('done'));
    };
  const paths = GRPC_METHODS.map((name) => [name, `/bank.v1.Accounts/${name}`] as const);
  const codec = {
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  server.addService(
    Object.fromEntries(paths.map(([name, path]) => [name, { path, ...codec }])),
    Object.fromEntries(paths.map(([name, path]) => [name, handler(path)])),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    port,
    reached: async () => seen,
    stop: async () => {
      server.forceShutdown();
    },
  };
}

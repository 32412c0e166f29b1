import { join } from 'node:path';
import { Server as GrpcServer, type handleUnaryCall, ServerCredentials } from '@grpc/grpc-js';
import { Program } from '../process.ts';
import { until } from '../until.ts';
import { type Seen as Reached, startUpstream } from '../upstream.ts';

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
  const { port, seen, close } = await startUpstream({ tunnels: upgrades ? 'ended' : 'none' });
  return { port, reached: async () => seen.map(asRead), stop: close };
}

function asRead({ url, headers: all, ...request }: Reached): Seen {
  const [, path = '', query = ''] = /^([^?]*)\??(.*)$/s.exec(url) ?? [];
  const headers: Record<string, string> = {};
  for (const [name, value] of all) headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  return { ...request, path: decodeURIComponent(path), query, headers };
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

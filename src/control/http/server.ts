import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { http, https } from '../../base/node-http.ts';
import { Refusal } from '../../base/outcome.ts';
import { canonicalHost } from '../../http/host.ts';
import { takeSocketPlace } from '../../source/socket-place.ts';
import { listenOverTls, type TlsServing } from '../../trust/tls-server.ts';
import type { ControlApi } from './api.ts';
import { Connections, HTTP_OPTIONS, type HttpServer, MAX_CONNECTIONS } from './connections.ts';

/** Where the control port listens. */
export type ControlAddress =
  | { readonly socket: string }
  | { readonly host: string; readonly port: number; readonly loopback: boolean; readonly tls: TlsServing | null };

export interface ControlServer {
  /** The address as clients write it. */
  readonly target: string;
  /** Takes no more connections, answers what is in flight within `graceMs` milliseconds, and takes the address away. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves the control API. `hosts`: the names of the configuration, beside which the loopback address and `localhost` with
 * the port are names there, and `localhost` on a Unix socket. Rejects when the address cannot be taken.
 */
export async function serveControl(
  address: ControlAddress,
  hosts: readonly string[],
  api: ControlApi,
): Promise<ControlServer> {
  const names = new Set(hosts);
  const tls = 'socket' in address ? null : address.tls;
  const scheme = tls === null ? 'http' : 'https';
  const connections = new Connections(api, { scheme, hosts: names });
  const answer = (request: IncomingMessage, response: ServerResponse) => void connections.answer(request, response);
  const create = (options: TlsOptions) =>
    connections.serve(https.createServer({ ...HTTP_OPTIONS, ...options }, answer));
  if ('socket' in address) {
    names.add('localhost');
    const server = plain(connections, answer);
    const remove = await takeSocketPlace(address.socket, {
      bind: (path) => listening(server, () => server.listen(path)),
      unbind: () => server.close(),
    });
    return {
      target: `unix:${address.socket}`,
      close: async (graceMs) => {
        await closed(server, () => server.close(), connections, graceMs);
        await remove();
      },
    };
  }
  const { host, port: wanted } = address;
  let server: HttpServer;
  let stop: () => void;
  if (tls === null) {
    server = plain(connections, answer);
    await listening(server, () => server.listen(wanted, host));
    stop = () => server.close();
  } else {
    const listener = await listenOverTls(host, wanted, tls, {
      create,
      protocol: 'http/1.1',
      most: MAX_CONNECTIONS,
      mayConnect: (socket) => connections.mayConnect(socket),
      opened: (socket) => connections.opened(socket),
    });
    server = listener.server as HttpServer;
    stop = listener.close;
  }
  const { port } = server.address() as AddressInfo;
  const bracketed = host.includes(':') ? `[${host}]` : host;
  if (address.loopback) {
    for (const name of ['localhost', bracketed]) {
      const canonical = canonicalHost(`${name}:${port}`, scheme);
      if (!(canonical instanceof Refusal)) names.add(canonical);
    }
  }
  return {
    target: `${scheme}://${bracketed}:${port}`,
    close: (graceMs) => closed(server, stop, connections, graceMs),
  };
}

function plain(connections: Connections, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = connections.serve(http.createServer(HTTP_OPTIONS, answer));
  server.on('connection', (socket) => {
    if (connections.mayConnect(socket)) connections.opened(socket);
    else socket.destroy();
  });
  return server;
}

async function listening(server: HttpServer, listen: () => unknown): Promise<void> {
  const done = once(server, 'listening');
  listen();
  await done;
}

async function closed(server: HttpServer, stop: () => void, connections: Connections, graceMs: number): Promise<void> {
  const ended = once(server, 'close');
  stop();
  server.closeIdleConnections();
  const timer = setTimeout(() => connections.end(), graceMs);
  await ended;
  clearTimeout(timer);
}

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { http, https } from '../../base/node-http.ts';
import { Refusal } from '../../base/outcome.ts';
import { canonicalHost } from '../../http/host.ts';
import { takeSocketPlace } from '../../source/socket-place.ts';
import { listenOverTls, type TlsPlace, type TlsServing } from '../../trust/tls-server.ts';
import type { ControlApi } from './api.ts';
import { Connections, HTTP_OPTIONS, type HttpServer, MAX_CONNECTIONS, type Pages } from './connections.ts';

/** Where the control port listens. */
export type ControlAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly loopback: boolean };

export interface ControlServer {
  /** The address as clients write it. */
  readonly target: string;
  /** Takes no more connections, answers what is in flight within `graceMs` milliseconds, and takes the address away. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves the control API, over TLS unless `tls` is null. `hosts`: the names of the configuration, beside which the loopback
 * address and `localhost` with the port are names there, and `localhost` on a Unix socket. Rejects when the address cannot
 * be taken.
 */
export async function serveControl(
  address: ControlAddress,
  tls: TlsServing | null,
  hosts: readonly string[],
  api: ControlApi,
): Promise<ControlServer> {
  const names = new Set(hosts);
  const scheme = tls === null ? 'http' : 'https';
  const connections = new Connections(api, { scheme, hosts: names });
  if (address.kind === 'unix') {
    names.add('localhost');
    let listener: Listener | null = null;
    const remove = await takeSocketPlace(address.path, {
      bind: async (path) => {
        listener = await listening({ path }, tls, connections);
      },
      unbind: () => listener?.stop(),
    });
    return {
      target: `unix:${address.path}`,
      close: async (graceMs) => {
        if (listener !== null) await closed(listener, connections, graceMs);
        await remove();
      },
    };
  }
  const { host } = address;
  const listener = await listening({ host, port: address.port }, tls, connections);
  const { port } = listener.server.address() as AddressInfo;
  const bracketed = host.includes(':') ? `[${host}]` : host;
  if (address.loopback) {
    for (const name of ['localhost', bracketed]) {
      const canonical = canonicalHost(`${name}:${port}`, scheme);
      if (!(canonical instanceof Refusal)) names.add(canonical);
    }
  }
  return {
    target: `${scheme}://${bracketed}:${port}`,
    close: (graceMs) => closed(listener, connections, graceMs),
  };
}

/** Whoever reached the console once over TLS never comes without it. */
const A_YEAR = 'max-age=31536000';

/**
 * Serves people over TLS: the control API and `pages`, by the one name of `url`, which is how browsers reach it. No client is
 * asked for a certificate. Rejects when the address cannot be taken.
 */
export async function serveConsole(
  { host, port }: { readonly host: string; readonly port: number },
  tls: TlsServing,
  url: URL,
  api: ControlApi,
  pages: readonly Pages[],
): Promise<ControlServer> {
  const named = canonicalHost(url.host, 'https');
  const hosts = new Set(named instanceof Refusal ? [] : [named]);
  // A browser would keep it for whatever else runs on the person's own machine.
  const headers: Record<string, string> = url.hostname === 'localhost' ? {} : { 'strict-transport-security': A_YEAR };
  const connections = new Connections(api, { scheme: 'https', hosts }, { pages, headers });
  const listener = await listening({ host, port }, tls, connections, false);
  return { target: url.origin, close: (graceMs) => closed(listener, connections, graceMs) };
}

interface Listener {
  readonly server: HttpServer;
  /** Takes no more connections. */
  readonly stop: () => void;
}

async function listening(
  place: TlsPlace,
  tls: TlsServing | null,
  connections: Connections,
  requestCert = true,
): Promise<Listener> {
  const answer = (request: IncomingMessage, response: ServerResponse) => void connections.answer(request, response);
  if (tls !== null) {
    const listener = await listenOverTls(place, tls, {
      create: (options) => connections.serve(https.createServer({ ...HTTP_OPTIONS, ...options }, answer)),
      protocol: 'http/1.1',
      requestCert,
      most: MAX_CONNECTIONS,
      mayConnect: (socket) => connections.mayConnect(socket),
      opened: (socket) => connections.opened(socket),
    });
    return { server: listener.server as HttpServer, stop: listener.close };
  }
  const server = connections.serve(http.createServer(HTTP_OPTIONS, answer));
  server.on('connection', (socket) => {
    if (connections.mayConnect(socket)) connections.opened(socket);
    else socket.destroy();
  });
  server.listen(place);
  await once(server, 'listening');
  return { server, stop: () => server.close() };
}

async function closed({ server, stop }: Listener, connections: Connections, graceMs: number): Promise<void> {
  const ended = once(server, 'close');
  stop();
  server.closeIdleConnections();
  const timer = setTimeout(() => connections.end(), graceMs);
  await ended;
  clearTimeout(timer);
}

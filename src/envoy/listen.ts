import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Refusal } from '../base/outcome.ts';
import type { CheckPeer } from '../http/input.ts';
import { takeSocketPlace } from '../source/socket-place.ts';
import { type CheckTls, listenTls } from './tls.ts';

/** Where the check port listens. */
export type CheckAddress =
  | { readonly socket: string }
  | { readonly host: string; readonly port: number; readonly tls: CheckTls | null };

/** A bound check port. */
export interface Bound {
  /** The address as clients write it. */
  readonly target: string;
  /** Who is on the other end of a call: proven under mutual TLS, else null. */
  peerOf(call: { getPeer(): string }, now: number): CheckPeer | null | Refusal;
  /** Takes no more connections, where the server does not see to it. */
  close(): void;
  /** Takes the address away. */
  remove(): Promise<void>;
}

/** Binds the server. */
export async function listen(server: Server, address: CheckAddress): Promise<Bound> {
  if ('host' in address) {
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    if (address.tls !== null) {
      const { port, peerOf, close } = await listenTls(server, address.host, address.port, address.tls);
      const byAddress: Bound['peerOf'] = (call, now) => peerOf(call.getPeer(), now);
      return { target: `${host}:${port}`, peerOf: byAddress, close, remove: async () => {} };
    }
    const port = await bind(server, `${host}:${address.port}`);
    return { ...plain, target: `${host}:${port}`, remove: async () => {} };
  }
  const remove = await takeSocketPlace(address.socket, {
    bind: (path) => bind(server, `unix:${path}`),
    unbind: () => server.forceShutdown(),
  });
  return { ...plain, target: `unix:${address.socket}`, remove };
}

const plain = { peerOf: () => null, close: () => {} };

function bind(server: Server, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

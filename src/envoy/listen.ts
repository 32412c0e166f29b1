import { randomUUID } from 'node:crypto';
import { chmod, lstat, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Refusal } from '../outcome.ts';
import { type CheckTls, listenTls } from './tls.ts';

/** Where the check port listens. */
export type CheckAddress =
  | { readonly socket: string }
  | { readonly host: string; readonly port: number; readonly tls: CheckTls | null };

/** A bound check port. */
export interface Bound {
  /** The address as clients write it. */
  readonly target: string;
  /** Who is on the other end of a call, by `call.getPeer()`: a SPIFFE ID under mutual TLS, else null. */
  peerOf(address: string, now: number): string | null | Refusal;
  /** Takes no more connections, where the server does not see to it. */
  close(): void;
  /** Takes the address away. */
  remove(): Promise<void>;
}

/** Read and write for the owner and the group: whoever may connect can send anyone's certificate. */
const SOCKET_MODE = 0o660;

/**
 * Binds the server. A Unix socket is bound under a temporary name, given its mode, and renamed into place, so that it is
 * never there with another mode. A leftover socket file is replaced; one that answers belongs to a live instance and is an
 * error.
 */
export async function listen(server: Server, address: CheckAddress): Promise<Bound> {
  if ('host' in address) {
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    if (address.tls !== null) {
      const { port, peerOf, close } = await listenTls(server, address.host, address.port, address.tls);
      return { target: `${host}:${port}`, peerOf, close, remove: async () => {} };
    }
    const port = await bind(server, `${host}:${address.port}`);
    return { ...plain, target: `${host}:${port}`, remove: async () => {} };
  }
  const path = address.socket;
  const found = await lstat(path).catch(() => null);
  if (found !== null && !found.isSocket())
    throw new Error(`${path} exists and is not a socket; remove it or listen elsewhere`);
  if (found !== null && (await answers(path))) {
    throw new Error(`${path} is served by another instance; stop it first, or listen elsewhere`);
  }
  const temporary = `${path}.${randomUUID().slice(0, 8)}`;
  await rm(temporary, { force: true });
  await bind(server, `unix:${temporary}`);
  await chmod(temporary, SOCKET_MODE);
  await rename(temporary, path);
  const own = await lstat(path);
  const remove = async () => {
    const now = await lstat(path).catch(() => null);
    if (now?.ino === own.ino) await rm(path, { force: true });
  };
  return { ...plain, target: `unix:${path}`, remove };
}

const plain = { peerOf: () => null, close: () => {} };

function bind(server: Server, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** Whether something accepts connections on the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

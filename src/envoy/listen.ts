import { randomUUID } from 'node:crypto';
import { chmod, link, lstat, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Refusal } from '../base/outcome.ts';
import type { CheckPeer } from '../http/input.ts';
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

/** Read and write for the owner and the group: whoever may connect can send anyone's certificate. */
const SOCKET_MODE = 0o660;

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
  return listenUnix(server, address.socket);
}

const plain = { peerOf: () => null, close: () => {} };

function bind(server: Server, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/**
 * A Unix socket is bound under a temporary name, given its mode, and linked into place, so that it is never there with
 * another mode, and never in the place of another: `link` fails where something is. A leftover socket file is removed; one
 * that may belong to a live instance is an error.
 */
async function listenUnix(server: Server, path: string): Promise<Bound> {
  const temporary = beside(path);
  await bind(server, `unix:${temporary}`);
  await chmod(temporary, SOCKET_MODE);
  const own = await lstat(temporary);
  try {
    // After the binding: the file of an instance that is ending must be there still, or its inode could be ours.
    await removeLeftover(path);
    await link(temporary, path);
  } catch (error) {
    server.forceShutdown();
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? served(path, 'it has just begun') : error;
  } finally {
    await rm(temporary, { force: true });
  }
  const remove = async () => {
    const now = await lstat(path).catch(() => null);
    if (now?.ino === own.ino) await rm(path, { force: true });
  };
  return { ...plain, target: `unix:${path}`, remove };
}

/** A new name in the folder of a socket, short whatever the socket is called: the path of a socket has 107 bytes. */
const beside = (path: string): string => join(dirname(path), `.${randomUUID().slice(0, 8)}`);

async function removeLeftover(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket; remove it or listen elsewhere`);
  const before = await lifeOf(path);
  if (before !== null) throw served(path, before);
  // Whoever starts at the same time may have put its own there meanwhile: what was taken away is looked at again.
  const aside = beside(path);
  await rename(path, aside).catch(() => null);
  const taken = await lifeOf(aside);
  if (taken !== null) await link(aside, path).catch(() => null);
  await rm(aside, { force: true });
  if (taken !== null) throw served(path, taken);
}

const served = (path: string, sign: string): Error =>
  new Error(`${path} is served by another instance (${sign}); stop it first, or listen elsewhere`);

/** The sign of life that a socket gives: only a refused connection says that nobody listens. Null: there is none. */
function lifeOf(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('it answers');
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'ECONNREFUSED' || code === 'ENOENT' ? null : (code ?? 'it fails')),
    );
  });
}

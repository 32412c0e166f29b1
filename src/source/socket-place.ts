import { randomUUID } from 'node:crypto';
import { chmod, link, lstat, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';

/** Read and write for the owner and the group: whoever may connect can ask. */
const SOCKET_MODE = 0o660;

/** How a server is bound to a Unix socket. */
export interface SocketServer {
  /** Binds it at this path. */
  bind(path: string): Promise<unknown>;
  /** Unbinds it, where the place turned out to be taken. */
  unbind(): void;
}

/**
 * Has a server listen on a Unix socket. It is bound under a temporary name, given its mode, and linked into place, so that
 * it is never there with another mode, and never in the place of another: `link` fails where something is. A leftover
 * socket file is removed; one that may belong to a live instance is an error. Gives what takes the socket away again.
 */
export async function takeSocketPlace(path: string, server: SocketServer): Promise<() => Promise<void>> {
  const temporary = beside(path);
  await server.bind(temporary);
  await chmod(temporary, SOCKET_MODE);
  const own = await lstat(temporary);
  try {
    // After the binding: the file of an instance that is ending must be there still, or its inode could be ours.
    await removeLeftover(path);
    await link(temporary, path);
  } catch (error) {
    server.unbind();
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? served(path, 'it has just begun') : error;
  } finally {
    await rm(temporary, { force: true });
  }
  return async () => {
    const now = await lstat(path).catch(() => null);
    if (now?.ino === own.ino) await rm(path, { force: true });
  };
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

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

/** Has a server listen on a port of loopback that is free, which is given. */
export async function listenOnLoopback(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Closes a server, and waits until it is closed. */
export async function closeServer(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** A TCP port of loopback that was free a moment ago, for a program that cannot say which port it took. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnLoopback(server);
  await closeServer(server);
  return port;
}

import { connect, createServer, type Socket } from 'node:net';
import { closeServer, listenOnLoopback } from './ports.ts';

/**
 * A Service of Kubernetes as kube-proxy makes it: one address, each new connection to one of its endpoints in turn, and a
 * connection that is open stays where it is, whatever becomes of the endpoints.
 */
export const TcpService = { start };
export type TcpService = Awaited<ReturnType<typeof start>>;

async function start() {
  const sockets = new Set<Socket>();
  let endpoints: readonly number[] = [];
  let next = 0;
  const server = createServer((client) => {
    const port = endpoints[next++ % endpoints.length];
    if (port === undefined) return void client.destroy();
    const pod = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, pod],
      [pod, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
      from.pipe(to);
    }
  });
  return {
    port: await listenOnLoopback(server),
    /** From now on new connections go to this port of loopback too. */
    add: (port: number): void => {
      endpoints = [...endpoints, port];
    },
    /** From now on no new connection goes there. */
    remove: (port: number): void => {
      endpoints = endpoints.filter((endpoint) => endpoint !== port);
    },
    close: async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      await closeServer(server);
    },
  };
}

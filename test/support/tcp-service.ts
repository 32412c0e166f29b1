import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A Service of Kubernetes as kube-proxy makes it: one address, each new connection to one of its endpoints in turn, and a
 * connection that is open stays where it is, whatever becomes of the endpoints.
 */
export class TcpService {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #endpoints: readonly number[] = [];
  #next = 0;

  private constructor() {
    this.#server = createServer((client) => this.#forward(client));
  }

  static async start(): Promise<TcpService> {
    const service = new TcpService();
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on new connections go to this port of loopback too. */
  add(port: number): void {
    this.#endpoints = [...this.#endpoints, port];
  }

  /** From now on no new connection goes there. */
  remove(port: number): void {
    this.#endpoints = this.#endpoints.filter((endpoint) => endpoint !== port);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(client: Socket): void {
    const port = this.#endpoints[this.#next++ % this.#endpoints.length];
    if (port === undefined) return void client.destroy();
    const pod = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, pod],
      [pod, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => this.#sockets.delete(from));
      from.pipe(to);
    }
  }
}

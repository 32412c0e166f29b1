import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { closeServer, listenOnLoopback } from './ports.ts';

/** What a wire does with the answers of the server behind it. */
export type WireMode = 'pass' | 'hold' | 'reset' | { readonly delayMs: number };

/** A TCP connection to a server on loopback that can go wrong: answers late, never, or cut off in the middle. */
export class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  mode: WireMode = 'pass';
  port = 0;

  private constructor(target: () => number, through: (() => Duplex) | null) {
    this.#server = createServer((client) => this.#join(client, connect(target(), '127.0.0.1'), through));
  }

  /** `target` is asked for each connection. `through`: what the questions of one connection go through on their way. */
  static async to(target: () => number, through: (() => Duplex) | null = null): Promise<Wire> {
    const wire = new Wire(target, through);
    wire.port = await listenOnLoopback(wire.#server);
    return wire;
  }

  /** Ends every connection that is open. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await closeServer(this.#server);
  }

  #join(client: Socket, server: Socket, through: (() => Duplex) | null): void {
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    (through === null ? client : client.pipe(through())).pipe(server);
    // One after the other, whatever becomes of the mode meanwhile.
    let answered = Promise.resolve();
    server.on('data', (bytes) => {
      answered = answered.then(() => this.#answer(client, bytes));
    });
  }

  async #answer(client: Socket, bytes: Buffer): Promise<void> {
    const { mode } = this;
    if (mode === 'hold') return;
    if (mode === 'reset') {
      client.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => client.resetAndDestroy());
      return;
    }
    if (mode !== 'pass') await new Promise((resolve) => setTimeout(resolve, mode.delayMs));
    if (client.writable && !client.write(bytes)) await once(client, 'drain').catch(() => {});
  }
}

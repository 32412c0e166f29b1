import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';

const HANDSHAKE_MS = 5000;

interface Handshake {
  readonly socket: Socket;
  readonly cancel: () => void;
}

/**
 * The connections whose TLS handshake is not over. Each is ended after five seconds: `handshakeTimeout` of node:tls merely
 * reports a silent one (`tlsClientError`), and leaves it open.
 */
export class Handshakes {
  readonly #clock: Clock;
  readonly #onLate: (address: string, why: string) => void;
  readonly #pending = new Map<string, Handshake>();

  /** `onLate` is told of each connection that was ended because its time was over. */
  constructor(clock: Clock, onLate: (address: string, why: string) => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  begin(address: string, socket: Socket): void {
    const cancel = this.#clock.after(HANDSHAKE_MS, () => {
      this.#onLate(address, `no handshake within ${HANDSHAKE_MS / 1000} s`);
      socket.destroy();
    });
    this.#pending.set(address, { socket, cancel });
    socket.once('close', () => {
      if (this.#pending.get(address)?.socket === socket) this.done(address);
    });
  }

  done(address: string): void {
    this.#pending.get(address)?.cancel();
    this.#pending.delete(address);
  }

  /** Ends all that there are. */
  end(): void {
    for (const { socket } of this.#pending.values()) socket.destroy();
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';

const HANDSHAKE_MS = 5000;

interface Handshake {
  readonly address: string;
  /** Null once it is over. */
  pending: { readonly socket: Socket; readonly cancel: () => void } | null;
}

/**
 * The connections whose TLS handshake is not over. Each is ended after five seconds: `handshakeTimeout` of node:tls merely
 * reports a silent one (`tlsClientError`), and leaves it open. What node:tls reports later of a connection, it reports in
 * the asynchronous context in which the connection began: clients of a Unix socket have no addresses to tell them apart.
 */
export class Handshakes {
  readonly #clock: Clock;
  readonly #onLate: (address: string, why: string) => void;
  readonly #pending = new Set<Handshake>();
  readonly #current = new AsyncLocalStorage<Handshake>();

  /** `onLate` is told of each connection that was ended because its time was over. */
  constructor(clock: Clock, onLate: (address: string, why: string) => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** Begins the handshake of a connection that node:tls has not seen yet; `address` is for reports. */
  begin(address: string, socket: Socket): void {
    const cancel = this.#clock.after(HANDSHAKE_MS, () => {
      this.#onLate(address, `no handshake within ${HANDSHAKE_MS / 1000} s`);
      socket.destroy();
    });
    const handshake: Handshake = { address, pending: { socket, cancel } };
    this.#pending.add(handshake);
    socket.once('close', () => this.#over(handshake));
    this.#current.enterWith(handshake);
  }

  /** The address of the connection that an event of node:tls is about. */
  address(): string {
    return this.#current.getStore()?.address ?? '';
  }

  /** Called in the event of node:tls that says that a handshake is over. */
  done(): void {
    const handshake = this.#current.getStore();
    if (handshake !== undefined) this.#over(handshake);
  }

  /** Ends all that there are. */
  end(): void {
    for (const { pending } of this.#pending) pending?.socket.destroy();
  }

  #over(handshake: Handshake): void {
    handshake.pending?.cancel();
    handshake.pending = null;
    this.#pending.delete(handshake);
  }
}

import { type ChannelOptions, Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { authorization, type CheckResponseMessage, health } from '../../src/envoy/messages.ts';

const method = authorization.Check as unknown as MethodDefinition<object, CheckResponseMessage>;
const healthMethod = health.Check as MethodDefinition<object, { readonly status: number }>;
const HEALTH = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** A gRPC client of the check port, as Envoy is one. */
export class CheckClient {
  readonly #client: Client;

  constructor(target: { readonly port: number } | { readonly socket: string }, options: ChannelOptions = {}) {
    const address = 'socket' in target ? `unix:${target.socket}` : `127.0.0.1:${target.port}`;
    // A pool of its own, so that several clients make several connections.
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
  }

  /** Sends a CheckRequest as bytes. */
  check(message: Uint8Array, timeoutMs = 30_000): Promise<CheckResponseMessage> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        (bytes: Uint8Array) => bytes as Buffer,
        method.responseDeserialize,
        message,
        { deadline: Date.now() + timeoutMs },
        (error, response) => (error === null && response !== undefined ? resolve(response) : reject(error)),
      );
    });
  }

  /** What gRPC health says of the whole server. */
  health(): Promise<string> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = healthMethod;
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error, response) =>
        error === null && response !== undefined ? resolve(HEALTH[response.status] ?? 'none') : reject(error),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

import { type ChannelOptions, Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import type { CheckResponseMessage } from '../../src/envoy/api.ts';
import { authorization, health } from '../../src/envoy/messages.ts';
import type { Shown } from './client.ts';
import type { CheckTarget } from './envoy.ts';

const method = authorization.Check as unknown as MethodDefinition<object, CheckResponseMessage>;
const healthMethod = health.Check as MethodDefinition<object, { readonly status: number }>;
const HEALTH = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** A gRPC client of the check port, as Envoy is one. */
export class CheckClient {
  readonly #client: Client;

  /** `shown`: over mutual TLS, with this certificate. The sidecar's own is not verified: the client is the tester. */
  constructor(target: CheckTarget | string, options: ChannelOptions = {}, shown: Shown | null = null) {
    const address = typeof target === 'string' ? target : addressOf(target);
    // A pool of its own, so that several clients make several connections.
    this.#client = new Client(address, shown === null ? credentials.createInsecure() : showing(shown), {
      'grpc.use_local_subchannel_pool': 1,
      // No IP address is a name that a client may ask for (RFC 6066 section 3).
      ...(shown !== null && { 'grpc.ssl_target_name_override': 'authz' }),
      ...options,
    });
  }

  /** Sends a CheckRequest as bytes. */
  async check(message: Uint8Array, timeoutMs?: number): Promise<CheckResponseMessage> {
    return method.responseDeserialize((await this.call(message, timeoutMs)) as Buffer);
  }

  /** The same, with the answer as bytes. A gRPC error rejects. */
  call(message: Uint8Array, timeoutMs = 30_000): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const same = (bytes: Buffer) => bytes;
      const options = { deadline: Date.now() + timeoutMs };
      this.#client.makeUnaryRequest(method.path, same, same, Buffer.from(message), options, (error, response) =>
        error === null && response !== undefined ? resolve(response) : reject(error),
      );
    });
  }

  /** Sends a CheckRequest, and gives what cancels it, as Envoy does when it has waited long enough. */
  cancellable(message: Uint8Array): () => void {
    const same = (bytes: Buffer) => bytes;
    const call = this.#client.makeUnaryRequest(method.path, same, same, Buffer.from(message), () => {});
    return () => call.cancel();
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

const showing = ({ pem, pkcs8Pem }: Shown) =>
  credentials.createSsl(null, Buffer.from(pkcs8Pem), Buffer.from(pem), { rejectUnauthorized: false });

const addressOf = (target: CheckTarget): string =>
  'socket' in target ? `unix:${target.socket}` : `127.0.0.1:${target.port}`;

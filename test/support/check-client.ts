import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { authorization, type CheckResponseMessage } from '../../src/envoy/messages.ts';
import { type Issued, urlEncodedPem } from './ca.ts';

const method = authorization.Check as unknown as MethodDefinition<object, CheckResponseMessage>;

/** What a request says, before Envoy would wrap it into a Check. */
export interface PlainRequest {
  /** `request.http.id`: one for each request, since Envoy's retry of one Check keeps it. */
  readonly id: string;
  readonly svid: Issued | null;
  readonly principal: string;
  readonly method?: string;
  readonly host: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly extensions?: Readonly<Record<string, string>>;
}

/** A CheckRequest as Envoy sends it with the shipped configuration: raw headers, the leaf's PEM, the path with its query. */
export function checkMessage(request: PlainRequest): object {
  const verb = request.method ?? 'GET';
  const headers = {
    ':authority': request.host,
    ':path': request.path,
    ':method': verb,
    ':scheme': 'https',
    'user-agent': 'load/1',
    accept: '*/*',
    'x-forwarded-proto': 'https',
    'x-request-id': request.id,
    ...request.headers,
  };
  return {
    attributes: {
      source: {
        address: { socket_address: { address: '127.0.0.1', port_value: 40_000 } },
        principal: request.principal,
        certificate: request.svid === null ? '' : urlEncodedPem(request.svid),
      },
      destination: { address: { socket_address: { address: '127.0.0.1', port_value: 8443 } } },
      context_extensions: request.extensions ?? {},
      request: {
        http: {
          id: request.id,
          method: verb,
          path: request.path,
          host: request.host,
          scheme: 'https',
          size: '-1',
          protocol: 'HTTP/2',
          header_map: {
            headers: Object.entries(headers).map(([key, value]) => ({ key, raw_value: Buffer.from(value) })),
          },
        },
      },
    },
  };
}

/** A gRPC client of the check port, as Envoy is one. */
export class CheckClient {
  readonly #client: Client;

  constructor(target: { readonly port: number } | { readonly socket: string }) {
    const address = 'socket' in target ? `unix:${target.socket}` : `127.0.0.1:${target.port}`;
    // A pool of its own, so that several clients make several connections.
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  }

  /** The message serialized once, to be sent any number of times. */
  static encode(message: object): Buffer {
    return method.requestSerialize(message);
  }

  check(message: Buffer, timeoutMs = 30_000): Promise<CheckResponseMessage> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        (bytes: Buffer) => bytes,
        method.responseDeserialize,
        message,
        { deadline: Date.now() + timeoutMs },
        (error, response) => (error === null && response !== undefined ? resolve(response) : reject(error)),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}

import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as http2,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as dial } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { MethodDefinition } from '@grpc/grpc-js';
import { authorization, type CheckResponseMessage } from '../../src/envoy/messages.ts';
import type { Shown } from './client.ts';
import type { Sidecar } from './sidecar.ts';

const method = authorization.Check as unknown as MethodDefinition<object, CheckResponseMessage>;
const PREFIX_BYTES = 5;

/** A client of the check port that speaks HTTP/2 by hand, and so sees what becomes of its one connection. */
export class H2Connection {
  readonly session: ClientHttp2Session;
  /** Whether the sidecar has asked to end the connection. */
  goaway = false;

  protected constructor(session: ClientHttp2Session) {
    this.session = session;
    session.on('goaway', () => {
      this.goaway = true;
    });
    session.on('error', () => {});
  }

  /** Without TLS. Fails when nobody listens there. */
  static async to(target: Sidecar['check']): Promise<H2Connection> {
    const socket = 'socket' in target ? dial(target.socket) : dial(target.port, '127.0.0.1');
    await once(socket, 'connect');
    const session = http2('http://localhost', { createConnection: () => socket });
    const connection = new H2Connection(session);
    await once(session, 'remoteSettings');
    return connection;
  }

  /** Begins a Check whose message is sent by `finish`: an object, or the bytes of one. */
  begin(headers: OutgoingHttpHeaders = {}): {
    readonly stream: ClientHttp2Stream;
    readonly finish: (message?: object | Uint8Array) => Promise<CheckResponseMessage>;
  } {
    const stream: ClientHttp2Stream = this.session.request(
      { ':method': 'POST', ':path': method.path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
      { endStream: false },
    );
    const answer = buffer(stream);
    answer.catch(() => {});
    return {
      stream,
      finish: async (message = {}) => {
        stream.end(framed(message instanceof Uint8Array ? message : method.requestSerialize(message)));
        const bytes = await answer;
        if (bytes.length === 0) throw new Error('answered without a message');
        return method.responseDeserialize(bytes.subarray(PREFIX_BYTES));
      },
    };
  }

  check(message: object | Uint8Array = {}, headers: OutgoingHttpHeaders = {}): Promise<CheckResponseMessage> {
    return this.begin(headers).finish(message);
  }

  close(): void {
    this.session.destroy();
  }
}

/** The same over TLS. */
export class H2Client extends H2Connection {
  /** The certificate that the sidecar showed. */
  readonly shown: PeerCertificate;

  private constructor(session: ClientHttp2Session, shown: PeerCertificate) {
    super(session);
    this.shown = shown;
  }

  /** Fails when the sidecar turns the connection away: in the handshake, or before its HTTP/2 settings. */
  static async open(port: number, shown: Shown | null, protocols = ['h2']): Promise<H2Client> {
    const keys = shown === null ? {} : { key: shown.pkcs8Pem, cert: shown.pem };
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port,
      ...keys,
      rejectUnauthorized: false,
      ALPNProtocols: protocols,
    });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    const certificate = socket.getPeerCertificate();
    const session = http2('https://localhost', { createConnection: () => socket });
    session.on('error', () => {});
    // Under TLS 1.3 the client has finished before the server has looked at its certificate.
    await Promise.race([
      once(session, 'remoteSettings'),
      once(socket, 'close').then(() => Promise.reject(new Error('turned away'))),
    ]);
    return new H2Client(session, certificate);
  }
}

/** A message as gRPC frames it, uncompressed. */
function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

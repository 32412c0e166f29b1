import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as http2 } from 'node:http2';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { MethodDefinition } from '@grpc/grpc-js';
import { authorization, type CheckResponseMessage } from '../../src/envoy/messages.ts';
import type { Shown } from './client.ts';

const method = authorization.Check as unknown as MethodDefinition<object, CheckResponseMessage>;
const PREFIX_BYTES = 5;

/** A client of the check port that speaks TLS and HTTP/2 by hand, and so sees what becomes of its one connection. */
export class H2Client {
  readonly session: ClientHttp2Session;
  /** The certificate that the sidecar showed. */
  readonly shown: PeerCertificate;
  /** Whether the sidecar has asked to end the connection. */
  goaway = false;

  private constructor(session: ClientHttp2Session, shown: PeerCertificate) {
    this.session = session;
    this.shown = shown;
    session.on('goaway', () => {
      this.goaway = true;
    });
    session.on('error', () => {});
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

  /** Begins a Check whose message is sent by `finish`. */
  begin(): { finish: (message?: object) => Promise<CheckResponseMessage> } {
    const stream: ClientHttp2Stream = this.session.request(
      { ':method': 'POST', ':path': method.path, 'content-type': 'application/grpc', te: 'trailers' },
      { endStream: false },
    );
    const answer = collect(stream);
    answer.catch(() => {});
    return {
      finish: async (message = {}) => {
        const bytes = method.requestSerialize(message);
        const prefix = Buffer.alloc(PREFIX_BYTES);
        prefix.writeUInt32BE(bytes.length, 1);
        stream.end(Buffer.concat([prefix, bytes]));
        return method.responseDeserialize((await answer).subarray(PREFIX_BYTES));
      },
    };
  }

  check(message: object = {}): Promise<CheckResponseMessage> {
    return this.begin().finish(message);
  }

  close(): void {
    this.session.destroy();
  }
}

async function collect(stream: ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

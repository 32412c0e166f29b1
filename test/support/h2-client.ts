import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as http2,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as dial } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect } from 'node:tls';
import type { MethodDefinition } from '@grpc/grpc-js';
import type { CheckResponseMessage } from '../../src/envoy/api.ts';
import { authorization } from '../../src/envoy/messages.ts';
import type { Shown } from './client.ts';
import type { Sidecar } from './sidecar.ts';

const method = authorization.Check as unknown as MethodDefinition<object, CheckResponseMessage>;
const PREFIX_BYTES = 5;

/** A client of the check port that speaks HTTP/2 by hand, and so sees what becomes of its one connection. */
export const H2Connection = { to };
export type H2Connection = ReturnType<typeof connectionOver>;

/** The same over TLS, with the certificate that the sidecar showed. */
export const H2Client = { open };
export type H2Client = Awaited<ReturnType<typeof open>>;

function connectionOver(session: ClientHttp2Session) {
  /** Begins a Check whose message is sent by `finish`: an object, or the bytes of one. */
  const begin = (headers: OutgoingHttpHeaders = {}) => {
    const stream: ClientHttp2Stream = session.request(
      { ':method': 'POST', ':path': method.path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
      { endStream: false },
    );
    const answer = buffer(stream);
    answer.catch(() => {});
    return {
      stream,
      finish: async (message: object | Uint8Array = {}): Promise<CheckResponseMessage> => {
        stream.end(framed(message instanceof Uint8Array ? message : method.requestSerialize(message)));
        const bytes = await answer;
        if (bytes.length === 0) throw new Error('answered without a message');
        return method.responseDeserialize(bytes.subarray(PREFIX_BYTES));
      },
    };
  };
  const connection = {
    session,
    /** Whether the sidecar has asked to end the connection. */
    goaway: false,
    begin,
    check: (message: object | Uint8Array = {}, headers: OutgoingHttpHeaders = {}) => begin(headers).finish(message),
    close: () => session.destroy(),
  };
  session.on('goaway', () => {
    connection.goaway = true;
  });
  session.on('error', () => {});
  return connection;
}

/** Without TLS. Fails when nobody listens there. */
async function to(target: Sidecar['check']) {
  const socket = 'socket' in target ? dial(target.socket) : dial(target.port, '127.0.0.1');
  await once(socket, 'connect');
  const connection = connectionOver(http2('http://localhost', { createConnection: () => socket }));
  await once(connection.session, 'remoteSettings');
  return connection;
}

/** Fails when the sidecar turns the connection away: in the handshake, or before its HTTP/2 settings. */
async function open(port: number, client: Shown | null, protocols = ['h2']) {
  const keys = client === null ? {} : { key: client.pkcs8Pem, cert: client.pem };
  const socket = connect({ host: '127.0.0.1', port, ...keys, rejectUnauthorized: false, ALPNProtocols: protocols });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const shown = socket.getPeerCertificate();
  const connection = connectionOver(http2('https://localhost', { createConnection: () => socket }));
  // Under TLS 1.3 the client has finished before the server has looked at its certificate.
  await Promise.race([
    once(connection.session, 'remoteSettings'),
    once(socket, 'close').then(() => Promise.reject(new Error('turned away'))),
  ]);
  return Object.assign(connection, { shown });
}

/** A message as gRPC frames it, uncompressed. */
function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

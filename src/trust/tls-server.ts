import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { ListenOptions, Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { OwnSvid } from './own-svid.ts';
import { Handshakes } from './tls-handshakes.ts';

/** What a server over mutual TLS needs. */
export interface TlsServing {
  /** Tells of our own certificate now, and whenever it changes; null: there is none, and nobody can connect. */
  readonly ownSvid: (listener: (svid: OwnSvid | null) => void) => void;
  readonly clock: Clock;
  /** Called for each connection that is refused before it is open: the address of the peer, and why. */
  readonly onRefused: (address: string, why: string, cause: 'handshake' | 'timeout') => void;
}

export interface TlsServer {
  readonly server: Server;
  /** Takes no more connections, and ends those that are still in the handshake; the others go on. */
  close(): void;
}

/** Where a server over TLS listens: over TCP, or on a Unix socket. */
export type TlsPlace = Pick<ListenOptions, 'host' | 'port'> | Pick<ListenOptions, 'path'>;

/** What one kind of server asks of its connections. */
export interface TlsConnections {
  readonly protocol: 'h2' | 'http/1.1';
  /** Makes the server, where it is one that speaks more than TLS; it listens for `secureConnection` itself, then. */
  readonly create?: (options: TlsOptions) => Server;
  /** Whether a client is asked for its certificate; default: it is. */
  readonly requestCert?: boolean;
  readonly most: number;
  /** Whether a connection may go on to its handshake; default: each may. */
  readonly mayConnect?: (socket: Socket) => boolean;
  /** A connection whose handshake is over. What its peer showed is not verified. */
  readonly opened: (socket: TLSSocket) => void;
}

/**
 * Listens over TLS, and asks each peer, unless none is asked, for a certificate that OpenSSL does not judge: it is given no roots, since roots in
 * one store would vouch for one another's trust domains. A new certificate of our own holds for new connections and
 * touches none that is open.
 */
export async function listenOverTls(
  place: TlsPlace,
  { ownSvid, clock, onRefused }: TlsServing,
  { protocol, create = createServer, requestCert = true, most, mayConnect = () => true, opened }: TlsConnections,
): Promise<TlsServer> {
  const handshakes = new Handshakes(clock, (address, why) => onRefused(address, why, 'timeout'));
  const server = create({
    ...contextOptions(null),
    requestCert,
    rejectUnauthorized: false,
    ALPNProtocols: [protocol],
  });
  server.maxConnections = most;
  ownSvid((svid) => server.setSecureContext(contextOptions(svid)));
  server.prependListener('connection', (socket) => handshakes.begin(addressOf(socket), socket));
  server.on('connection', (socket) => {
    if (!mayConnect(socket)) socket.destroy();
  });
  server.on('tlsClientError', (error) => onRefused(handshakes.address(), error.message, 'handshake'));
  server.on('secureConnection', (socket) => {
    handshakes.done();
    socket.on('error', () => socket.destroy());
    opened(socket);
  });
  server.listen(place);
  await once(server, 'listening');
  return {
    server,
    close: () => {
      server.close();
      handshakes.end();
    },
  };
}

/** Without an SVID no handshake succeeds. Resumption is off: a resumed session shows no certificate. */
function contextOptions(svid: OwnSvid | null): SecureContextOptions {
  const common = { minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET } as const;
  return svid === null ? common : { ...common, cert: svid.certificatesPem, key: svid.keyPem };
}

/** As `call.getPeer()` of grpc-js writes it; clients of a Unix socket have none. */
export function addressOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? 'unix' : `${remoteAddress}:${remotePort}`;
}

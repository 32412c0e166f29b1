import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import { Refusal } from '../base/outcome.ts';
import type { CheckPeer } from '../http/input.ts';
import type { RefusedConnection } from '../observe/metrics.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import type { OwnSvid } from '../trust/own-svid.ts';
import { presentedBy } from '../trust/tls-peer.ts';
import type { Peers } from './peers.ts';
import { Handshakes } from './tls-handshakes.ts';
import { ProvenPeer } from './tls-peer.ts';

/** Envoys hold few connections, and a stranger is gone after the handshake. */
const MAX_CONNECTIONS = 4096;
/** How long what is in flight may take when a connection ends because its certificate does. */
const DRAIN_MS = 10_000;
/** What a connection may live of the time that its peer's certificate had left, and at most. */
const LIFE_SHARE = 0.75;
const MAX_AGE_MS = 86_400_000;

export interface CheckTls {
  /** Tells of the sidecar's own SVID now, and whenever it changes; null: there is none, and nobody can connect. */
  readonly ownSvid: (listener: (svid: OwnSvid | null) => void) => void;
  /** Who may ask now. */
  readonly peers: () => Peers;
  readonly bundles: () => BundleSnapshot;
  /** The longest life of a peer's certificate, in seconds. */
  readonly maxLifetimeSeconds: number;
  readonly clock: Clock;
  /** Called for each connection that is refused: the address of the peer, why, and the kind of cause. */
  readonly onRefused: (address: string, taskContext: string, cause: RefusedConnection) => void;
}

interface Connection {
  readonly socket: TLSSocket;
  readonly peer: ProvenPeer;
  readonly injector: ConnectionInjector;
}

export interface TlsListener {
  readonly port: number;
  /** Who is on the other end of a call, by `call.getPeer()`, verified for `now`; or why nobody who may ask is there any more. */
  peerOf(address: string, now: number): CheckPeer | Refusal;
  /** Takes no more connections, and ends those that are still in the handshake; the others go on. */
  close(): void;
}

/**
 * The check port over mutual TLS. The peer's certificate is verified as an X.509-SVID to the bundle of its own trust domain
 * before a byte of HTTP is read, and again when the bundles change; OpenSSL is given no roots, since roots in one store
 * would vouch for one another's trust domains. A new own SVID holds for new connections and touches none that is open. A
 * connection is asked to end (GOAWAY) when three quarters of what its peer's certificate had left are over: an Envoy that
 * renews its connections by itself never comes so far.
 */
export async function listenTls(server: Server, host: string, port: number, tls: CheckTls): Promise<TlsListener> {
  const connections = new Map<string, Connection>();
  const handshakes = new Handshakes(tls.clock, (address, taskContext) =>
    tls.onRefused(address, taskContext, 'timeout'),
  );
  const tcp = createServer({
    ...contextOptions(null),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  tcp.maxConnections = MAX_CONNECTIONS;
  tls.ownSvid((svid) => tcp.setSecureContext(contextOptions(svid)));
  tcp.on('connection', (socket) => handshakes.begin(addressOf(socket), socket));
  tcp.on('tlsClientError', (error, socket) => tls.onRefused(addressOf(socket), error.message, 'handshake'));
  tcp.on('secureConnection', (socket) => {
    handshakes.done(addressOf(socket));
    socket.on('error', () => socket.destroy());
    const peer = admit(socket, tls);
    if (peer instanceof Refusal) {
      tls.onRefused(addressOf(socket), `${peer.reason}: ${peer.detail}`, 'peer');
      socket.destroy();
      return;
    }
    const address = addressOf(socket);
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const connection = { socket, peer, injector };
    connections.set(address, connection);
    const ageMs = Math.min(Math.max(peer.endsAt - tls.clock.now(), 0) * LIFE_SHARE, MAX_AGE_MS);
    const cancel = tls.clock.after(ageMs, () => injector.drain(DRAIN_MS));
    socket.once('close', () => {
      cancel();
      if (connections.get(address) === connection) connections.delete(address);
      injector.destroy();
    });
    injector.injectConnection(socket);
  });
  tcp.listen(port, host);
  await once(tcp, 'listening');
  return {
    port: (tcp.address() as AddressInfo).port,
    peerOf: (address, now) => {
      const connection = connections.get(address);
      if (connection === undefined) return new Refusal('internal', 'the connection of the check is gone');
      const peer = connection.peer.at(now);
      if (peer instanceof Refusal) connection.injector.drain(DRAIN_MS);
      return peer;
    },
    close: () => {
      tcp.close();
      handshakes.end();
    },
  };
}

/** Without an SVID no handshake succeeds. Resumption is off: a resumed session shows no certificate. */
function contextOptions(svid: OwnSvid | null): SecureContextOptions {
  const common = { minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET } as const;
  return svid === null ? common : { ...common, cert: svid.certificatesPem, key: svid.keyPem };
}

function admit(socket: TLSSocket, tls: CheckTls): ProvenPeer | Refusal {
  const presented = presentedBy(socket);
  if (presented === null) return new Refusal('identity_missing', 'the peer shows no certificate');
  if (socket.isSessionReused()) return new Refusal('identity_missing', 'the session was resumed');
  if (socket.alpnProtocol !== 'h2') return new Refusal('request_malformed', 'the peer does not speak HTTP/2');
  return ProvenPeer.prove(presented, tls, tls.clock.now());
}

/** As `call.getPeer()` of grpc-js writes it. */
function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

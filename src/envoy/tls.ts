import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';
import { Refusal } from '../base/outcome.ts';
import type { CheckPeer } from '../http/input.ts';
import type { RefusedConnection } from '../observe/metrics.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import { presentedBy } from '../trust/tls-peer.ts';
import { addressOf, listenOverTls, type TlsServer, type TlsServing } from '../trust/tls-server.ts';
import type { Peers } from './peers.ts';
import { ProvenPeer } from './tls-peer.ts';

/** Envoys hold few connections, and a stranger is gone after the handshake. */
const MAX_CONNECTIONS = 4096;
/** How long what is in flight may take when a connection ends because its certificate does. */
const DRAIN_MS = 10_000;
/** What a connection may live of the time that its peer's certificate had left, and at most. */
const LIFE_SHARE = 0.75;
const MAX_AGE_MS = 86_400_000;

export interface CheckTls extends Omit<TlsServing, 'onRefused'> {
  /** Who may ask now. */
  readonly peers: () => Peers;
  readonly bundles: () => BundleSnapshot;
  /** The longest life of a peer's certificate, in seconds. */
  readonly maxLifetimeSeconds: number;
  /** Called for each connection that is refused: the address of the peer, why, and the kind of cause. */
  readonly onRefused: (address: string, why: string, cause: RefusedConnection) => void;
}

interface Connection {
  readonly socket: TLSSocket;
  readonly peer: ProvenPeer;
  readonly injector: ConnectionInjector;
}

export interface TlsListener extends TlsServer {
  readonly port: number;
  /** Who is on the other end of a call, by `call.getPeer()`, verified for `now`; or why nobody who may ask is there any more. */
  peerOf(address: string, now: number): CheckPeer | Refusal;
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
  const opened = (socket: TLSSocket): void => {
    const address = addressOf(socket);
    const peer = admit(socket, tls);
    if (peer instanceof Refusal) {
      tls.onRefused(address, `${peer.reason}: ${peer.detail}`, 'peer');
      socket.destroy();
      return;
    }
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
  };
  const listener = await listenOverTls({ host, port }, tls, { protocol: 'h2', most: MAX_CONNECTIONS, opened });
  return {
    ...listener,
    port: (listener.server.address() as AddressInfo).port,
    peerOf: (address, now) => {
      const connection = connections.get(address);
      if (connection === undefined) return new Refusal('internal', 'the connection of the check is gone');
      const peer = connection.peer.at(now);
      if (peer instanceof Refusal) connection.injector.drain(DRAIN_MS);
      return peer;
    },
  };
}

function admit(socket: TLSSocket, tls: CheckTls): ProvenPeer | Refusal {
  const presented = presentedBy(socket);
  if (presented === null) return new Refusal('identity_missing', 'the peer shows no certificate');
  if (socket.isSessionReused()) return new Refusal('identity_missing', 'the session was resumed');
  if (socket.alpnProtocol !== 'h2') return new Refusal('request_malformed', 'the peer does not speak HTTP/2');
  return ProvenPeer.prove(presented, tls, tls.clock.now());
}

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Refusal } from '../../base/outcome.ts';
import { type RevocationSource, revokedClient } from '../../check/revoked.ts';
import { workloadAsks } from '../../control/asker.ts';
import type { ApiOptions } from '../../control/http/api.ts';
import { ApiProblem } from '../../control/http/problem.ts';
import type { Headers } from '../../http/input.ts';
import type { ReadCredentials } from '../../identity/credentials.ts';
import { type IdentityRules, identifyClient } from '../../identity/identify.ts';
import type { BundleSnapshot } from '../../trust/bundle.ts';
import { presentedBy } from '../../trust/tls-peer.ts';
import { type PresentedCertificates, type VerifiedSvid, verifyX509Svid } from '../../trust/x509-svid.ts';

export interface AuthenticateOptions {
  readonly rules: IdentityRules;
  readonly readCredentials: ReadCredentials;
  /** What certificates on this port are verified with. */
  readonly bundles: () => BundleSnapshot;
  /** The longest life of a certificate, in seconds. */
  readonly maxLifetimeSeconds: number;
  /** The audience that a token must name; null: none proves anybody. */
  readonly audience: string | null;
  readonly revocations: RevocationSource;
}

/**
 * Who asks at the control port, proven for each request anew: by the certificate of its connection, verified as that of
 * every other caller is, or by a token. Whoever is revoked is refused here too.
 */
export function authenticator(options: AuthenticateOptions): ApiOptions['authenticate'] {
  const { rules, readCredentials, bundles, maxLifetimeSeconds, audience, revocations } = options;
  const shown = new WeakMap<Socket, PresentedCertificates | Refusal | null>();
  const certificateOf = (socket: Socket, nowMs: number): VerifiedSvid | Refusal | null => {
    let presented = shown.get(socket);
    if (presented === undefined) {
      presented = presentedOn(socket);
      shown.set(socket, presented);
    }
    if (presented === null || presented instanceof Refusal) return presented;
    return verifyX509Svid(presented, bundles(), nowMs, { maxLifetimeSeconds, usage: 'client' });
  };
  return async (request, inventory, nowMs, onVerified) => {
    const refused = (refusal: Refusal) => ApiProblem.ofCaller(refusal, audience !== null);
    const svid = certificateOf(request.socket, nowMs);
    if (svid instanceof Refusal) return refused(svid);
    const { authorization } = readCredentials(authorizationOf(request), { authorization: 'ours' });
    const caller = await identifyClient({ svid, authorization }, audience, inventory, rules, nowMs, onVerified);
    if (caller instanceof Refusal) return refused(caller);
    const over = revokedClient(revocations, caller, nowMs);
    return over === null ? workloadAsks(caller) : refused(over);
  };
}

/** Null without TLS, and where the client showed none. */
function presentedOn(socket: Socket): PresentedCertificates | Refusal | null {
  if (!(socket instanceof TLSSocket)) return null;
  return socket.isSessionReused()
    ? new Refusal('identity_missing', 'the session was resumed, and shows no certificate')
    : presentedBy(socket);
}

const NOTHING: ReadonlySet<string> = new Set();

/** The one header that a caller proves itself by. That it is single was seen at the door. */
const authorizationOf = ({ headers: { authorization } }: IncomingMessage): Headers =>
  authorizationHeader(authorization);

/** Headers of which this is the only one. */
export function authorizationHeader(authorization: string | undefined): Headers {
  const values = authorization === undefined ? [] : [authorization];
  return {
    all: (name) => (name === 'authorization' ? values : []),
    names: authorization === undefined ? [] : ['authorization'],
    unclean: NOTHING,
  };
}

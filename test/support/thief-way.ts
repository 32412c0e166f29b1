import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import type { Issued } from './ca.ts';
import { CheckClient } from './check-client.ts';
import { checkBytes } from './check-request.ts';
import type { Envoy } from './envoy.ts';
import { PAYMENTS } from './estate.ts';
import { connectionOf } from './load.ts';
import type { Headers } from './thief-tokens.ts';

/** One request of whoever shows this certificate; null: of somebody who shows none. */
export interface Attempt {
  readonly as: Issued | null;
  /** Default: GET. */
  readonly method?: string;
  readonly host?: string;
  readonly path: string;
  readonly headers?: Headers;
  /** The address that it comes from; default: this machine's own. */
  readonly from?: string;
}

/** `permitted`, the reason of the denial, or `handshake`: no connection came about. */
export interface Answer {
  readonly outcome: string;
  /** The decision id of a denial; null otherwise. */
  readonly decision: string | null;
}

/** How attempts reach the sidecar. */
export interface Way {
  send(attempt: Attempt): Promise<Answer>;
  close(): void;
}

const OWN_ADDRESS = '127.0.0.1';

/** Through Envoy, one HTTP/2 connection for each certificate and address. */
export function throughEnvoy(envoy: Envoy): Way {
  const sessions = new Map<string, Map<Issued | null, ClientHttp2Session>>();
  const sessionOf = (svid: Issued | null, localAddress: string): ClientHttp2Session => {
    const ofAddress = sessions.get(localAddress) ?? new Map<Issued | null, ClientHttp2Session>();
    sessions.set(localAddress, ofAddress);
    const open = ofAddress.get(svid);
    if (open !== undefined && !open.destroyed) return open;
    const options = {
      ...(svid === null ? {} : { key: svid.pkcs8Pem, cert: svid.pem }),
      rejectUnauthorized: false,
      localAddress,
    };
    const session = connect(`https://127.0.0.1:${envoy.port}`, options);
    // Told by the stream, which fails with the session.
    session.on('error', () => {});
    ofAddress.set(svid, session);
    return session;
  };
  return {
    send: async ({ as, method = 'GET', host = PAYMENTS, path, headers, from = OWN_ADDRESS }) => {
      const pseudo = { ':method': method, ':path': path, ':authority': host };
      const stream = sessionOf(as, from).request({ ...pseudo, ...(headers as Record<string, string | string[]>) });
      try {
        return await readAnswer(stream);
      } catch (error) {
        if (isHandshakeFailure(error)) return { outcome: 'handshake', decision: null };
        throw error;
      }
    },
    close: () => {
      for (const ofAddress of sessions.values()) for (const session of ofAddress.values()) session.destroy();
    },
  };
}

async function readAnswer(stream: ClientHttp2Stream): Promise<Answer> {
  stream.end();
  const [headers] = (await once(stream, 'response')) as [{ readonly ':status'?: number }];
  const body = await text(stream);
  return headers[':status'] === 200 ? { outcome: 'permitted', decision: null } : denial(body);
}

/** The peer holds the certificate, and not its key: what Envoy says to the signature over the handshake. */
const isHandshakeFailure = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR';

/**
 * Straight to the check port, as Envoy would ask: for trying many sidecars in little time. What Envoy or TLS decide is
 * out of reach here.
 */
export function toCheckPort(target: ConstructorParameters<typeof CheckClient>[0]): Way {
  const client = new CheckClient(target);
  return {
    send: async ({ as, method = 'GET', host = PAYMENTS, path, headers = {}, from = OWN_ADDRESS }) => {
      const attributes = { ...connectionOf('', as, from), context_extensions: { host } };
      const message = checkBytes({ method, host, path, headers, http: { id: randomUUID() }, attributes });
      const { status, denied_response: denied } = await client.check(message);
      return status.code === 0 ? { outcome: 'permitted', decision: null } : denial(denied?.body ?? '');
    },
    close: () => client.close(),
  };
}

function denial(body: string): Answer {
  const { reason, decision } = JSON.parse(body) as { reason: string; decision: string };
  return { outcome: reason, decision };
}

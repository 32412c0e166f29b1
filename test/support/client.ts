import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { type Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';

/** What a client shows in a handshake: its certificate, intermediates with it or not, and its key. */
export interface Shown {
  readonly pem: string;
  readonly pkcs8Pem: string;
}

export interface Ask {
  readonly port: number;
  /** The client's certificate; null to present none. */
  readonly svid: Shown | null;
  /** Intermediates that are sent after it. */
  readonly chain?: readonly Shown[];
  readonly host: string;
  readonly method?: string;
  readonly path: string;
  /** A list sends the header once for each value. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** The address that it connects from; left out: what the machine chooses. */
  readonly localAddress?: string;
  /** Keeps connections; left out: a new one. */
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly ms: number;
  /** The reason of a problem document of ours; null when the body is none. */
  readonly reason: string | null;
  /** The decision id of a problem document of ours. */
  readonly decision: string | null;
}

/**
 * One request over mutual TLS. The server's certificate is not verified: the client is the tester.
 * An upgrade that is granted is answered with status 101 and closed. A failed handshake rejects.
 */
export async function ask(what: Ask): Promise<Answer> {
  const start = performance.now();
  const { svid } = what;
  const cert =
    svid === null ? {} : { key: svid.pkcs8Pem, cert: [svid, ...(what.chain ?? [])].map((one) => one.pem).join('') };
  const sending = request({
    ...cert,
    host: '127.0.0.1',
    port: what.port,
    rejectUnauthorized: false,
    agent: what.agent ?? false,
    localAddress: what.localAddress,
    method: what.method ?? 'GET',
    path: what.path,
    headers: { host: what.host, ...what.headers } as Record<string, string | string[]>,
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    sending.once('error', reject);
    sending.once('response', resolve);
    sending.once('upgrade', (message, socket) => {
      socket.destroy();
      resolve(message);
    });
  });
  sending.end(what.body);
  const message = await response;
  const body = message.statusCode === 101 ? '' : await text(message);
  const problem = readProblem(body);
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    rawHeaders: message.rawHeaders,
    body,
    ms: performance.now() - start,
    reason: problem?.reason ?? null,
    decision: problem?.decision ?? null,
  };
}

/** The headers that make a GET over HTTP/1.1 a WebSocket upgrade. */
export const websocketHeaders = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
} as const;

function readProblem(body: string): { readonly reason: string; readonly decision: string } | null {
  if (!body.startsWith('{')) return null;
  const parsed = JSON.parse(body) as { reason?: unknown; decision?: unknown };
  return typeof parsed.reason === 'string' ? { reason: parsed.reason, decision: String(parsed.decision) } : null;
}

/** The answer to a request over HTTP/2: its headers, trailers-only or not, and as they came. */
export interface Http2Answer {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** One HTTP/2 request over mutual TLS, as a gRPC caller makes it unless it says otherwise. */
export async function askHttp2(what: Omit<Ask, 'chain' | 'body'>): Promise<Http2Answer> {
  const { svid } = what;
  const session = connect(`https://127.0.0.1:${what.port}`, {
    ...(svid === null ? {} : { key: svid.pkcs8Pem, cert: svid.pem }),
    rejectUnauthorized: false,
  });
  try {
    const pseudo = { ':method': what.method ?? 'POST', ':path': what.path, ':authority': what.host };
    const stream = session.request({ ...pseudo, ...what.headers }, { endStream: true });
    const [headers, , rawHeaders] = (await Promise.race([once(stream, 'response'), once(session, 'error')])) as [
      IncomingHttpHeaders,
      number,
      string[],
    ];
    return { headers, rawHeaders, body: await text(stream) };
  } finally {
    session.close();
  }
}

/** A request for an invoice of the example: `answered` by the service, or what came instead. */
export async function getInvoice(agent: Agent, port: number, svid: Shown): Promise<string> {
  const { status, body } = await ask({ agent, port, svid, host: 'payments.internal', path: '/api/invoices/42' });
  return status === 200 ? 'answered' : `${status} ${body}`;
}

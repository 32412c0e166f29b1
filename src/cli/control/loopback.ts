import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Fault } from '../../base/fault.ts';
import { http } from '../../base/node-http.ts';

const CHANCE_BYTES = 32;
const random = (): string => randomBytes(CHANCE_BYTES).toString('base64url');

/** What waits on the loopback address for a code, while a person signs in with the browser. */
export interface CodeReceiver {
  /** The page to open. */
  readonly page: string;
  /** Of PKCE: it shows that the code was asked for here. */
  readonly verifier: string;
  /** The code; a Fault where none came in time. */
  readonly code: Promise<string | Fault>;
  stop(): void;
}

/**
 * Waits for the code of one sign-in at a console (RFC 8252 section 7.3): on 127.0.0.1 alone, at a port that the system
 * chooses. Only what names the state of this sign-in and the console itself (RFC 9207) counts; anything else that is sent
 * there is answered, and passed over.
 */
export async function receiveCode(console: string, timeoutMs: number): Promise<CodeReceiver> {
  const [state, verifier] = [random(), random()];
  const received = Promise.withResolvers<string | Fault>();
  const server = http.createServer(
    { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 5000 },
    (request, response) => {
      const code = codeOf(request, { port, state, console });
      told(response, code !== null);
      if (code !== null) received.resolve(code);
    },
  );
  server.maxConnections = 16;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const late = new Fault(`nobody signed in within ${timeoutMs / 60_000} minutes`);
  const timer = setTimeout(() => received.resolve(late), timeoutMs);
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  return {
    page: `${console}/sign-in?${new URLSearchParams({ port: String(port), state, challenge })}`,
    verifier,
    code: received.promise,
    stop: () => {
      clearTimeout(timer);
      server.close();
      server.closeIdleConnections();
    },
  };
}

interface Expected {
  readonly port: number;
  readonly state: string;
  readonly console: string;
}

function codeOf({ method, url = '', headers }: IncomingMessage, { port, state, console }: Expected): string | null {
  const asked = URL.parse(url, `http://127.0.0.1:${port}`);
  if (method !== 'GET' || headers.host !== `127.0.0.1:${port}` || asked?.pathname !== '/') return null;
  const { searchParams: query } = asked;
  return query.get('state') === state && query.get('iss') === console ? query.get('code') : null;
}

function told(response: ServerResponse, good: boolean): void {
  const text = good ? 'Go on at the command line. This page can be closed.' : 'This belongs to no sign-in.';
  response
    .writeHead(good ? 200 : 400, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      connection: 'close',
    })
    .end(`${text}\n`);
}

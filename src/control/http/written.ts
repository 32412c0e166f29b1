import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { within } from '../../base/within.ts';
import type { Answered } from './api.ts';
import { oauthError } from './oauth-error.ts';
import { ApiProblem } from './problem.ts';

/** Nothing here is for a browser to keep, to guess at, or to show. */
export const ALWAYS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** What the answers of a port have beside their own. */
export type PortHeaders = Readonly<Record<string, string>>;

/** An answer as it is written. A header may have several lines. */
export interface WrittenReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

function written({ decision, result, oauth }: Answered, more: PortHeaders, authorization?: string) {
  const isProblem = result instanceof ApiProblem;
  const error = isProblem && oauth ? oauthError(result, decision, authorization) : null;
  const document = isProblem ? (error?.document ?? result.document(decision)) : result.body;
  const body = `${JSON.stringify(document)}\n`;
  const headers: Record<string, string> = {
    ...ALWAYS,
    ...more,
    // RFC 6749 section 5.1.
    ...(oauth ? { pragma: 'no-cache' } : {}),
    'content-type': isProblem && error === null ? 'application/problem+json' : 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'x-authz-decision': decision,
    ...(isProblem ? Object.fromEntries(result.headers) : {}),
    ...(error?.challenge == null ? {} : { 'www-authenticate': error.challenge }),
  };
  return { status: error?.status ?? result.status, headers, body };
}

/** Of a body that nobody reads, so much is taken and dropped before the answer, and for so long. */
const DROPPED_BYTES = 256 * 1024;
const DROPPED_MS = 500;

/**
 * Writes an answer. A body that was not read is dropped first, within bounds: where some of it waits when the connection
 * ends, the client may lose the answer. What is longer ends the connection, since it is in the way of the next request.
 */
export async function writeAnswer(
  answered: Answered,
  more: PortHeaders,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { decision, result } = answered;
  if (result instanceof ApiProblem || result.stream === undefined)
    return writeReply(written(answered, more, request.headers.authorization), request, response);
  const headers = { ...STREAM_HEADERS, ...more, 'x-authz-decision': decision };
  if (!response.destroyed) response.writeHead(result.status, headers);
  return result.stream(response);
}

/** No proxy may keep it back or change it, and the connection ends with it. */
const STREAM_HEADERS = {
  ...ALWAYS,
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  connection: 'close',
};

/** The same for an answer that is written already. */
export async function writeReply(
  { status, headers, body }: WrittenReply,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const whole = request.complete || (await dropped(request));
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, ...(whole ? {} : { connection: 'close' }) } as OutgoingHttpHeaders);
  response.end(body);
}

/** Takes what is left of a request; false: not all of it. */
function dropped(request: IncomingMessage): Promise<boolean> {
  const all = new Promise<boolean>((resolve) => {
    let bytes = 0;
    request.on('data', (chunk: Uint8Array) => {
      bytes += chunk.length;
      if (bytes > DROPPED_BYTES) resolve(false);
    });
    request.once('end', () => resolve(true));
    request.once('close', () => resolve(request.complete));
    request.resume();
  });
  return within(all, DROPPED_MS, () => false);
}

/** The same as text, where a request could not be read so that there is no response to write to. */
export function answerText(answered: Answered, more: PortHeaders): string {
  const { status, headers, body } = written(answered, more);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} Refused\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/**
 * Writes a last answer, and drops what the client still sends until it ends, within a bound: a connection that ends with
 * something unread is reset, and the client may lose the answer.
 */
export function writeLast(socket: Socket, answer: string): void {
  const timer = setTimeout(() => socket.destroy(), DROPPED_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.end(answer);
  socket.resume();
}

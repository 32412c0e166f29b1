import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answered } from './api.ts';
import { ApiProblem } from './problem.ts';

/** Nothing here is for a browser to keep, to guess at, or to show. */
const ALWAYS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

function written({ decision, result }: Answered) {
  const isProblem = result instanceof ApiProblem;
  const body = `${JSON.stringify(isProblem ? result.document(decision) : result.body)}\n`;
  const headers: Record<string, string> = {
    ...ALWAYS,
    'content-type': isProblem ? 'application/problem+json' : 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'x-authz-decision': decision,
    ...(isProblem ? Object.fromEntries(result.headers) : {}),
  };
  return { status: result.status, headers, body };
}

/** Writes an answer. What is left of a body that nobody reads ends the connection: it is in the way of the next request. */
export function writeAnswer(answered: Answered, request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = written(answered);
  const rest = !request.complete;
  response.writeHead(status, rest ? { ...headers, connection: 'close' } : headers);
  response.end(body, () => {
    if (rest) request.socket.destroySoon();
  });
}

/** The same as text, where a request could not be read so that there is no response to write to. */
export function answerText(answered: Answered): string {
  const { status, headers, body } = written(answered);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} Refused\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

import type { IncomingMessage } from 'node:http';
import type { ApiProblem } from '../http/problem.ts';
import { ALWAYS, type WrittenReply } from '../http/written.ts';
import { decisionOf } from './record.ts';

const OF_BROWSERS = {
  ...ALWAYS,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
} as const;

/** An answer that a browser may show. */
export function browserReply(
  status: number,
  type: string,
  body: string,
  more: Readonly<Record<string, string | readonly string[]>> = {},
): WrittenReply {
  const headers = { ...OF_BROWSERS, 'content-type': type, 'content-length': String(Buffer.byteLength(body)), ...more };
  return { status, headers, body };
}

const withCookies = (cookies: readonly string[]) => (cookies.length === 0 ? {} : { 'set-cookie': cookies });

export const jsonReply = (status: number, body: unknown, cookies: readonly string[] = []): WrittenReply =>
  browserReply(status, 'application/json', `${JSON.stringify(body)}\n`, withCookies(cookies));

/** Sends a browser on; 303 where it comes from a step that is done. */
export const redirectReply = (status: 302 | 303, location: string, cookies: readonly string[]): WrittenReply =>
  browserReply(status, 'text/plain; charset=utf-8', '', { location, ...withCookies(cookies) });

/** A problem as whoever asks can read it: a person in a browser, or a program. */
export function problemReply(problem: ApiProblem, request: IncomingMessage): WrittenReply {
  const decision = decisionOf(request);
  const more = { ...Object.fromEntries(problem.headers), 'x-authz-decision': decision };
  if (request.headers.accept?.includes('text/html') === true)
    return browserReply(problem.status, 'text/html; charset=utf-8', pageOf(problem, decision), more);
  const document = `${JSON.stringify(problem.document(decision))}\n`;
  return browserReply(problem.status, 'application/problem+json', document, more);
}

const pageOf = ({ title, detail, code }: ApiProblem, decision: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<h1>${escaped(title)}</h1>
${detail === null ? '' : `<p>${escaped(detail)}</p>\n`}<p><a href="/sign-in">Sign in again</a></p>
<p><small>${escaped(code)}</small> <small>${decision}</small></p>
</html>
`;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => ESCAPES[one] ?? '');

import { randomUUIDv7 } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Asker, FRESH_MS } from '../asker.ts';
import { bringsBody, readBody } from './body.ts';
import { parseFields } from './fields.ts';
import { ApiProblem } from './problem.ts';
import type { CallRecord } from './record.ts';
import type { Call, Route } from './route.ts';

/** One request on its way, with what becomes known of it. */
export interface Exchange extends CallRecord {
  /** Whether problems are told as a token endpoint tells them. */
  oauth: boolean;
  /** Called at its end. */
  leave: () => void;
}

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,128}$/;

function exchange(time: number, request: CallRecord['request']): Exchange {
  return {
    time,
    decision: randomUUIDv7(),
    request,
    route: null,
    asker: null,
    verified: null,
    action: null,
    resource: null,
    verdict: null,
    revision: null,
    about: {},
    oauth: false,
    leave: () => {},
  };
}

/** A request that came in at `time` (milliseconds since the epoch). */
export function begun(request: IncomingMessage, time: number): Exchange {
  const { method = '', url = '', headers, socket } = request;
  const path = url.replace(/[?#].*$/s, '');
  return exchange(time, { method, path, host: headers.host ?? null, from: socket.remoteAddress ?? null });
}

/** One of which nothing could be read. */
export const unreadFrom = (from: string | null, time: number): Exchange =>
  exchange(time, { method: '', path: '', host: null, from });

/** What a call brings beside its caller: parameters and body by the schemas of its route. Nothing is read before. */
export async function readInput(
  request: IncomingMessage,
  route: Route,
  given: Readonly<Record<string, string>>,
): Promise<Pick<Call, 'parameters' | 'body' | 'idempotencyKey'> | ApiProblem> {
  const key = request.headers['idempotency-key'];
  if (key !== undefined && (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key)))
    return ApiProblem.of('malformed', 'an idempotency-key has 1 to 128 visible ASCII characters');
  const idempotencyKey = route.idempotent && typeof key === 'string' ? key : null;
  const parameters = parseFields(route.parameters, given, 'parameters_invalid');
  if (parameters instanceof ApiProblem) return parameters;
  if (route.body === null) {
    if (bringsBody(request)) return ApiProblem.of('malformed', `${route.method} takes no body here`);
    return { parameters, body: null, idempotencyKey };
  }
  const brought = await readBody(request, route.oauth === true ? 'form' : 'json');
  if (brought instanceof ApiProblem) return brought;
  const body = parseFields(route.body, brought, 'body_invalid');
  return body instanceof ApiProblem ? body : { parameters, body, idempotencyKey };
}

/** Of a person whose sign-in is too old for what needs a fresh one. `nowMs`: milliseconds since the epoch. */
export function staleSignIn({ person }: Asker, nowMs: number): ApiProblem | null {
  if (person === null || nowMs - person.signedInMs <= FRESH_MS) return null;
  return ApiProblem.of('sign_in_too_old', 'sign in again: this takes a sign-in of the last 15 minutes');
}

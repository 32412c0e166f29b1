import type { IncomingMessage } from 'node:http';
import { Fault } from '../../base/fault.ts';
import { ApiProblem } from '../http/problem.ts';
import { readCookies, SESSION_COOKIE } from './cookies.ts';
import { crossSite, isReading } from './cross-site.ts';
import type { SessionKind } from './sessions.ts';

/** The session that a request brings, not looked up yet. */
export interface HeldSession {
  readonly id: string;
  readonly kind: SessionKind;
}

/**
 * What a request brings to prove a person: a browser its cookie, a command line a bearer token; null: nothing. Both at once
 * are two answers to one question. A change by cookie has to come from our own page, and as JSON, which no form sends.
 */
export function heldSession(request: IncomingMessage, origin: string): HeldSession | null | ApiProblem {
  const { authorization, cookie, 'content-type': type = '' } = request.headers;
  const cookies = readCookies(cookie);
  if (cookies instanceof Fault) return ApiProblem.of('malformed', cookies.detail);
  const id = cookies.get(SESSION_COOKIE);
  if (authorization !== undefined) {
    if (id !== undefined) return ApiProblem.of('malformed', 'a session cookie and a token: of two, which one counts?');
    const token = /^Bearer +([A-Za-z0-9_-]+)$/i.exec(authorization)?.[1];
    return token === undefined ? ApiProblem.of('session_missing') : { id: token, kind: 'cli' };
  }
  if (id === undefined) return null;
  if (isReading(request)) return { id, kind: 'browser' };
  const cross = crossSite(request, origin);
  if (cross !== null) return cross;
  if (type.split(';')[0]?.trim().toLowerCase() !== 'application/json')
    return ApiProblem.of('media_type', 'a change by a session cookie is sent as application/json');
  return { id, kind: 'browser' };
}

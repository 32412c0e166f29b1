import type { IncomingMessage } from 'node:http';
import { ApiProblem } from '../http/problem.ts';

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Whether a request changes nothing, by its method (RFC 9110 section 9.2.1). */
export const isReading = ({ method = '' }: IncomingMessage): boolean => READING.has(method);

/**
 * Why a browser's request is not taken for one of our own page: null where its `Sec-Fetch-Site` says that it is, or, in a
 * browser that sends none, its `Origin`. A cookie alone says nothing of who made the browser send it.
 */
export function crossSite({ headers }: IncomingMessage, origin: string): ApiProblem | null {
  const site = headers['sec-fetch-site'];
  if (site !== undefined)
    return site === 'same-origin' ? null : ApiProblem.of('cross_site', 'sec-fetch-site is not same-origin');
  if (headers.origin === origin) return null;
  return ApiProblem.of('cross_site', 'neither sec-fetch-site nor origin says that a page of this console asks');
}

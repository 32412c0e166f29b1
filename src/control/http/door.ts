import type { IncomingMessage } from 'node:http';
import { attempt } from '../../base/attempt.ts';
import { Refusal } from '../../base/outcome.ts';
import { canonicalHost } from '../../http/host.ts';
import { ApiProblem } from './problem.ts';

/** By which names a port may be asked. */
export interface DoorRules {
  readonly scheme: 'http' | 'https';
  /** In canonical spelling; without a port, for any port. */
  readonly hosts: ReadonlySet<string>;
}

/** A request that may come in: what it asks for, split and decoded. */
export interface ApiTarget {
  readonly segments: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

const MAX_TARGET = 8192;
/** Headers of which two would be read in two ways. */
const SINGLE = ['host', 'authorization', 'origin', 'content-type', 'content-length', 'idempotency-key'];
const FETCH_SITES = new Set(['same-origin', 'none']);

/**
 * Lets in what can be read in one way, names this port by one of its names (so that a name of a stranger that resolves
 * here is refused), comes from no other site, and takes JSON. Nobody is believed for it.
 */
export function atDoor(request: IncomingMessage, rules: DoorRules): ApiTarget | ApiProblem {
  const canonical = askedName(request, rules);
  if (canonical instanceof ApiProblem) return canonical;
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin !== undefined && origin !== `${rules.scheme}://${canonical}`)
    return ApiProblem.of('cross_site', 'the header origin names another site');
  if (site !== undefined && !FETCH_SITES.has(String(site)))
    return ApiProblem.of('cross_site', 'a page of another site asks (sec-fetch-site)');
  return targetOf(request.url ?? '');
}

/** By which of its names this port is asked; a header that is repeated is refused, too. */
export function askedName(request: IncomingMessage, rules: DoorRules): string | ApiProblem {
  const repeated = SINGLE.find((name) => countOf(request, name) > 1);
  if (repeated !== undefined) return ApiProblem.of('malformed', `the header ${repeated} is repeated`);
  const { host } = request.headers;
  const canonical = host === undefined ? null : canonicalHost(host, rules.scheme);
  if (canonical === null || canonical instanceof Refusal)
    return ApiProblem.of('malformed', 'the header host is missing or no name');
  if (!rules.hosts.has(canonical) && !rules.hosts.has(canonical.replace(/:\d+$/, '')))
    return ApiProblem.of('host_unknown', 'ask by a name of the configuration');
  return canonical;
}

function countOf({ rawHeaders }: IncomingMessage, name: string): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === name) count++;
  return count;
}

const [JSON_TYPES, STREAM_TYPES] = [
  ['*/*', 'application/*', 'application/json', 'application/problem+json'],
  ['*/*', 'text/*', 'text/event-stream'],
];

/** Why a caller does not want what it would get (RFC 9110 section 12.5.1): JSON, or server-sent events; null: it does. */
export function unwanted({ headers: { accept } }: IncomingMessage, isStream: boolean): ApiProblem | null {
  const types = isStream ? STREAM_TYPES : JSON_TYPES;
  const isWanted = (accept ?? '*/*').split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
    return !refused && types.includes(type);
  });
  return isWanted ? null : ApiProblem.of('not_acceptable', `accept ${types.at(isStream ? -1 : 2)}`);
}

function targetOf(url: string): ApiTarget | ApiProblem {
  if (!url.startsWith('/')) return ApiProblem.of('malformed', 'the request target does not begin with a slash');
  if (url.length > MAX_TARGET)
    return ApiProblem.of('malformed', `the request target is longer than ${MAX_TARGET} characters`);
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const segments = path.slice(1).split('/').map(decoded);
  if (segments.includes(null)) return ApiProblem.of('malformed', 'the path is not well percent-encoded');
  const query = mark === -1 ? {} : queryOf(url.slice(mark + 1));
  return query instanceof ApiProblem ? query : { segments: segments as string[], query };
}

function queryOf(text: string): Record<string, string> | ApiProblem {
  const query = new Map<string, string>();
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const [name, value] = (equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]).map((part) =>
      decoded(part.replaceAll('+', ' ')),
    );
    if (name == null || value == null) return ApiProblem.of('malformed', 'the query is not well percent-encoded');
    if (query.has(name))
      return ApiProblem.of('parameters_invalid', null, { wrong: [{ at: name.slice(0, 64), message: 'stands twice' }] });
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

const decoded = (text: string): string | null => attempt(() => decodeURIComponent(text));

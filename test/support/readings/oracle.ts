import { apis, hostOf, READ_HEADERS, READ_NUMBER } from './estate.ts';
import type { Kind, Seen } from './services.ts';

/** What the audit says was decided, as far as it is compared. */
export interface Decided {
  readonly result: 'allow' | 'deny';
  readonly reason: string;
  readonly action: string | null;
  readonly caller: { readonly id: string } | null;
  readonly resource: { readonly id: string; readonly api: string | null } | null;
  readonly facts: {
    readonly query: string | null;
    readonly declared: { readonly id: string; readonly purpose: string } | null;
    readonly headers: Readonly<Record<string, string>>;
    readonly numbers: Readonly<Record<string, number>>;
  };
  readonly request: { readonly method: string | null };
}

interface Route {
  readonly name: string;
  readonly segments: readonly string[];
  readonly methods?: readonly string[];
}

/** Every service routes by the table of the inventory; a parameter is an empty segment. */
const routes: readonly Route[] = apis.map((api) => ({
  ...api,
  segments: api.path
    .slice(1)
    .split('/')
    .map((segment) => (segment.startsWith('{') ? '' : segment)),
}));

/** A request as the service would carry it out. */
interface Reading {
  /** As a framework takes it: the method of the request line, or what a header or the query says instead. */
  readonly method: string;
  readonly segments: readonly string[];
  /** Of the routes that hold, from the shortest to the longest. */
  readonly routes: readonly Route[];
}

/**
 * How a service of each kind reads what reached it: with or without a trailing slash; the WSGI one in any case and without
 * `;x=1`, as lenient frameworks do, and the folding one in any case. A parameter is what stands there.
 */
function readingOf(kind: Kind, seen: Seen): Reading {
  const asked = new URLSearchParams(seen.query).get('_method') ?? seen.headers['x-http-method-override'];
  const path = kind === 'folding' ? seen.path.toLowerCase() : seen.path;
  const segments = path.slice(1).replace(/\/$/, '').split('/');
  const folded = kind === 'wsgi' ? segments.map((segment) => segment.replace(/;.*/, '').toLowerCase()) : segments;
  const holding = kind === 'grpc' ? [] : routes.filter((route) => holds(route, folded));
  return {
    method: asked?.toUpperCase() ?? seen.method,
    segments: segments.length === 1 && segments[0] === '' ? [] : segments,
    routes: holding.toSorted((a, b) => a.segments.length - b.segments.length),
  };
}

const holds = (route: Route, segments: readonly string[]): boolean =>
  route.segments.length <= segments.length &&
  route.segments.every((literal, i) => (literal === '' ? segments[i] !== '' : literal === segments[i]));

/** The action that the inventory makes of what the service would do. */
function actionOf(kind: Kind, seen: Seen, { method, segments, routes: holding }: Reading): string {
  if (seen.tunnel === true || seen.headers.upgrade !== undefined) return 'CONNECT';
  if (kind === 'grpc') return seen.path.endsWith('/Get') ? 'QUERY' : 'POST';
  const names = holding.map(({ name }) => name);
  if (names.includes('jobs')) return method === 'GET' ? 'POST' : method;
  return method === 'POST' && names.at(-1) === 'search' && segments.length === 1 ? 'QUERY' : method;
}

/** Why the policies or the inventory of estate.ts forbid what the service would do; null where they permit it. */
function wouldBeForbidden(kind: Kind, seen: Seen, reading: Reading, action: string): string | null {
  const { headers } = seen;
  const names = reading.routes.map(({ name }) => name);
  const writes = !['GET', 'HEAD', 'OPTIONS', 'QUERY'].includes(action);
  // A tunnel may be left unopened: then the service does what the method says.
  const methods = action === 'CONNECT' ? [reading.method, action] : [reading.method];
  if (reading.routes.some((route) => methods.some((method) => route.methods?.includes(method) === false)))
    return 'the method';
  if (headers['x-amount']?.split(/, ?/).includes('blocked') && headers['x-amount'] === 'blocked') return 'the amount';
  if (Number(headers[READ_NUMBER]) > 10) return 'the count';
  if (kind === 'grpc') {
    if (seen.path === '/bank.v1.Accounts/Close') return 'the path';
    return writes && headers['x-role'] !== 'writer' ? 'writing' : null;
  }
  if (reading.method === 'DELETE' && !names.includes('docs')) return 'the method';
  if (action === 'CONNECT' && names.at(-1) !== 'chat') return 'the tunnel';
  if (names.includes('closed') && reading.segments.length === 1) return 'the path';
  if (names.includes('refunds') && reading.segments.length === 2) return 'the path';
  if (reading.method === 'POST' && names.includes('hr')) return 'the method';
  if (names.includes('tenant') && reading.segments[1] === 'rival') return 'the tenant';
  return names.includes('jobs') && writes && headers['x-role'] !== 'writer' ? 'writing' : null;
}

/** What the service read otherwise than the audit says it was judged; null where they agree. */
export function differenceOf(kind: Kind, seen: Seen, decided: Decided): string | null {
  const reading = readingOf(kind, seen);
  const action = actionOf(kind, seen, reading);
  const { facts, resource } = decided;
  const forbidden = wouldBeForbidden(kind, seen, reading, action);
  if (forbidden !== null) return `it did what ${forbidden} forbids`;
  const path = `/${reading.segments.join('/')}`;
  const api = kind === 'grpc' ? (seen.path.endsWith('/Get') ? 'get' : 'bank') : (reading.routes.at(-1)?.name ?? null);
  const own = Object.keys(seen.headers).filter((name) => name.startsWith('x-authz-'));
  const pairs: readonly (readonly [what: string, judged: unknown, read: unknown])[] = [
    ['result', decided.result, 'allow'],
    ['method', decided.request.method, reading.method],
    ['action', decided.action, action],
    ['resource', resource?.id, hostOf(kind) + path],
    ['api', resource?.api ?? null, api === null ? null : `${hostOf(kind)}/${api}`],
    ['query', facts.query ?? '', seen.query],
    ...READ_HEADERS.map((name) => [name, facts.headers[name], seen.headers[name]] as const),
    [READ_NUMBER, facts.numbers[READ_NUMBER], numberOf(seen.headers[READ_NUMBER])],
    ['task id', facts.declared?.id, seen.headers['x-task-id']],
    ['task purpose', facts.declared?.purpose, seen.headers['x-task-purpose']],
    ['caller', decided.caller?.id, seen.headers['x-authz-caller']],
    ['own headers', 'x-authz-caller,x-authz-decision', own.sort().join()],
    ['token', undefined, seen.headers['txn-token']],
    ['override', undefined, seen.headers['x-original-url']],
  ];
  const apart = pairs.find(([, judged, read]) => judged !== read);
  return apart === undefined ? null : `${apart[0]} was judged as ${apart[1]} and read as ${apart[2]}`;
}

const numberOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

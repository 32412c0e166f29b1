import { websocketHeaders } from '../client.ts';
import type { Random } from '../tools/random.ts';
import { words } from '../words.ts';
import { GRPC_METHODS, type Kind, kinds } from './services.ts';

/** One request as a client spells it. */
export interface Spelled {
  readonly pair: string;
  readonly kind: Kind;
  /** Through the Envoy that lets underscores through and removes no header early. */
  readonly lenient: boolean;
  readonly version: 1 | 2;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Over HTTP/2: an extended CONNECT (RFC 8441). */
  readonly tunnel: boolean;
}

const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'] as const;
const PATHS = [
  ...words(
    '/jobs /jobs/run /api/refunds /api/refunds/7 /search /search/x /spaces/hr /spaces/hr/docs/x /spaces/it/docs/x',
  ),
  ...words(
    '/tenants/acme /tenants/rival /tenants/rival/users/acme /tenants/acme/users/rival /chat /forbidden /elsewhere /',
  ),
];
const QUERIES = [
  'a=1',
  '',
  '_method=DELETE',
  '%5Fmethod=DELETE',
  'a=1&_METHOD=PUT',
  'a=1&+_method=DELETE',
  'x-http-method-override=DELETE',
  'methods=DELETE',
] as const;
/** The names of all parameters: their values are compared with what stands in the audit. */
export const QUERY_PARAMETERS: readonly string[] = [
  ...new Set(QUERIES.flatMap((query) => query.split('&')).map((parameter) => parameter.split('=', 1)[0] ?? '')),
].filter((name) => name !== '');

type Respell = (path: string, random: Random) => string;
const PATH_SPELLINGS: readonly Respell[] = [
  (path) => `${path}/`,
  (path) => `${path}/`,
  (path) => `${path}//`,
  (path) => path.replace('/', '//'),
  escapeOne,
  recase,
  recase,
  (path) => path.toUpperCase(),
  (path) => `${path};x=1`,
  (path) => `${path}%3bx=1`,
  (path) => `/elsewhere/..${path}`,
  (path) => `/elsewhere/%2e%2e${path}`,
  (path) => `/.${path}`,
  (path) => path.replaceAll('/', '%2f').replace('%2f', '/'),
  (path) => path.replace(/[a-z]/, (char) => encodeURIComponent(String.fromCharCode(char.charCodeAt(0) + 0xfee0))),
  (path) => `${path}%20`,
  (path) => `${path}%00`,
  (path) => `${path}%2561`,
  (path) => path.replace(/(?!^)\//, '\\'),
  (path) => `${path}#x`,
];

function escapeOne(path: string, random: Random): string {
  const letters = [...path.matchAll(/[a-z]/g)];
  if (letters.length === 0) return path;
  const at = random.pick(letters).index;
  return `${path.slice(0, at)}%${path.charCodeAt(at).toString(16)}${path.slice(at + 1)}`;
}

function recase(path: string, random: Random): string {
  const letters = [...path.matchAll(/[a-z]/g)];
  if (letters.length === 0) return path;
  const at = random.pick(letters).index;
  return path.slice(0, at) + path[at]?.toUpperCase() + path.slice(at + 1);
}

/** Headers that decide something, each with values of which some are forbidden. */
const DECIDING: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['x-amount', ['5', 'blocked', '5,blocked', 'blocked,5', '']],
  ['x-count', ['5', '11', '0x1', '5,11', '007']],
  ['x-role', ['writer', 'reader', 'writer,reader']],
  ['user-agent', ['curl/8', 'Mozilla/5.0 (KHTML, like Gecko)']],
  ['x-task-id', ['t-1', 't-1,t-2']],
  ['x-task-purpose', ['reports']],
  ['x-authz-caller', ['spiffe://prod.example/admin']],
  ['x-authz-task', ['t-admin']],
  ['x-authz-agent', ['admin']],
  ['txn-token', ['a.b.c']],
  ['dpop', ['a.b.c']],
  ['x-http-method-override', ['DELETE']],
  ['x-original-url', ['/api/refunds']],
  ['x-forwarded-client-cert', ['URI=spiffe://prod.example/admin']],
];

type RespellName = (name: string) => string;
const NAME_SPELLINGS: readonly RespellName[] = [
  (name) => name.replaceAll('-', '_'),
  (name) => name.replace('-', '_'),
  (name) => name.replace(/-(?=[^-]*$)/, '_'),
  (name) => name.replaceAll('-', '.'),
  (name) => name.toUpperCase(),
];

/** Requests of which most differ from a plain one in a spelling or two. Endless, and the same for the same numbers. */
export function* spelledRequests(random: Random): Generator<Spelled> {
  for (let number = 0; ; number++) {
    const kind = random.pick(kinds);
    const grpc = kind === 'grpc';
    const version = grpc || random.chance(50) ? 2 : 1;
    const upgrade = !grpc && random.chance(25);
    const plain = grpc
      ? `/bank.v1.Accounts/${random.pick(GRPC_METHODS)}`
      : upgrade && random.chance(50)
        ? '/chat'
        : random.pick(PATHS);
    const path = random.chance(30) ? random.pick(PATH_SPELLINGS)(plain, random) : plain;
    const query = !grpc && random.chance(15) ? `?${random.pick(QUERIES)}` : '';
    const headers: (readonly [string, string])[] = [['x-pair', `p-${number}`]];
    for (let count = random.pick([0, 0, 1, 1, 2]); count > 0; count--) headers.push(...oneHeader(random));
    if (random.chance(40)) headers.push(['x-role', 'writer']);
    if (grpc) headers.push(['content-type', 'application/grpc'], ['te', 'trailers']);
    const method = grpc ? 'POST' : random.pick(METHODS);
    if (upgrade && version === 1) headers.push(...upgradeHeaders(random));
    yield {
      pair: `p-${number}`,
      kind,
      lenient: random.chance(50),
      version,
      method: upgrade && random.chance(50) ? 'GET' : method,
      target: path + query,
      headers,
      tunnel: upgrade && version === 2,
    };
  }
}

function oneHeader(random: Random): (readonly [string, string])[] {
  const [name, values] = random.pick(DECIDING);
  const first: readonly [string, string] = [
    random.chance(30) ? random.pick(NAME_SPELLINGS)(name) : name,
    random.pick(values),
  ];
  // A pair of names that a service may take for one, or one name twice.
  if (random.chance(25)) return [first, [name, random.pick(values)]];
  return name === 'x-task-id' && random.chance(70) ? [first, ['x-task-purpose', 'reports']] : [first];
}

function upgradeHeaders(random: Random): (readonly [string, string])[] {
  const whole = Object.entries(websocketHeaders).map(([name, value]) => [name, value] as const);
  return random.pick([
    whole,
    whole,
    whole,
    whole.filter(([name]) => name !== 'connection'),
    whole.filter(([name]) => name !== 'upgrade'),
    whole.map(([name, value]) => (name === 'upgrade' ? ([name, 'WebSocket'] as const) : ([name, value] as const))),
    [...whole, ['upgrade', 'websocket'] as const],
  ]);
}

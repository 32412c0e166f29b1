import { Refusal } from '../base/outcome.ts';
import type { Report } from '../source/problem-at-path.ts';
import { compileApis, highestSensitivity, innermost, rank } from './apis.ts';
import { hostNameFault } from './host-name.ts';
import { leniently, lenientlyCased, lowerPath } from './lenient-path.ts';
import type { Action, Api, Host, Resource, Sensitivity, Target } from './model.ts';
import { readActions, writeActions } from './model.ts';
import { Routes } from './routes.ts';
import type { HostEntry } from './schema.ts';

/** What of a request decides which resource it names and what it would do there. `path` is decoded. */
export interface Access {
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly upgrade: boolean;
  readonly grpc: boolean;
}

/**
 * The scopes of a path that no api names, on a host whose apis ask for scopes: a text that no token can carry (a scope
 * has no spaces, RFC 6749 section 3.3), so that a token limited to scopes does not reach beyond the apis.
 */
const UNNAMED_SCOPES: readonly string[] = Object.freeze(['no api names this path']);

/** The scopes where apis cross and no scope meets what each asks for. */
const CROSSING_SCOPES: readonly string[] = Object.freeze(['no scope opens all apis here']);

const NO_SCOPES: readonly string[] = Object.freeze([]);

/** What no server folds into something else. */
const PLAIN = /^[a-z0-9._/-]*$/;

const actions: ReadonlySet<string> = new Set([...readActions, ...writeActions]);
const reads: ReadonlySet<string> = new Set(readActions);

/** A host of the inventory with its apis. */
export class HostRoutes {
  readonly host: Host;
  readonly apis: readonly Api[];
  readonly servedBy: ReadonlySet<string>;
  readonly #owner: string | null;
  readonly #labels: ReadonlyMap<string, string>;
  readonly #scopes: readonly string[];
  readonly #most: Sensitivity;
  readonly #unnamedScopes: readonly string[];
  readonly #caseInsensitive: boolean;
  readonly #routes = new Routes<Api>();
  readonly #lenient: Routes<Api>;
  /** No template holds a character that folds, so a plain path matches the same both ways. */
  readonly #plain: boolean;

  constructor(entry: HostEntry, host: Host, base: Sensitivity, apis: readonly Api[]) {
    this.host = host;
    this.apis = apis;
    this.servedBy = new Set(entry.servedBy);
    this.#owner = entry.owner ?? null;
    this.#labels = new Map(Object.entries(entry.labels ?? {}));
    this.#scopes = Object.freeze([...new Set(entry.scopes ?? [])].toSorted());
    this.#most = highestSensitivity([base, ...apis.map((api) => api.sensitivity)]);
    const asks = apis.some((api) => api.scopes !== null && api.scopes.length > 0);
    this.#unnamedScopes = entry.scopes === undefined && asks ? UNNAMED_SCOPES : this.#scopes;
    this.#caseInsensitive = entry.caseInsensitive ?? false;
    // `caseInsensitive: false` says that the host tells cases apart; where nothing is stated, that is not known.
    this.#lenient = new Routes<Api>(entry.caseInsensitive === false ? lenientlyCased : leniently);
    this.#plain = apis.every((api) => api.template.segments.every((s) => 'param' in s || PLAIN.test(s.literal)));
    for (const api of apis) {
      this.#routes.add(api.template, api);
      this.#lenient.add(api.template, api);
    }
  }

  /**
   * The resource that the path names and the action that the method is there, or why the request is refused. The one
   * trailing slash of a path is not part of either: the resource is the same with and without it.
   */
  target(access: Access): Target | Refusal {
    const whole = this.#caseInsensitive ? lowerPath(access.path) : access.path;
    if (whole === null)
      return ambiguous('the host is case-insensitive and the path holds a cased letter outside ASCII');
    const segments = split(whole);
    if (segments === null) return new Refusal('request_malformed', 'the path is not canonical');
    const path = `/${segments.join('/')}`;
    const matches = this.#routes.matching(segments).sort((a, b) => a.template.rank - b.template.rank);
    const another = this.#readLeniently(path, segments, matches);
    if (another !== null) {
      const why = `a server that folds case or drops ';' reads the path as one of the api ${another.id}`;
      return ambiguous(`${why}; state caseInsensitive, true or false, for the host`);
    }
    const nested = matches.filter(
      (api, index) => matches[index + 1]?.template.segments.length !== api.template.segments.length,
    );
    const action = actionOf(access, matches, nested.at(-1), segments.length);
    if (action instanceof Refusal) return action;
    return Object.freeze({
      resource: this.#resource(path, segments, matches, nested),
      action,
      effect: reads.has(action) ? 'read' : 'write',
    });
  }

  /** Where templates cross, the strictest of what they say holds: see `compileApis` for what it refuses beforehand. */
  #resource(path: string, segments: readonly string[], matches: readonly Api[], nested: readonly Api[]): Resource {
    const owners = new Set(stated(matches, (api) => api.owner));
    return Object.freeze({
      id: this.host.name + path,
      host: this.host,
      path,
      apis: Object.freeze(nested.map((api) => api.id)),
      templates: Object.freeze(nested.map((api) => api.template)),
      params: paramsOf(nested, segments),
      owner: owners.size === 0 ? this.#owner : owners.size === 1 ? ([...owners][0] ?? null) : null,
      sensitivity: this.#sensitivity(matches),
      external: this.host.external,
      scopes: matches.length === 0 ? this.#unnamedScopes : scopesOf(matches, this.#scopes),
      labels:
        matches.length === 0
          ? this.#labels
          : new Map([this.#labels, ...matches.map((api) => api.labels)].flatMap((m) => [...m])),
    });
  }

  /** An api that does not hold for the path, and does for the path as a lenient server reads it; null where there is none. */
  #readLeniently(path: string, segments: readonly string[], matches: readonly Api[]): Api | null {
    if (this.#plain && PLAIN.test(path)) return null;
    return this.#lenient.matching(segments).find((api) => !matches.includes(api)) ?? null;
  }

  /** A path that no api names is as sensitive as the most sensitive thing that the host lists. */
  #sensitivity(matches: readonly Api[]): Sensitivity {
    if (matches.length === 0) return this.#most;
    return highestSensitivity(innermost(matches).map((api) => api.sensitivity));
  }
}

function ambiguous(detail: string): Refusal {
  return new Refusal('request_path_ambiguous', detail);
}

/** What is said by those apis that say it and contain no other that does: one where apis nest, several where they cross. */
function stated<T>(apis: readonly Api[], read: (api: Api) => T | null): T[] {
  const saying = innermost(apis.filter((candidate) => read(candidate) !== null));
  return saying.map(read).filter((said) => said !== null);
}

/** The scopes that meet what each crossing api asks for; those of the host where none asks. */
function scopesOf(matches: readonly Api[], host: readonly string[]): readonly string[] {
  const asked = stated(matches, (api) => api.scopes);
  const [first, ...others] = asked.filter((scopes) => scopes.length > 0);
  if (first === undefined) return asked.length > 0 ? NO_SCOPES : host;
  const common = first.filter((scope) => others.every((scopes) => scopes.includes(scope)));
  return common.length > 0 ? common : CROSSING_SCOPES;
}

/** The segments of a path, without the empty one that a trailing slash leaves; null for one that is not canonical. */
function split(path: string): readonly string[] | null {
  if (!path.startsWith('/') || !path.isWellFormed()) return null;
  const segments = path.slice(1).split('/');
  if (segments.at(-1) === '') segments.pop();
  return segments.some((segment) => segment === '' || segment === '.' || segment === '..') ? null : segments;
}

function paramsOf(nested: readonly Api[], segments: readonly string[]): ReadonlyMap<string, string> {
  const params = new Map<string, string>();
  for (const api of nested) {
    for (const [index, segment] of api.template.segments.entries()) {
      const value = segments[index];
      if ('param' in segment && value !== undefined) params.set(segment.param, value);
    }
  }
  return params;
}

/**
 * The action that a request is at a path. A gRPC call is a POST, an upgrade is CONNECT (one check opens a tunnel) and only
 * ever a GET (RFC 6455 section 4.1; Envoy hands over an extended CONNECT of RFC 8441 as one): a service that knows no
 * upgrades does what the method says, so any other method beside one is refused. A POST
 * to the own path of an api that only reads is QUERY, and what only reads elsewhere is POST where the inventory says that
 * it writes.
 */
function actionOf(access: Access, matches: readonly Api[], own: Api | undefined, depth: number): Action | Refusal {
  if (access.upgrade && access.method !== 'GET') {
    return new Refusal('request_upgrade_method', `an upgrade is a GET, not a ${access.method}`);
  }
  const method = access.upgrade ? 'CONNECT' : access.method;
  if (!isAction(method)) return new Refusal('request_method_not_allowed', 'the method is none of the known ones');
  if (access.grpc && !access.upgrade && method !== 'POST') {
    return new Refusal('request_method_not_allowed', `a gRPC call is a POST, not a ${method}`);
  }
  if (stated(matches, (api) => api.methods).some((listed) => !listed.has(method))) {
    return new Refusal('request_method_not_allowed', `the api ${own?.id ?? ''} does not list ${method}`);
  }
  const writes = innermost(matches).some((api) => api.writes);
  if (writes) return reads.has(method) ? 'POST' : method;
  const queries = method === 'POST' && own !== undefined && own.readsByPost && own.template.segments.length === depth;
  return queries ? 'QUERY' : method;
}

function isAction(method: string): method is Action {
  return actions.has(method);
}

/** Reads one host, and reports what contradicts in it. */
export function compileHost(entry: HostEntry, unlisted: Sensitivity, report: Report): HostRoutes {
  const fault = hostNameFault(entry.host);
  if (fault !== null) report(['host'], fault);
  const external = entry.external ?? false;
  const reserved = "the Authorization header of an external host is the application's; remove it, or write 'app'";
  if (external && entry.authorization === 'ours') report(['authorization'], reserved);
  if (entry.origin !== undefined && !isOrigin(entry.origin)) {
    report(['origin'], 'an origin is a scheme and a host, such as https://api.example');
  }
  reportLabels(entry, [], report);
  for (const [index, api] of (entry.apis ?? []).entries()) reportLabels(api, ['apis', index], report);
  const base = entry.sensitivity === undefined ? unlisted : rank(entry.sensitivity);
  const at: Report = (path, message) => report(['apis', ...path], message);
  const apis = compileApis(entry.host, base, entry.apis ?? [], entry.caseInsensitive ?? false, at, entry.scopes);
  const host: Host = Object.freeze({
    name: entry.host,
    audience: entry.audience ?? null,
    authorization: external ? 'app' : (entry.authorization ?? 'ours'),
    external,
    forward: entry.forward === undefined ? null : Object.freeze([...entry.forward]),
    origin: entry.origin ?? null,
  });
  return new HostRoutes(entry, host, base, apis);
}

function reportLabels({ labels }: Pick<HostEntry, 'labels'>, at: readonly PropertyKey[], report: Report): void {
  for (const name of Object.keys(labels ?? {}).filter((name) => name.startsWith('param.')))
    report([...at, 'labels', name], "labels that begin with 'param.' are the route's parameters; rename it");
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text;
}

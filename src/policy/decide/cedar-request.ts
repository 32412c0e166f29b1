import { isIPv6 } from 'node:net';
import { shortestAddress } from '../../http/host.ts';
import type { Resource, Workload } from '../../inventory/model.ts';
import { pathPrefixes, spiffePrefixes } from '../../inventory/prefixes.ts';
import type { Task } from '../../task/model.ts';
import { coversResource } from '../../task/resources.ts';
import type { AuthorizationCall, CedarValue, Entity, EntityRef, EntityUid } from './call.ts';
import { contextOf } from './facts.ts';
import type { Question } from './question.ts';
import { touchedRecord } from './touched.ts';

/** Where the hierarchy of purposes comes from: the inventory. */
export interface PurposeHierarchy {
  /** Every purpose that this one is in, itself left out; null when it is none. */
  widerPurposes(purpose: string): readonly string[] | null;
}

/** The entities that some policy names, by type: only these ancestors are worth sending. */
export type NamedEntities = ReadonlyMap<string, ReadonlySet<string>>;

const uid = (type: string, id: string): EntityUid => ({ type: `Mesh::${type}`, id });
const ref = (type: string, id: string): EntityRef => ({ __entity: uid(type, id) });

/** The last instant that Cedar's `datetime` and ISO 8601 with four digits both hold. */
const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * The question in the words of cedar/schema.cedarschema. Ancestors are flat (`in` is transitive) and only those that a
 * policy names, or that occur as a value of this call and so can stand on the right of `in` (owners, trust domains).
 * Every entity that the context names is sent, even when it is empty: without it `hasTag` would quietly be false and an
 * attribute would be an error. Whatever Cedar cannot hold is left in place for the engine to refuse.
 */
export function authorizationCall(
  question: Question,
  named: NamedEntities,
  purposes: PurposeHierarchy,
): AuthorizationCall {
  const { target, chain, hop, task } = question;
  const workloads = new Map<string, Workload>([[hop.id.text, hop]]);
  for (const link of chain) if (!workloads.has(link.id.text)) workloads.set(link.id.text, link);
  const domains = new Set([...workloads.values()].map((workload) => workload.id.trustDomain));
  const entities: Entity[] = [
    ...[...workloads.values()].map((workload) => workloadEntity(workload, named)),
    endpointEntity(target.resource, apisOf(question, named), named),
    { uid: uid('Headers', 'request'), attrs: {}, parents: [], tags: Object.fromEntries(question.headers) },
    { uid: uid('Numbers', 'request'), attrs: {}, parents: [], tags: Object.fromEntries(question.numbers) },
    ...[...domains].map((domain) => ({ uid: uid('TrustDomain', domain), attrs: {}, parents: [] })),
  ];
  if (task !== null) entities.push(purposeEntity(task.purpose, named, purposes));
  return {
    principal: uid('Workload', hop.id.text),
    action: uid('Action', target.action),
    resource: uid('Endpoint', target.resource.id),
    context: context(question, named),
    entities,
  };
}

/** The apis of the resource that a policy names, or that can stand on the right of `in` since somebody opened them. */
function apisOf({ target, touched }: Question, named: NamedEntities): readonly string[] {
  const asked = ids(named, 'Api');
  const opened = touched === null ? [] : [touched.chain.apis, touched.task.apis];
  return target.resource.apis.filter((api) => asked.has(api) || opened.some((apis) => apis === 'all' || apis.has(api)));
}

function context(question: Question, named: NamedEntities): { readonly [name: string]: CedarValue } {
  const { chain, task, declared, touched } = question;
  const own = question.target.resource.apis;
  return {
    now: instant(question.now),
    credential: ref('Credential', question.credential),
    role: ref('Role', question.role),
    chain: {
      depth: chain.length,
      originator: ref('Workload', chain[0].id.text),
      actors: [...new Set(chain.map((link) => link.id.text))].map((id) => ref('Workload', id)),
      trustDomains: [...new Set(chain.map((link) => link.id.trustDomain))].map((name) => ref('TrustDomain', name)),
      external: chain.some((link) => link.external),
    },
    headers: ref('Headers', 'request'),
    numbers: ref('Numbers', 'request'),
    ...(question.client === null ? {} : { client: unmapped(question.client) }),
    ...(question.query === null ? {} : { query: question.query }),
    ...(declared === null ? {} : { declared: { id: declared.id, purpose: declared.purpose } }),
    ...(task === null
      ? {}
      : { task: { ...taskRecord(task, question), touched: touchedRecord(touched?.task ?? null, own, named) } }),
    touched: touchedRecord(touched?.chain ?? null, own, named),
    ...contextOf(question),
  };
}

function taskRecord(task: Task, { now, target }: Question): { readonly [name: string]: CedarValue } {
  const covers = coversResource(task.resources, target.resource);
  return {
    id: task.id,
    purpose: ref('Purpose', task.purpose),
    assurance: task.assurance,
    scopes: [...task.scopes],
    issuer: task.issuer,
    ...(task.subject === null ? {} : { subject: task.subject }),
    secondsLeft: Math.floor(task.expiresAt - now / 1000),
    ...(covers === null ? {} : { coversResource: covers }),
  };
}

function workloadEntity(workload: Workload, named: NamedEntities): Entity {
  const { id, owner } = workload;
  return {
    uid: uid('Workload', id.text),
    attrs: {
      trustDomain: ref('TrustDomain', id.trustDomain),
      kind: ref('Kind', workload.kind),
      external: workload.external,
      relay: workload.relay,
      owner: ref('Team', owner),
    },
    parents: [
      uid('Team', owner),
      uid('TrustDomain', id.trustDomain),
      ...spiffePrefixes(id, ids(named, 'SpiffePath')).map((prefix) => uid('SpiffePath', prefix)),
      ...only(named, 'Group', workload.groups),
    ],
    tags: Object.fromEntries(workload.labels),
  };
}

function endpointEntity(resource: Resource, apis: readonly string[], named: NamedEntities): Entity {
  const { host, path, owner } = resource;
  const params = [...resource.params].map(([name, value]) => [`param.${name}`, value] as const);
  return {
    uid: uid('Endpoint', resource.id),
    attrs: {
      host: host.name,
      path,
      sensitivity: resource.sensitivity,
      external: resource.external,
      scopes: [...resource.scopes],
      ...(owner === null ? {} : { owner: ref('Team', owner) }),
    },
    parents: [
      ...(owner === null ? [] : [uid('Team', owner)]),
      ...only(named, 'Host', [host.name]),
      ...apis.map((api) => uid('Api', api)),
      ...pathPrefixes(host.name, path, ids(named, 'Path')).map((prefix) => uid('Path', prefix)),
    ],
    tags: Object.fromEntries([...resource.labels, ...params]),
  };
}

function purposeEntity(purpose: string, named: NamedEntities, purposes: PurposeHierarchy): Entity {
  return {
    uid: uid('Purpose', purpose),
    attrs: {},
    parents: [...only(named, 'Purpose', purposes.widerPurposes(purpose) ?? [])],
  };
}

const NOTHING: ReadonlySet<string> = new Set();

const ids = (named: NamedEntities, type: string): ReadonlySet<string> => named.get(`Mesh::${type}`) ?? NOTHING;

function only(named: NamedEntities, type: string, of: readonly string[]): EntityUid[] {
  const wanted = ids(named, type);
  return of.filter((id) => wanted.has(id)).map((id) => uid(type, id));
}

/** RFC 3339 in UTC; an instant that Cedar cannot hold becomes a text that it refuses. */
export function instant(now: number): string {
  return Number.isFinite(now) && now >= 0 && now <= LAST_INSTANT ? new Date(now).toISOString() : `no instant: ${now}`;
}

/**
 * The spelling of an address that Cedar's `ip` takes: IPv4 that is mapped into IPv6 (`::ffff:10.0.0.1`) is that IPv4
 * address, and no other IPv6 address ends in dots.
 */
export function unmapped(address: string): string {
  if (!isIPv6(address)) return address;
  const canonical = shortestAddress(address);
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(canonical);
  if (dotted === null) return canonical;
  const [, head = '', ...bytes] = dotted;
  if (head === '::ffff:') return bytes.join('.');
  const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
  return `${head}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

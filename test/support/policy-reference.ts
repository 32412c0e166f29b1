import { isIPv6, SocketAddress } from 'node:net';
import { type Cedar, newInstance } from '../../src/policy/decide/engine.ts';
import type { Question } from '../../src/policy/decide/question.ts';
import type { Touched } from '../../src/state/bounded/touched.ts';

type Uid = { type: string; id: string };
type Call = Parameters<Cedar['isAuthorized']>[0];
type Entity = Call['entities'][number];

const uid = (type: string, id: string): Uid => ({ type: `Mesh::${type}`, id });
const ref = (type: string, id: string) => ({ __entity: uid(type, id) });

/** What the plainest way of asking Cedar says: everything parsed anew, every entity sent, every parent a single step up. */
export interface Plain {
  readonly decision: 'allow' | 'deny';
  readonly reasons: readonly string[];
  readonly errors: readonly string[];
}

const cedar = newInstance();

/** Written apart from src/policy/decide/cedar-request.ts on purpose: only the schema is common to both. */
export function plainly(
  schema: string,
  policies: Readonly<Record<string, string>>,
  question: Question,
  wider: Readonly<Record<string, readonly string[]>>,
): Plain {
  const answer = cedar.isAuthorized({
    schema,
    policies: { staticPolicies: { ...policies } },
    principal: uid('Workload', question.hop.id.text),
    action: uid('Action', question.target.action),
    resource: uid('Endpoint', question.target.resource.id),
    context: contextOf(question),
    entities: entitiesOf(question, wider),
  });
  if (answer.type === 'failure') throw new Error(answer.errors.map((error) => error.message).join('; '));
  const { decision, diagnostics } = answer.response;
  return {
    decision,
    reasons: diagnostics.reason.toSorted(),
    errors: diagnostics.errors.map((error) => error.policyId).toSorted(),
  };
}

function contextOf(q: Question): Call['context'] {
  const context: Call['context'] = {
    now: { __extn: { fn: 'datetime', arg: new Date(q.now).toISOString() } },
    credential: ref('Credential', q.credential),
    role: ref('Role', q.role),
    chain: {
      depth: q.chain.length,
      originator: ref('Workload', q.chain[0].id.text),
      actors: q.chain.map((link) => ref('Workload', link.id.text)),
      trustDomains: q.chain.map((link) => ref('TrustDomain', link.id.trustDomain)),
      external: q.chain.filter((link) => link.external).length > 0,
    },
    headers: ref('Headers', 'h'),
    numbers: ref('Numbers', 'n'),
    approvals: [...q.approvals],
    signals: [...q.signals],
  };
  if (q.touched === null) throw new Error('what was opened before was not read');
  context.touched = touchedOf(q, q.touched.chain);
  if (q.client !== null) context.client = { __extn: { fn: 'ip', arg: addressOf(q.client) } };
  if (q.query !== null) context.query = q.query;
  if (q.declared !== null) context.declared = { ...q.declared };
  if (q.inNetworks !== null) context.inNetworks = q.inNetworks;
  if (q.credentialAge !== null) context.credentialAge = q.credentialAge;
  if (q.risk !== null) context.risk = q.risk;
  if (q.task !== null) {
    const { id, purpose, assurance, scopes, resources, issuer, subject, expiresAt } = q.task;
    const secondsLeft = Math.floor((expiresAt * 1000 - q.now) / 1000);
    const touched = touchedOf(q, q.touched.task);
    const task = { id, purpose: ref('Purpose', purpose), assurance, scopes: [...scopes], issuer, secondsLeft, touched };
    // In the estate of these questions an api with a parameter has it in its second segment.
    const covers = resources?.some(({ api, parameters }) => {
      const [, , second] = q.target.resource.path.split('/');
      const named = Object.entries(parameters);
      return q.target.resource.apis.includes(api) && named.every(([name, value]) => name === 'p' && value === second);
    });
    context.task = {
      ...task,
      ...(subject === null ? {} : { subject }),
      ...(covers === undefined ? {} : { coversResource: covers }),
    };
  }
  return context;
}

/** All apis: those of the request, those that clauses name, and one more. */
function touchedOf({ target }: Question, { sensitivity, apis }: Touched) {
  const all = ['*', 'one.internal/a', 'one.internal/b', ...target.resource.apis];
  return { sensitivity, apis: (apis === 'all' ? all : [...apis]).map((api) => ref('Api', api)) };
}

function addressOf(text: string): string {
  const mapped = /^::ffff:([0-9.]+)$/.exec(text)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(text)) return text;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  const tail = /^(.*:)([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)$/.exec(address);
  if (tail === null) return address;
  const [a = 0, b = 0, c = 0, d = 0] = tail.slice(2).map(Number);
  if (tail[1] === '::ffff:') return [a, b, c, d].join('.');
  return `${tail[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function entitiesOf(q: Question, wider: Readonly<Record<string, readonly string[]>>): Entity[] {
  const entities = new Map<string, Entity>();
  const add = (
    at: Uid,
    parents: Uid[],
    attrs: Entity['attrs'] = {},
    tags?: Iterable<[string, string | number]>,
  ): void => {
    const tagged = tags === undefined ? {} : { tags: Object.fromEntries(tags) };
    entities.set(JSON.stringify(at), { uid: at, attrs, parents, ...tagged });
  };
  /** A ladder of prefixes, each one step below the next; gives the lowest rung. */
  const ladder = (type: string, root: Uid, prefix: string, path: string): Uid => {
    let below = root;
    let text = prefix;
    for (const segment of path.split('/').filter((part) => part !== '')) {
      text += `/${segment}`;
      add(uid(type, text), [below]);
      below = uid(type, text);
    }
    return below;
  };
  for (const { id, owner, kind, external, relay, groups, labels } of [...q.chain, q.hop]) {
    const domain = uid('TrustDomain', id.trustDomain);
    add(domain, []);
    add(uid('Team', owner), []);
    for (const group of groups) add(uid('Group', group), []);
    const place = ladder('SpiffePath', domain, `spiffe://${id.trustDomain}`, id.path);
    const attrs = {
      trustDomain: ref('TrustDomain', id.trustDomain),
      kind: ref('Kind', kind),
      external,
      relay,
      owner: ref('Team', owner),
    };
    add(uid('Workload', id.text), [place, uid('Team', owner), ...groups.map((g) => uid('Group', g))], attrs, labels);
  }
  const { resource } = q.target;
  add(uid('Host', resource.host.name), []);
  const place = ladder('Path', uid('Host', resource.host.name), resource.host.name, resource.path);
  const parents = [place];
  for (const [index, api] of resource.apis.entries()) {
    const outer = resource.apis[index - 1];
    add(uid('Api', api), outer === undefined ? [] : [uid('Api', outer)]);
  }
  const innermost = resource.apis.at(-1);
  if (innermost !== undefined) parents.push(uid('Api', innermost));
  const { host, path, sensitivity, external, scopes, owner } = resource;
  const attrs: Entity['attrs'] = { host: host.name, path, sensitivity, external, scopes: [...scopes] };
  if (owner !== null) {
    add(uid('Team', owner), []);
    parents.push(uid('Team', owner));
    attrs.owner = ref('Team', owner);
  }
  const params = [...resource.params].map(([name, value]): [string, string] => [`param.${name}`, value]);
  add(uid('Endpoint', resource.id), parents, attrs, [...resource.labels, ...params]);
  add(uid('Headers', 'h'), [], {}, q.headers);
  add(uid('Numbers', 'n'), [], {}, q.numbers);
  for (const [purpose, above] of Object.entries(wider))
    add(
      uid('Purpose', purpose),
      above.map((p) => uid('Purpose', p)),
    );
  return [...entities.values()];
}

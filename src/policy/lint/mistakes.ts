import { sensitivities } from '../../inventory/schema.ts';
import { comparison, MEMBER, type Mistake, nameOf, tokens, unquoted } from './mistake.ts';

const RANKS: readonly string[] = sensitivities;
const ENTITIES =
  'Action|Api|Credential|Endpoint|Group|Host|Kind|Path|Purpose|Role|SpiffePath|Team|TrustDomain|Workload';

/** A mistake without its example, its pattern not yet one of whole tokens. */
type Row = Omit<Mistake, 'written' | 'found'> & { readonly found: string };

/** An attribute that holds an entity, compared with a text. */
const entity = (path: string, type: string, why: string): Row => ({
  why,
  instead: ({ op, value }) => `${path} ${op} Mesh::${type}::${value}`,
  found: `${path.replace('.', ' \\. ')} (?<op>==|!=) (?<value>TEXT)`,
});

/** A text that is compared by a function of other languages. */
const like = (names: string, pattern: (text: string) => string): Row => ({
  why: 'texts are compared with like',
  instead: ({ path, value }) => `${path} like ${JSON.stringify(pattern(unquoted(value ?? '')))}`,
  found: `(?<path>(?:resource|context)(?: \\. \\w+)+) \\. (?:${names}) \\( (?<value>TEXT) \\)`,
});

/** The table. The first that is found at a place is the one that is shown, so narrower ones stand before wider ones. */
export const mistakes: readonly Mistake[] = Object.entries<Row>({
  'context.now.hour >= 22': {
    why: 'the time of day is a duration since midnight, UTC',
    instead: () => 'context.now.toTime() >= duration("22h")',
    found:
      'context \\. (?:now \\. (?:hours?|getHours|minutes?|getMinutes)|time|hour)(?: \\( \\))?(?: COMPARED (?:TEXT|\\d+))?',
  },
  'context.now.dayOfWeek == "Sunday"': {
    why: 'Cedar knows neither weekdays nor months, only days',
    instead: () => '[datetime("2026-12-24"), datetime("2026-12-25")].contains(context.now.toDate())',
    found:
      'context \\. now \\. (?:dayOfWeek|weekday|day|getDay|month|getMonth|year)(?: \\( \\))?(?: COMPARED (?:TEXT|\\d+))?',
  },
  'context.now.toTime() >= "22:00"': {
    why: 'a time of day is compared with a duration',
    instead: ({ op }) => `context.now.toTime() ${op} duration("22h")`,
    found: 'context \\. now \\. toTime \\( \\) COMPARED (?:TEXT|\\d+)',
  },
  'context.now > "2026-12-01"': {
    why: 'an instant is compared with a datetime',
    instead: ({ op, value }) => `context.now ${op} datetime(${value})`,
    found: 'context \\. now COMPARED (?<value>TEXT)',
  },
  'principal.groups.contains("finance-agents")': {
    why: 'groups are what a workload is in',
    instead: ({ value, other }) => `principal in Mesh::Group::${value ?? other}`,
    found:
      '(?:principal \\. groups? (?:\\. contains \\(|==|in) (?<value>TEXT)(?: \\))?|(?<other>TEXT) in principal \\. groups?)',
  },
  'principal in "finance-agents"': {
    why: 'a string is no group',
    instead: ({ value }) => `principal in Mesh::Group::${value}`,
    found: 'principal in (?<value>"(?!spiffe:)[^ ]*")',
  },
  'principal.labels.pci == "true"': {
    why: 'labels are tags',
    instead: (parts) =>
      `${parts.who}.hasTag(${nameOf(parts)}) && ${parts.who}.getTag(${nameOf(parts)})${comparison(parts)}`,
    found: `(?<who>principal|resource) \\. (?:labels?|tags?) ${MEMBER}`,
  },
  'principal.id == "spiffe://prod.example/ns/payments/sa/api"': {
    why: 'a workload is an entity, and its SPIFFE ID is its name',
    instead: ({ value }) => `principal == Mesh::Workload::${value}`,
    found: 'principal (?:\\. (?:id|spiffeId|spiffe_id|name|uri) )?== (?<value>"spiffe:[^ ]*")',
  },
  'principal.team == "payments"': {
    why: 'teams are entities, and own workloads and resources',
    instead: ({ who, value }) => `${who} in Mesh::Team::${value}`,
    found: '(?<who>principal|resource) \\. (?:team|owner) == (?<value>TEXT)',
  },
  'principal.kind == "agent"': entity('principal.kind', 'Kind', 'kinds are entities'),
  'principal.kind in ["agent", "job"]': {
    why: 'kinds are entities, and whether a set has one is asked with contains',
    instead: () => '[Mesh::Kind::"agent", Mesh::Kind::"job"].contains(principal.kind)',
    found: 'principal \\. kind in \\[ TEXT(?: , TEXT)* \\]',
  },
  'principal.trustDomain == "prod.example"': entity(
    'principal.trustDomain',
    'TrustDomain',
    'trust domains are entities',
  ),
  'context.method == "GET"': {
    why: 'the method is the action',
    instead: ({ op, value }) => `action ${op} Mesh::Action::${value}`,
    found:
      '(?:(?:(?:context|request|resource) \\. (?:http_method|httpMethod|method|verb))|action) (?<op>==|!=) (?<value>TEXT)',
  },
  'permit (principal, action in ["GET", "HEAD"], resource);': {
    why: 'actions are entities',
    instead: ({ list }) => `action in [${list?.replaceAll(/(?<=^|,)(?=")/g, 'Mesh::Action::').replaceAll(',', ', ')}]`,
    found: '(?:action|context \\. method) in \\[ (?<list>TEXT(?: , TEXT)*) \\]',
  },
  'permit (principal, action, resource in [Mesh::Host::"payments.internal", Mesh::Host::"docs.internal"]);': {
    meant:
      'permit (principal, action, resource) when { resource in [Mesh::Host::"payments.internal", Mesh::Host::"docs.internal"] };',
    why: 'a scope takes one entity, a condition takes several',
    instead: ({ who, list }) => `${who} there, and when { ${who} in [${list?.replaceAll(',', ', ')}] } after it`,
    found: '(?<who>principal|resource) in \\[ (?<list>\\w+ ::[^\\]]*) \\]',
  },
  'principal == Mesh::Group::"finance-agents"': {
    why: 'nothing is a group, an api or a team, it is in one',
    instead: ({ who, type, value }) => `${who} in Mesh::${type}::${value}`,
    found:
      '(?<who>principal|resource) == Mesh :: (?<type>Group|Team|TrustDomain|SpiffePath|Api|Host|Path) :: (?<value>TEXT)',
    silent: true,
  },
  'resource in Host::"payments.internal"': {
    why: 'the types are those of the namespace Mesh',
    instead: ({ type, value }) => `Mesh::${type}::${value}`,
    found: `(?<!:: )(?<type>${ENTITIES}) :: (?<value>TEXT)`,
  },
  'context.path like "/api/*"': {
    why: 'the path is that of the resource',
    instead: ({ op, value }) => `resource.path ${op} ${value}`,
    found: '(?:context|request) \\. path (?<op>like|==|!=) (?<value>TEXT)',
  },
  'context.host == "payments.internal"': {
    why: 'the host is that of the resource',
    instead: ({ value }) => `resource in Mesh::Host::${value}`,
    found: '(?:context|request) \\. (?:host|authority) == (?<value>TEXT)',
  },
  'resource.api == "payments.internal/invoices"': {
    why: 'apis are what a resource is in',
    instead: ({ value }) => `resource in Mesh::Api::${value}`,
    found: 'resource \\. (?:api|route|name|id) == (?<value>TEXT)',
  },
  'resource.params.invoice == "7"': {
    why: 'the parameters of a route are tags',
    instead: (parts) => {
      const tag = JSON.stringify(`param.${unquoted(nameOf(parts))}`);
      return `resource.hasTag(${tag}) && resource.getTag(${tag})${comparison(parts)}`;
    },
    found: `(?:resource|context) \\. (?:params?|parameters) ${MEMBER}`,
  },
  'resource.sensitivity >= "restricted"': {
    why: 'sensitivity is a number: 0 public, 1 internal, 2 confidential, 3 restricted',
    instead: ({ op, rank }) => `resource.sensitivity ${op} ${RANKS.indexOf(rank ?? '')}`,
    found: `resource \\. sensitivity COMPARED (?:(?:Mesh :: )?Sensitivity :: )?"(?<rank>${RANKS.join('|')})"`,
  },
  'context.task.purpose == "finance"': {
    why: 'purposes are entities, and a request may have no task',
    instead: ({ value }) => `context has task && context.task.purpose in Mesh::Purpose::${value}`,
    found: 'context \\. (?:task \\. )?purpose (?:==|in) (?<value>TEXT)',
  },
  'context.task.scope == "invoices"': {
    why: 'the scopes of a task are a set, and a request may have no task',
    instead: ({ value, other }) => `context has task && context.task.scopes.contains(${value ?? other})`,
    found:
      '(?:context \\. (?:task \\. )?scopes? (?:==|\\. contains \\() (?<value>TEXT)(?: \\))?|(?<other>TEXT) in context \\. (?:task \\. )?scopes?)',
  },
  'context.user == "alice"': {
    why: 'whom a task is for is its subject, where it has one',
    instead: ({ value }) => `context has task && context.task has subject && context.task.subject == ${value}`,
    found: 'context \\. (?:task \\. )?(?:user|sub|subject|userId) == (?<value>TEXT)',
  },
  'context.task != null': {
    why: 'Cedar has no null; what is not known is absent',
    instead: ({ op, fact }) => (op === '==' ? `!(context has ${fact})` : `context has ${fact}`),
    found: 'context \\. (?<fact>\\w+) (?<op>==|!=) (?:null|nil|undefined)',
  },
  'context.chain.length > 2': {
    why: 'the length of a chain is its depth',
    instead: () => 'context.chain.depth',
    found: 'context \\. (?:chain \\. (?:actors \\. )?(?:length|size|count)|depth)(?: \\( \\))?',
  },
  'context.headers.getTag("x-amount") > 100': {
    why: 'the header is a text; numbers are those that policy.headers declares with type: long',
    instead: ({ name, op, value }) =>
      `context.numbers.hasTag(${name}) && context.numbers.getTag(${name}) ${op} ${value}`,
    found: 'context \\. headers \\. getTag \\( (?<name>TEXT) \\) COMPARED (?<value>\\d+)',
  },
  'context.headers["x-data-class"] == "secret"': {
    why: 'headers are tags, and a request may lack one',
    instead: (parts) =>
      `context.headers.hasTag(${nameOf(parts)}) && context.headers.getTag(${nameOf(parts)})${comparison(parts)}`,
    found: `(?:context|request) \\. headers? ${MEMBER}`,
  },
  'context.headers has "x-data-class"': {
    why: 'headers are tags',
    instead: ({ name }) => `context.headers.hasTag(${name})`,
    found: 'context \\. headers? (?:has|\\. (?:contains|get|has|includes) \\() (?<name>TEXT)(?: \\))?',
  },
  'context.client in ip("10.0.0.0/8")': {
    why: 'an address is in a range, and may be unknown',
    instead: ({ address, text }) => `context has client && context.client.isInRange(ip(${address ?? text}))`,
    found:
      'context \\. (?:client|ip|clientIp|client_ip|sourceIp|source_ip|remoteAddress|address) (?:in|==) (?:ip \\( (?<address>TEXT) \\)|(?<text>TEXT))',
  },
  'context.role == "caller"': entity('context.role', 'Role', 'roles are entities'),
  'context.credential == "oidc"': entity('context.credential', 'Credential', 'kinds of credentials are entities'),
  'context.query["page"] == "2"': {
    why: 'the query is one text, and a request may have none',
    instead: (parts) => {
      const value = parts.value === undefined ? '' : unquoted(parts.value);
      return `context has query && context.query like ${JSON.stringify(`*${unquoted(nameOf(parts))}=${value}*`)}`;
    },
    found: `context \\. query ${MEMBER}`,
  },
  'context.risk > 0.5': {
    why: 'risk is a whole number from 0 to 100, and may be unknown',
    instead: ({ op }) => `context has risk && context.risk ${op} 50`,
    found: 'context \\. risk COMPARED \\d+ \\. \\d+',
  },
  'resource.path.startsWith("/api")': like('startsWith|hasPrefix|starts_with', (text) => `${text}*`),
  'resource.path.endsWith(".pdf")': like('endsWith|hasSuffix|ends_with', (text) => `*${text}`),
  'context.approvals.size() > 0': {
    why: 'a set says whether it is empty, and not how large it is',
    instead: ({ set }) => `!${set}.isEmpty()`,
    found: '(?<set>(?:resource|context)(?: \\. \\w+)+) \\. (?:size|length|count)(?: \\( \\))?(?: > 0)?',
  },
  '"invoices" in resource.scopes': {
    why: 'whether a set has a text is asked with contains',
    instead: ({ set, value }) => `${set}.contains(${value})`,
    found: '(?<value>TEXT) in (?<set>(?:resource|context)(?: \\. \\w+)+)',
  },
  'principal.relay and principal.external': {
    why: 'and is written &&, or is written ||',
    instead: ({ word }) => (word?.toLowerCase() === 'and' ? '&&' : '||'),
    found: '(?<word>and|AND|or|OR)(?! \\()',
  },
  'not principal.relay': {
    why: 'not is written !',
    instead: ({ operand }) => `!${operand}`,
    found: '(?:not|NOT) (?<operand>\\w+)',
  },
  'allow (principal, action, resource);': {
    why: 'a policy permits or forbids',
    instead: ({ effect }) => (effect === 'allow' ? 'permit' : 'forbid'),
    found: '(?<effect>allow|deny)(?= \\()',
  },
}).map(([written, row]) => ({ ...row, written, found: tokens(row.found) }));

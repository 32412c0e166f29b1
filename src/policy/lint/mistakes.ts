import { sensitivities } from '../../inventory/schema.ts';
import { comparison, MEMBER, type Mistake, nameOf, tokens, unquoted } from './mistake.ts';

const RANKS: readonly string[] = sensitivities;
const ENTITIES =
  'Action|Api|Credential|Endpoint|Group|Host|Kind|Path|Purpose|Role|SpiffePath|Team|TrustDomain|Workload';

/** The table. The first that is found at a place is the one that is shown, so narrower ones stand before wider ones. */
export const mistakes: readonly Mistake[] = [
  {
    written: 'context.now.hour >= 22',
    why: 'the time of day is a duration since midnight, UTC',
    instead: () => 'context.now.toTime() >= duration("22h")',
    found: tokens(
      'context \\. (?:now \\. (?:hours?|getHours|minutes?|getMinutes)|time|hour)(?: \\( \\))?(?: COMPARED (?:TEXT|\\d+))?',
    ),
  },
  {
    written: 'context.now.dayOfWeek == "Sunday"',
    why: 'Cedar knows neither weekdays nor months, only days',
    instead: () => '[datetime("2026-12-24"), datetime("2026-12-25")].contains(context.now.toDate())',
    found: tokens(
      'context \\. now \\. (?:dayOfWeek|weekday|day|getDay|month|getMonth|year)(?: \\( \\))?(?: COMPARED (?:TEXT|\\d+))?',
    ),
  },
  {
    written: 'context.now.toTime() >= "22:00"',
    why: 'a time of day is compared with a duration',
    instead: ({ op }) => `context.now.toTime() ${op} duration("22h")`,
    found: tokens('context \\. now \\. toTime \\( \\) COMPARED (?:TEXT|\\d+)'),
  },
  {
    written: 'context.now > "2026-12-01"',
    why: 'an instant is compared with a datetime',
    instead: ({ op, value }) => `context.now ${op} datetime(${value})`,
    found: tokens('context \\. now COMPARED (?<value>TEXT)'),
  },
  {
    written: 'principal.groups.contains("finance-agents")',
    why: 'groups are what a workload is in',
    instead: ({ value, other }) => `principal in Mesh::Group::${value ?? other}`,
    found: tokens(
      '(?:principal \\. groups? (?:\\. contains \\(|==|in) (?<value>TEXT)(?: \\))?|(?<other>TEXT) in principal \\. groups?)',
    ),
  },
  {
    written: 'principal in "finance-agents"',
    why: 'a string is no group',
    instead: ({ value }) => `principal in Mesh::Group::${value}`,
    found: tokens('principal in (?<value>"(?!spiffe:)[^ ]*")'),
  },
  {
    written: 'principal.labels.pci == "true"',
    why: 'labels are tags',
    instead: (parts) =>
      `${parts.who}.hasTag(${nameOf(parts)}) && ${parts.who}.getTag(${nameOf(parts)})${comparison(parts)}`,
    found: tokens(`(?<who>principal|resource) \\. (?:labels?|tags?) ${MEMBER}`),
  },
  {
    written: 'principal.id == "spiffe://prod.example/ns/payments/sa/api"',
    why: 'a workload is an entity, and its SPIFFE ID is its name',
    instead: ({ value }) => `principal == Mesh::Workload::${value}`,
    found: tokens('principal (?:\\. (?:id|spiffeId|spiffe_id|name|uri) )?== (?<value>"spiffe:[^ ]*")'),
  },
  {
    written: 'principal.team == "payments"',
    why: 'teams are entities, and own workloads and resources',
    instead: ({ who, value }) => `${who} in Mesh::Team::${value}`,
    found: tokens('(?<who>principal|resource) \\. (?:team|owner) == (?<value>TEXT)'),
  },
  {
    written: 'principal.kind == "agent"',
    why: 'kinds are entities',
    instead: ({ op, value }) => `principal.kind ${op} Mesh::Kind::${value}`,
    found: tokens('principal \\. kind (?<op>==|!=) (?<value>TEXT)'),
  },
  {
    written: 'principal.kind in ["agent", "job"]',
    why: 'kinds are entities, and whether a set has one is asked with contains',
    instead: () => '[Mesh::Kind::"agent", Mesh::Kind::"job"].contains(principal.kind)',
    found: tokens('principal \\. kind in \\[ TEXT(?: , TEXT)* \\]'),
  },
  {
    written: 'principal.trustDomain == "prod.example"',
    why: 'trust domains are entities',
    instead: ({ op, value }) => `principal.trustDomain ${op} Mesh::TrustDomain::${value}`,
    found: tokens('principal \\. trustDomain (?<op>==|!=) (?<value>TEXT)'),
  },
  {
    written: 'context.method == "GET"',
    why: 'the method is the action',
    instead: ({ op, value }) => `action ${op} Mesh::Action::${value}`,
    found: tokens(
      '(?:(?:(?:context|request|resource) \\. (?:http_method|httpMethod|method|verb))|action) (?<op>==|!=) (?<value>TEXT)',
    ),
  },
  {
    written: 'permit (principal, action in ["GET", "HEAD"], resource);',
    why: 'actions are entities',
    instead: ({ list }) => `action in [${list?.replaceAll(/(?<=^|,)(?=")/g, 'Mesh::Action::').replaceAll(',', ', ')}]`,
    found: tokens('(?:action|context \\. method) in \\[ (?<list>TEXT(?: , TEXT)*) \\]'),
  },
  {
    written: 'permit (principal, action, resource in [Mesh::Host::"payments.internal", Mesh::Host::"docs.internal"]);',
    meant:
      'permit (principal, action, resource) when { resource in [Mesh::Host::"payments.internal", Mesh::Host::"docs.internal"] };',
    why: 'a scope takes one entity, a condition takes several',
    instead: ({ who, list }) => `${who} there, and when { ${who} in [${list?.replaceAll(',', ', ')}] } after it`,
    found: tokens('(?<who>principal|resource) in \\[ (?<list>\\w+ ::[^\\]]*) \\]'),
  },
  {
    written: 'principal == Mesh::Group::"finance-agents"',
    why: 'nothing is a group, an api or a team, it is in one',
    instead: ({ who, type, value }) => `${who} in Mesh::${type}::${value}`,
    found: tokens(
      '(?<who>principal|resource) == Mesh :: (?<type>Group|Team|TrustDomain|SpiffePath|Api|Host|Path) :: (?<value>TEXT)',
    ),
    silent: true,
  },
  {
    written: 'resource in Host::"payments.internal"',
    why: 'the types are those of the namespace Mesh',
    instead: ({ type, value }) => `Mesh::${type}::${value}`,
    found: tokens(`(?<!:: )(?<type>${ENTITIES}) :: (?<value>TEXT)`),
  },
  {
    written: 'context.path like "/api/*"',
    why: 'the path is that of the resource',
    instead: ({ op, value }) => `resource.path ${op} ${value}`,
    found: tokens('(?:context|request) \\. path (?<op>like|==|!=) (?<value>TEXT)'),
  },
  {
    written: 'context.host == "payments.internal"',
    why: 'the host is that of the resource',
    instead: ({ value }) => `resource in Mesh::Host::${value}`,
    found: tokens('(?:context|request) \\. (?:host|authority) == (?<value>TEXT)'),
  },
  {
    written: 'resource.api == "payments.internal/invoices"',
    why: 'apis are what a resource is in',
    instead: ({ value }) => `resource in Mesh::Api::${value}`,
    found: tokens('resource \\. (?:api|route|name|id) == (?<value>TEXT)'),
  },
  {
    written: 'resource.params.invoice == "7"',
    why: 'the parameters of a route are tags',
    instead: (parts) => {
      const tag = JSON.stringify(`param.${unquoted(nameOf(parts))}`);
      return `resource.hasTag(${tag}) && resource.getTag(${tag})${comparison(parts)}`;
    },
    found: tokens(`(?:resource|context) \\. (?:params?|parameters) ${MEMBER}`),
  },
  {
    written: 'resource.sensitivity >= "restricted"',
    why: 'sensitivity is a number: 0 public, 1 internal, 2 confidential, 3 restricted',
    instead: ({ op, rank }) => `resource.sensitivity ${op} ${RANKS.indexOf(rank ?? '')}`,
    found: tokens(`resource \\. sensitivity COMPARED (?:(?:Mesh :: )?Sensitivity :: )?"(?<rank>${RANKS.join('|')})"`),
  },
  {
    written: 'context.task.purpose == "finance"',
    why: 'purposes are entities, and a request may have no task',
    instead: ({ value }) => `context has task && context.task.purpose in Mesh::Purpose::${value}`,
    found: tokens('context \\. (?:task \\. )?purpose (?:==|in) (?<value>TEXT)'),
  },
  {
    written: 'context.task.scope == "invoices"',
    why: 'the scopes of a task are a set, and a request may have no task',
    instead: ({ value, other }) => `context has task && context.task.scopes.contains(${value ?? other})`,
    found: tokens(
      '(?:context \\. (?:task \\. )?scopes? (?:==|\\. contains \\() (?<value>TEXT)(?: \\))?|(?<other>TEXT) in context \\. (?:task \\. )?scopes?)',
    ),
  },
  {
    written: 'context.user == "alice"',
    why: 'whom a task is for is its subject, where it has one',
    instead: ({ value }) => `context has task && context.task has subject && context.task.subject == ${value}`,
    found: tokens('context \\. (?:task \\. )?(?:user|sub|subject|userId) == (?<value>TEXT)'),
  },
  {
    written: 'context.task != null',
    why: 'Cedar has no null; what is not known is absent',
    instead: ({ op, fact }) => (op === '==' ? `!(context has ${fact})` : `context has ${fact}`),
    found: tokens('context \\. (?<fact>\\w+) (?<op>==|!=) (?:null|nil|undefined)'),
  },
  {
    written: 'context.chain.length > 2',
    why: 'the length of a chain is its depth',
    instead: () => 'context.chain.depth',
    found: tokens('context \\. (?:chain \\. (?:actors \\. )?(?:length|size|count)|depth)(?: \\( \\))?'),
  },
  {
    written: 'context.headers.getTag("x-amount") > 100',
    why: 'the header is a text; numbers are those that policy.headers declares with type: long',
    instead: ({ name, op, value }) =>
      `context.numbers.hasTag(${name}) && context.numbers.getTag(${name}) ${op} ${value}`,
    found: tokens('context \\. headers \\. getTag \\( (?<name>TEXT) \\) COMPARED (?<value>\\d+)'),
  },
  {
    written: 'context.headers["x-data-class"] == "secret"',
    why: 'headers are tags, and a request may lack one',
    instead: (parts) =>
      `context.headers.hasTag(${nameOf(parts)}) && context.headers.getTag(${nameOf(parts)})${comparison(parts)}`,
    found: tokens(`(?:context|request) \\. headers? ${MEMBER}`),
  },
  {
    written: 'context.headers has "x-data-class"',
    why: 'headers are tags',
    instead: ({ name }) => `context.headers.hasTag(${name})`,
    found: tokens('context \\. headers? (?:has|\\. (?:contains|get|has|includes) \\() (?<name>TEXT)(?: \\))?'),
  },
  {
    written: 'context.client in ip("10.0.0.0/8")',
    why: 'an address is in a range, and may be unknown',
    instead: ({ address, text }) => `context has client && context.client.isInRange(ip(${address ?? text}))`,
    found: tokens(
      'context \\. (?:client|ip|clientIp|client_ip|sourceIp|source_ip|remoteAddress|address) (?:in|==) (?:ip \\( (?<address>TEXT) \\)|(?<text>TEXT))',
    ),
  },
  {
    written: 'context.role == "caller"',
    why: 'roles are entities',
    instead: ({ op, value }) => `context.role ${op} Mesh::Role::${value}`,
    found: tokens('context \\. role (?<op>==|!=) (?<value>TEXT)'),
  },
  {
    written: 'context.credential == "oidc"',
    why: 'kinds of credentials are entities',
    instead: ({ op, value }) => `context.credential ${op} Mesh::Credential::${value}`,
    found: tokens('context \\. credential (?<op>==|!=) (?<value>TEXT)'),
  },
  {
    written: 'context.query["page"] == "2"',
    why: 'the query is one text, and a request may have none',
    instead: (parts) => {
      const value = parts.value === undefined ? '' : unquoted(parts.value);
      return `context has query && context.query like ${JSON.stringify(`*${unquoted(nameOf(parts))}=${value}*`)}`;
    },
    found: tokens(`context \\. query ${MEMBER}`),
  },
  {
    written: 'context.risk > 0.5',
    why: 'risk is a whole number from 0 to 100, and may be unknown',
    instead: ({ op }) => `context has risk && context.risk ${op} 50`,
    found: tokens('context \\. risk COMPARED \\d+ \\. \\d+'),
  },
  {
    written: 'resource.path.startsWith("/api")',
    why: 'texts are compared with like',
    instead: ({ path, value }) => `${path} like ${JSON.stringify(`${unquoted(value ?? '')}*`)}`,
    found: tokens(
      '(?<path>(?:resource|context)(?: \\. \\w+)+) \\. (?:startsWith|hasPrefix|starts_with) \\( (?<value>TEXT) \\)',
    ),
  },
  {
    written: 'resource.path.endsWith(".pdf")',
    why: 'texts are compared with like',
    instead: ({ path, value }) => `${path} like ${JSON.stringify(`*${unquoted(value ?? '')}`)}`,
    found: tokens(
      '(?<path>(?:resource|context)(?: \\. \\w+)+) \\. (?:endsWith|hasSuffix|ends_with) \\( (?<value>TEXT) \\)',
    ),
  },
  {
    written: 'context.approvals.size() > 0',
    why: 'a set says whether it is empty, and not how large it is',
    instead: ({ set }) => `!${set}.isEmpty()`,
    found: tokens('(?<set>(?:resource|context)(?: \\. \\w+)+) \\. (?:size|length|count)(?: \\( \\))?(?: > 0)?'),
  },
  {
    written: '"invoices" in resource.scopes',
    why: 'whether a set has a text is asked with contains',
    instead: ({ set, value }) => `${set}.contains(${value})`,
    found: tokens('(?<value>TEXT) in (?<set>(?:resource|context)(?: \\. \\w+)+)'),
  },
  {
    written: 'principal.relay and principal.external',
    why: 'and is written &&, or is written ||',
    instead: ({ word }) => (word?.toLowerCase() === 'and' ? '&&' : '||'),
    found: tokens('(?<word>and|AND|or|OR)(?! \\()'),
  },
  {
    written: 'not principal.relay',
    why: 'not is written !',
    instead: ({ operand }) => `!${operand}`,
    found: tokens('(?:not|NOT) (?<operand>\\w+)'),
  },
  {
    written: 'allow (principal, action, resource);',
    why: 'a policy permits or forbids',
    instead: ({ effect }) => (effect === 'allow' ? 'permit' : 'forbid'),
    found: tokens('(?<effect>allow|deny)(?= \\()'),
  },
];

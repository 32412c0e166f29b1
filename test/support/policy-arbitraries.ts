import fc from 'fast-check';
import type { Inventory } from '../../src/inventory/inventory.ts';
import type { Workload } from '../../src/inventory/model.ts';
import { newInstance } from '../../src/policy/decide/engine.ts';
import type { Question } from '../../src/policy/decide/question.ts';
import { factsThatOpenByAbsence } from '../../src/policy/lint/presence.ts';
import type { Touched } from '../../src/state/bounded/touched.ts';
import type { Chain } from '../../src/task/model.ts';
import type { TaskResource } from '../../src/task/resources.ts';
import { target, task, workload } from './policy.ts';

/** An estate whose names nest, overlap by prefix, and repeat across kinds. */
export const differentialEstate = `teams: [payments, platform]
approvals: [resource-owner]
signals: [burst]
purposes:
  reconcile: { in: [finance] }
  finance: { in: [business] }
  business: {}
workloads:
  - { id: "spiffe://prod.example/ns/a/sa/x", owner: payments, kind: agent, external: false, groups: [g, h], labels: { pci: "true" } }
  - { id: "spiffe://prod.example/ns/a/sa/xy", owner: platform, kind: service, relay: true }
  - { id: "spiffe://prod.example/ns/a", owner: payments, kind: job, groups: [g] }
  - { id: "spiffe://partner.example/ns/a/sa/x", owner: platform, kind: legacy, labels: { pci: "" } }
resources:
  - host: one.internal
    owner: payments
    sensitivity: internal
    labels: { tier: gold }
    apis:
      - { name: a, path: "/a/{p}", scopes: [read, other, third] }
      - { name: b, path: "/a/{p}/b", sensitivity: restricted }
      - { name: c, path: /c, methods: [POST], effect: read }
  - host: two.internal
    sensitivity: public
`;

const workloads = [
  'spiffe://prod.example/ns/a/sa/x',
  'spiffe://prod.example/ns/a/sa/xy',
  'spiffe://prod.example/ns/a',
  'spiffe://partner.example/ns/a/sa/x',
];
const requests = [
  'GET one.internal/',
  'GET one.internal/a/7',
  'PUT one.internal/a/7/b/more',
  'GET one.internal/ab',
  'POST one.internal/c',
  'DELETE two.internal/a/b',
  'GET two.internal/a/',
];

const principals = [
  'principal',
  ...workloads.map((id) => `principal == Mesh::Workload::"${id}"`),
  'principal in Mesh::SpiffePath::"spiffe://prod.example/ns/a"',
  'principal in Mesh::SpiffePath::"spiffe://prod.example/ns/a/sa"',
  'principal in Mesh::TrustDomain::"prod.example"',
  'principal in Mesh::Team::"payments"',
  'principal in Mesh::Group::"g"',
  'principal is Mesh::Workload in Mesh::Group::"h"',
];
const actions = [
  'action',
  'action == Mesh::Action::"GET"',
  'action in Mesh::Action::"read"',
  'action in [Mesh::Action::"write", Mesh::Action::"QUERY"]',
];
const resources = [
  'resource',
  'resource == Mesh::Endpoint::"one.internal/a/7"',
  'resource in Mesh::Path::"one.internal/a"',
  'resource in Mesh::Path::"one.internal/a/7"',
  'resource in Mesh::Path::"two.internal/a/b"',
  'resource in Mesh::Host::"one.internal"',
  'resource in Mesh::Api::"one.internal/a"',
  'resource in Mesh::Api::"one.internal/b"',
  'resource is Mesh::Endpoint in Mesh::Team::"payments"',
];

/** Clauses about what every estate has. */
export const commonClauses: readonly string[] = [
  'context has client && context.client.isInRange(ip("10.0.0.0/8"))',
  'context has inNetworks && context.inNetworks',
  'context has query && context.query like "*x*"',
  'context has task && context.task.assurance >= resource.sensitivity',
  'context has task && context.task.secondsLeft > 60',
  'context.chain.depth > 1',
  'context.chain.external',
  'context.chain.trustDomains == [principal.trustDomain]',
  'context.credential == Mesh::Credential::"delegated"',
  'context.headers.hasTag("x-data-class") && context.headers.getTag("x-data-class") == "low"',
  'context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") > 10',
  'context.role == Mesh::Role::"caller"',
  'principal in principal.owner',
  'principal.external',
  'principal.kind == Mesh::Kind::"agent"',
  'principal.relay',
  'resource has owner && principal in resource.owner',
  'resource.path like "/a/*"',
  'resource.sensitivity >= 2',
];

/** Clauses that read everything a policy can read: well typed, so that strict validation passes, and some fail to evaluate. */
export const clauses: readonly string[] = [
  'true',
  'action in Mesh::Action::"read"',
  'action == Mesh::Action::"HEAD"',
  ...commonClauses,
  ...principals.slice(1).map((scope) => scope.replace(/ is Mesh::Workload in /, ' is Mesh::Workload && principal in ')),
  ...resources.slice(1).map((scope) => scope.replace(/ is Mesh::Endpoint in /, ' is Mesh::Endpoint && resource in ')),
  'principal in principal.trustDomain',
  'resource has owner && resource in resource.owner',
  'principal in [Mesh::Team::"platform", Mesh::Team::"payments"]',
  'resource in [Mesh::Path::"one.internal/c", Mesh::Path::"two.internal/a"]',
  'principal in context.chain.trustDomains',
  'principal in context.chain.actors',
  'context.chain.originator in principal.owner',
  'context.chain.originator in Mesh::SpiffePath::"spiffe://prod.example/ns/a"',
  'context.chain.originator in (if principal.relay then Mesh::Team::"payments" else Mesh::Team::"platform")',
  'context.chain.originator.owner == principal.owner',
  'context.chain.originator.hasTag("pci")',
  'context.chain.actors.contains(principal)',
  'principal.hasTag("pci") && principal.getTag("pci") == "true"',
  'resource.hasTag("tier")',
  'resource.hasTag("param.p") && resource.getTag("param.p") == "7"',
  'resource.scopes.contains("read")',
  'context has task && context.task.purpose in Mesh::Purpose::"business"',
  'context has task && context.task.purpose in Mesh::Purpose::"finance"',
  'context has task && context.task.purpose == Mesh::Purpose::"reconcile"',
  'context has task && context.task.scopes.containsAny(resource.scopes)',
  'context has declared && context.declared.purpose == "finance"',
  'context has client && context.client.isIpv6()',
  'context.now < datetime("2026-11-25T10:00:00Z")',
  'context has credentialAge && context.credentialAge < 60',
  'context.approvals.contains("resource-owner")',
  'context has risk && context.risk < 50',
  'context.signals.isEmpty()',
  // The same things by other ways of writing them.
  '1 < context.chain.depth',
  'context.chain.depth == 2',
  'resource.sensitivity != 2',
  'datetime("2026-11-25T10:00:00Z") <= context.now',
  'context.now == datetime("2026-11-25T10:00:00Z")',
  'context.now.toTime() >= duration("10h")',
  'context has risk && context.risk + 1 > 50',
  'context has client && context.client == ip("10.0.0.1")',
  'context has task && context.task.scopes.containsAll(["read"])',
  'context has task && ["read", "third"].containsAll(context.task.scopes)',
  'context has task && ["read"].containsAny(context.task.scopes)',
  'context has task && context.task.scopes == resource.scopes',
  'context has task && context.task.scopes.isEmpty()',
  'context has task && context.task has coversResource && context.task.coversResource',
  'context has task && !(context.task has coversResource && !context.task.coversResource)',
  'context has task.subject && context.task.subject == "x"',
  'context has task && context.task.id like "#*"',
  'context has task && (if principal.relay then context.task.secondsLeft else 60) > 60',
  '(if principal.relay then ["read"] else ["other"]).containsAny(resource.scopes)',
  'resource has owner && {a: {b: principal.owner}}.a == {b: resource.owner}',
  'resource has owner && [principal.owner, Mesh::Team::"platform"].contains(resource.owner)',
  'principal is Mesh::Workload',
  'principal.owner == Mesh::Team::"payments"',
  'principal == context.chain.originator',
  'context.chain.originator == Mesh::Workload::"spiffe://prod.example/ns/a/sa/xy"',
  'context.chain.originator.trustDomain == principal.trustDomain',
  'context.chain.actors.contains(Mesh::Workload::"spiffe://prod.example/ns/a")',
  'context.chain.actors.containsAny([Mesh::Workload::"spiffe://prod.example/ns/a/sa/x", context.chain.originator])',
  'context.headers.hasTag("x-data-class") && principal.hasTag(context.headers.getTag("x-data-class"))',
  'context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") == 10',
  'principal in (if context.chain.external then principal.owner else context.chain.originator.owner)',
];

/** Clauses that read what was opened before, in every way in which it can be read. */
export const touchedClauses: readonly string[] = [
  'context.touched.sensitivity >= 2',
  'context.touched.sensitivity == resource.sensitivity',
  'context has touched && context.touched.sensitivity > 0',
  'context has touched',
  'context.touched has apis && context.touched.apis.isEmpty()',
  'context.touched.apis.contains(Mesh::Api::"one.internal/a")',
  'context.touched.apis.containsAny([Mesh::Api::"one.internal/a", Mesh::Api::"one.internal/b"])',
  'context.touched.apis.containsAll([Mesh::Api::"one.internal/a"])',
  'resource in context.touched.apis',
  'resource.external && context.touched.sensitivity >= 1',
  'context has task && context.task.touched.sensitivity < 2',
  'context has task && context.task has touched && context.task.touched.apis.contains(Mesh::Api::"one.internal/b")',
  'context has task && context.task.touched == context.touched',
  '(if principal.relay then context.touched else context.touched).sensitivity == 3',
  '{ a: context.touched }.a.sensitivity == 1',
  'context.touched == { sensitivity: 0, apis: [Mesh::Api::"one.internal/a"] }',
];

/** Fails to evaluate for a large amount. */
const failing = 'context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") * 9007199254740991 > 0';

const clause = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...clauses) },
  { weight: 2, arbitrary: fc.constantFrom(...touchedClauses) },
  { weight: 1, arbitrary: fc.constant(failing) },
);
const condition = fc.oneof(
  { weight: 5, arbitrary: clause },
  { weight: 1, arbitrary: clause.map((a) => `!(${a})`) },
  { weight: 1, arbitrary: fc.tuple(clause, clause).map(([a, b]) => `(${a}) || (${b})`) },
  { weight: 1, arbitrary: fc.tuple(clause, clause).map(([a, b]) => `(${a}) && (${b})`) },
  { weight: 1, arbitrary: fc.tuple(clause, clause, clause).map(([a, b, c]) => `if ${a} then ${b} else ${c}`) },
);

/** Half of the policies have an open scope and one clause: sets that are almost all dead find nothing. */
const policy = fc.record({
  effect: fc.constantFrom('permit', 'permit', 'forbid'),
  scope: fc.oneof(
    fc.constant('principal, action, resource'),
    fc
      .tuple(fc.constantFrom(...principals), fc.constantFrom(...actions), fc.constantFrom(...resources))
      .map((s) => s.join(', ')),
  ),
  clauses: fc.array(fc.tuple(fc.constantFrom('when', 'unless'), condition), { maxLength: 2 }),
  shadow: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
});

const cedar = newInstance();

/** What a forbid lets pass for want of a fact, as it has to say itself. */
function allowsMissing(text: string): string {
  const parsed = cedar.policyToJson(text);
  const facts = parsed.type === 'success' ? factsThatOpenByAbsence(parsed.json) : [];
  return facts.length === 0 ? '' : ` @allows_missing("${facts.join(', ')}")`;
}

/** The text of a policy file: one to eight policies, some of them shadowed. */
export const policyFile: fc.Arbitrary<string> = fc.array(policy, { minLength: 1, maxLength: 8 }).map((policies) =>
  policies
    .map(({ effect, scope, clauses: conditions, shadow }, index) => {
      const annotations = `@id("p${index}") @trusts_issuer_chain${shadow ? ' @mode("shadow")' : ''}`;
      const text = `${effect} (${scope})${conditions.map(([kind, body]) => ` ${kind} { ${body} }`).join('')};`;
      return `${annotations}${effect === 'forbid' ? allowsMissing(text) : ''}\n${text}`;
    })
    .join('\n'),
);

const touched: fc.Arbitrary<Touched> = fc.record({
  sensitivity: fc.nat(3),
  apis: fc.oneof(
    fc.subarray(['one.internal/a', 'one.internal/b', 'gone/x']).map((names) => new Set(names)),
    fc.constant('all' as const),
  ),
});

/** What tasks are about: two that cover a request, an api that has no such parameter, and none that is there. */
const abouts: TaskResource[] = [
  { api: 'one.internal/a', parameters: { p: '7' } },
  { api: 'one.internal/c', parameters: {} },
  { api: 'one.internal/b', parameters: { q: '7' } },
  { api: 'gone/x', parameters: {} },
];

/** Any question that the estate admits. */
export function questions(inventory: Inventory): fc.Arbitrary<Question> {
  const anyWorkload = fc.constantFrom(...workloads.map((id) => workload(inventory, id)));
  const anyTarget = fc.constantFrom(...requests.map((request) => target(inventory, request)));
  return fc
    .record({
      now: fc.integer({ min: Date.UTC(2026, 10, 25, 9), max: Date.UTC(2026, 10, 25, 11) }),
      chain: fc.uniqueArray(anyWorkload, { minLength: 1, maxLength: 3 }),
      at: fc.nat(2),
      target: anyTarget,
      task: fc.option(
        fc.record({
          purpose: fc.constantFrom('reconcile', 'finance', 'business'),
          assurance: fc.constantFrom(1 as const, 2 as const, 3 as const),
          scopes: fc.subarray(['read', 'other']),
          resources: fc.option(fc.subarray(abouts)),
          subject: fc.option(fc.string()),
        }),
      ),
      declared: fc.option(fc.record({ id: fc.string(), purpose: fc.constantFrom('finance', '') })),
      client: fc.option(
        fc.oneof(
          fc.ipV4(),
          fc.ipV6(),
          fc.ipV4().map((ip) => `::ffff:${ip}`),
        ),
      ),
      query: fc.option(fc.string({ unit: 'grapheme' })),
      headers: fc.subarray([['x-data-class', 'low']] as [string, string][]).map((entries) => new Map(entries)),
      numbers: fc
        .option(fc.constantFrom(0, 11, Number.MAX_SAFE_INTEGER))
        .map((n) => new Map(n === null ? [] : [['x-amount', n]])),
      inNetworks: fc.option(fc.boolean()),
      credentialAge: fc.option(fc.nat(120)),
      approvals: fc.subarray(['resource-owner']).map((list) => new Set(list)),
      risk: fc.option(fc.nat(100)),
      signals: fc.subarray(['burst']).map((list) => new Set(list)),
      touched: fc.record({ chain: touched, task: touched }),
    })
    .map(({ chain: links, at, task: stated, ...rest }): Question => {
      const chain = links as unknown as Chain;
      const index = Math.min(at, chain.length - 1);
      const caller = index === chain.length - 1;
      return {
        ...rest,
        chain,
        hop: chain[index] as Workload,
        role: caller ? 'caller' : index === 0 ? 'originator' : 'intermediary',
        credential: caller ? 'x509-svid' : 'delegated',
        task: stated === null ? null : task(stated),
      };
    });
}

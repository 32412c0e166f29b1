import type { Inventory } from '../../../src/inventory/inventory.ts';
import { commonClauses } from '../policy-arbitraries.ts';
import { approvals, hostNames, OWN, workloadIds } from './estates.ts';
import type { Random } from './random.ts';

const paths = ['/a', '/a/b', '/b/c', '/c', '/a/b/c', '/any'];

/**
 * A condition that every permit of an estate asks for beside its own, so that nothing else gives access there: a fact that
 * a question to the tools may leave open, or that two apis hold a path together.
 */
export function anyFocus({ known }: Inventory, random: Random): string {
  const apis = [...known.apis];
  const one = random.below(Math.max(1, apis.length));
  const another = (one + 1 + random.below(Math.max(1, apis.length - 1))) % Math.max(1, apis.length);
  const together = `resource in Mesh::Api::"${apis[one]}" && resource in Mesh::Api::"${apis[another]}"`;
  return random.pick([...facts, ...(apis.length > 1 ? [together, together, together] : [])]);
}

const facts = [
  'context has task',
  'context has task && context.task.purpose in Mesh::Purpose::"wide"',
  'context.chain.depth > 1',
  'context.chain.originator != principal || context.chain.depth > 1',
  'context.credential == Mesh::Credential::"jwt-svid" || context.credential == Mesh::Credential::"delegated"',
  'context has client && context.client.isInRange(ip("10.0.0.0/8"))',
  'context.headers.hasTag("x-data-class") && context.headers.getTag("x-data-class") == "low"',
  'context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") > 10',
  'context has query && context.query like "*x*"',
];

/** The text of one policy about the estate; permits hold under the focus only, where there is one. */
export function anyPolicy(id: string, inventory: Inventory, random: Random, focus: string | null): string {
  const forbid = random.chance(25);
  const approval = forbid && random.chance(60);
  const shadow = random.chance(35) ? ' @mode("shadow")' : '';
  const scope = random.chance(40)
    ? 'principal, action, resource'
    : [principal(inventory, random), random.pick(actions), resource(inventory, random)].join(', ');
  const conditions = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => condition(inventory, random));
  const wanted = random.pick(approvals);
  if (approval) conditions.push(`unless { context.approvals.contains("${wanted}") }`);
  if (!forbid && focus !== null) conditions.push(`when { ${focus} }`);
  const trust = forbid ? '' : ' @trusts_issuer_chain';
  // An annotation that asks for another approval than the condition does has to be refused.
  const asks = approval ? ` @approval("${random.chance(90) ? wanted : random.pick(approvals)}")` : '';
  return `@id("${id}")${trust}${asks}${shadow}\n${forbid ? 'forbid' : 'permit'} (${scope})\n${conditions.join('\n')};\n`;
}

const actions = [
  'action',
  'action',
  'action == Mesh::Action::"GET"',
  'action in Mesh::Action::"read"',
  'action in Mesh::Action::"write"',
  'action in [Mesh::Action::"QUERY", Mesh::Action::"CONNECT"]',
];

function principal({ known }: Inventory, random: Random): string {
  const named = [
    `principal == Mesh::Workload::"${random.pick(workloadIds)}"`,
    `principal in Mesh::SpiffePath::"spiffe://${OWN}/ns/${random.pick(['a', 'b'])}"`,
    `principal in Mesh::Team::"${random.pick([...known.teams])}"`,
    `principal in Mesh::TrustDomain::"${OWN}"`,
    ...[...known.groups].map((group) => `principal in Mesh::Group::"${group}"`),
  ];
  return random.chance(40) ? 'principal' : random.pick(named);
}

function resource({ known }: Inventory, random: Random): string {
  const apis = [...known.apis];
  const host = random.pick(hostNames);
  const named = [
    `resource in Mesh::Host::"${host}"`,
    `resource in Mesh::Path::"${host}${random.pick(paths)}"`,
    `resource == Mesh::Endpoint::"${host}${random.pick(paths)}"`,
    `resource in Mesh::Team::"${random.pick([...known.teams])}"`,
    ...(apis.length > 0 ? Array.from({ length: 4 }, () => `resource in Mesh::Api::"${random.pick(apis)}"`) : []),
  ];
  return random.chance(25) ? 'resource' : random.pick(named);
}

function condition(inventory: Inventory, random: Random): string {
  const one = (): string => {
    const scope = random.chance(50) ? principal(inventory, random) : resource(inventory, random);
    return random.chance(25) && / (in|==) /.test(scope) ? scope : random.pick(clauses);
  };
  const whole = random.chance(60)
    ? one()
    : random.pick([`!(${one()})`, `(${one()}) || (${one()})`, `(${one()}) && (${one()})`]);
  return `${random.pick(['when', 'when', 'unless'])} { ${whole} }`;
}

const clauses = [
  ...commonClauses,
  'principal.hasTag("pci")',
  'resource.sensitivity < 1',
  'resource.hasTag("tier") && resource.getTag("tier") == "gold"',
  'resource.hasTag("param.p0") && resource.getTag("param.p0") == "b"',
  'resource.hasTag("param.p1")',
  'resource.path == "/a/b"',
  'context has task',
  'context has task && context.task.purpose in Mesh::Purpose::"wide"',
  'context has task && context.task.purpose == Mesh::Purpose::"narrow"',
  'context has task && (context.task.scopes.isEmpty() || context.task.scopes.containsAny(resource.scopes))',
  'context has task && context.task has coversResource && context.task.coversResource',
  'context has task && !(context.task has coversResource && !context.task.coversResource)',
  'context.chain.originator.kind == Mesh::Kind::"job"',
  `context.chain.originator in Mesh::SpiffePath::"spiffe://${OWN}/ns/a"`,
  'context.credential == Mesh::Credential::"x509-svid"',
  'context has credentialAge && context.credentialAge < 120',
  'context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") * 9007199254740991 > 0',
  'context.now < datetime("2026-11-25T12:00:00Z")',
];

import type { Inventory } from '../../../src/inventory/inventory.ts';
import { commonClauses } from '../policy-arbitraries.ts';
import { hostNames, OWN, workloadIds } from './estates.ts';
import type { Random } from './random.ts';

const paths = ['/a', '/a/b', '/b/c', '/c', '/a/b/c', '/any'];

/** The text of one policy about the estate. */
export function anyPolicy(id: string, inventory: Inventory, random: Random): string {
  const forbid = random.chance(25);
  const approval = forbid && random.chance(60);
  const shadow = random.chance(35) ? ' @mode("shadow")' : '';
  const scope = random.chance(40)
    ? 'principal, action, resource'
    : [principal(inventory, random), random.pick(actions), resource(inventory, random)].join(', ');
  const conditions = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => condition(inventory, random));
  if (approval) conditions.push('unless { context.approvals.contains("owner") }');
  const trust = forbid ? '' : ' @trusts_issuer_chain';
  const asks = approval ? ' @approval("owner")' : '';
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
  'context.chain.originator.kind == Mesh::Kind::"job"',
  `context.chain.originator in Mesh::SpiffePath::"spiffe://${OWN}/ns/a"`,
  'context.credential == Mesh::Credential::"x509-svid"',
  'context has credentialAge && context.credentialAge < 120',
  'context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") * 9007199254740991 > 0',
  'context.now < datetime("2026-11-25T12:00:00Z")',
];

import { z } from 'zod';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import {
  type ControlAction,
  type ControlOrder,
  type ControlPrincipal,
  type ControlQuestion,
  type ControlResource,
  controlActions,
  controlProofs,
  type TaskFacts,
} from '../control/question.ts';
import { approvalOf, personShape, statedPerson } from './person-scenario.ts';
import { knownWorkload, NOON, scenarioSchema } from './scenario.ts';

const text = z.string().min(1);
const registered = {
  owner: text.optional().describe('A team.'),
  purpose: text.optional(),
  workloads: z.array(text).optional().describe('SPIFFE IDs of those that may carry it.'),
  startedBy: text.optional().describe('A SPIFFE ID.'),
};

/** The facts of one call of the control API as a person writes them, beside `caller` and `at`. */
export const controlShape = {
  control: z
    .string()
    .min(1)
    .optional()
    .describe(
      '`revoke team payments`: what is asked of the control API, in place of a request. First view, explain, revoke, lift, teach, start, handOn, extend, end, grant, refuse, withdraw, breakGlass or review; ' +
        'then everything, trust-domain NAME, team NAME, path ID, workload ID, task ISSUER ID, token ISSUER JTI, ' +
        'subject ISSUER NAME, key THUMBPRINT, certificate FINGERPRINT or approval NAME.',
    ),
  proof: z
    .enum(controlProofs)
    .optional()
    .describe('How the caller of the control API proved who it is: with a certificate (default), or with a token.'),
  dryRun: z.boolean().optional().describe('The revocation only asks what it would hit.'),
  seconds: z
    .int()
    .min(1)
    .optional()
    .describe('How long the revocation holds, or what is started or handed on may go on. Default: 3600.'),
  purpose: text.optional().describe('What is started or handed on is for: a purpose of the inventory.'),
  scopes: z.array(text).optional().describe('Those of what is started or handed on. Default: none.'),
  issuer: text.optional().describe('That of what is started or handed on. Default: https://issuer.example.'),
  depth: z.int().min(1).optional().describe('Workloads of the chain behind a `handOn`. Default: 2.'),
  parent: z
    .strictObject(registered)
    .optional()
    .describe('What is started is a part of this task, of which this is registered.'),
  registered: z.strictObject(registered).optional().describe('What is registered of the task that is asked about.'),
  ...personShape,
};

/** One call of the control API, and by whom. What is left out has the default that the schema tells. */
export const controlScenarioSchema = scenarioSchema.pick({ caller: true, at: true }).extend(controlShape);
export type ControlScenario = z.output<typeof controlScenarioSchema>;

/**
 * The question of one call, or what the statement says wrongly, in words for whoever wrote it. The workloads, the team and
 * the trust domain must be known to the inventory: a misspelt one would prove nothing.
 */
export function controlQuestionFor(stated: ControlScenario, inventory: Inventory): ControlQuestion | string {
  const [verb = '', kind = '', ...names] = (stated.control ?? '').split(' ');
  const action = controlActions.find((known) => known === verb);
  if (action === undefined) return `'${verb}' is nothing that the control API does; write ${controlActions.join(', ')}`;
  const of = OF_ACTION[action];
  if (of !== undefined && of !== kind)
    return `what is asked of ${action} is ${of === 'approval' ? 'an' : 'a'} ${of}; write ${action} ${of}${NAMES[of]}`;
  const resource = resourceOf(kind, names, stated, inventory);
  if (typeof resource === 'string') return resource;
  const nowMs = Date.parse(stated.at ?? NOON);
  const principal = principalOf(stated, nowMs, inventory);
  if (typeof principal === 'string') return principal;
  const order = orderOf(stated, action, nowMs, inventory);
  if (typeof order === 'string') return order;
  return { principal, action, resource, nowMs, order };
}

function principalOf(
  { person, caller: text, proof }: ControlScenario,
  nowMs: number,
  inventory: Inventory,
): ControlPrincipal | string {
  if (person !== undefined) {
    if (text !== undefined || proof !== undefined) return 'a person asks by its session; leave out caller and proof';
    return { kind: 'person', person: statedPerson(person, nowMs), proof: 'session' };
  }
  if (text === undefined) return 'no caller; state the SPIFFE ID of the workload that calls';
  const caller = knownWorkload(text, inventory);
  return typeof caller === 'string' ? caller : { kind: 'workload', id: caller.id, proof: proof ?? 'svid' };
}

/** The one kind of thing that some actions are about. */
const OF_ACTION: Partial<Readonly<Record<ControlAction, 'workload' | 'task' | 'approval'>>> = {
  teach: 'workload',
  start: 'workload',
  handOn: 'workload',
  extend: 'task',
  end: 'task',
  grant: 'approval',
  refuse: 'approval',
  withdraw: 'approval',
  breakGlass: 'approval',
};

/** Which facts say something of which order. */
const FACTS_OF: Partial<Readonly<Record<ControlAction, readonly string[]>>> = {
  revoke: ['dryRun', 'seconds'],
  start: ['dryRun', 'seconds', 'purpose', 'scopes', 'issuer', 'parent'],
  handOn: ['seconds', 'purpose', 'scopes', 'issuer', 'depth'],
  grant: ['seconds', 'uses'],
};
const ORDER_FACTS = ['dryRun', 'seconds', 'purpose', 'scopes', 'issuer', 'depth', 'parent', 'uses'] as const;

function orderOf(
  stated: ControlScenario,
  action: ControlAction,
  nowMs: number,
  inventory: Inventory,
): ControlOrder | null | string {
  const vain = ORDER_FACTS.find((fact) => stated[fact] !== undefined && FACTS_OF[action]?.includes(fact) !== true);
  if (vain !== undefined) return `${vain} says nothing of ${action}; leave it out`;
  const { dryRun = false, seconds = 3600, purpose, scopes = [], issuer = ISSUER, depth = 2, parent } = stated;
  const untilMs = nowMs + seconds * 1000;
  if (action === 'revoke') return { action, dryRun, untilMs };
  if (action === 'grant') return { action, uses: stated.uses ?? 1, untilMs };
  if (action !== 'start' && action !== 'handOn') return null;
  if (purpose === undefined) return `no purpose; state what is to be done, as purpose`;
  const unknown = listed('purpose', purpose, inventory.known.purposes) ?? factsProblem(parent, inventory);
  if (unknown !== null) return unknown;
  const terms = { issuer, purpose, scopes, untilMs };
  if (action === 'handOn') return { action, ...terms, depth };
  const above =
    parent === undefined ? null : ({ kind: 'task', issuer, id: 'parent', registered: facts(parent) } as const);
  return { action, ...terms, dryRun, parent: above };
}

const ISSUER = 'https://issuer.example';

type Registered = z.output<z.ZodObject<typeof registered>>;

const facts = ({ owner, purpose, workloads, startedBy }: Registered): TaskFacts => ({
  owner: owner ?? null,
  purpose: purpose ?? null,
  workloads: workloads ?? null,
  startedBy: startedBy ?? null,
});

/** What is stated of a registered task and is not known to the inventory, in words for whoever wrote it. */
function factsProblem(stated: Registered | undefined, inventory: Inventory): string | null {
  const { owner, purpose, workloads = [], startedBy } = stated ?? {};
  const ids = [...workloads, ...(startedBy === undefined ? [] : [startedBy])];
  const unknown = ids.map((id) => knownWorkload(id, inventory)).find((found) => typeof found === 'string');
  return (
    unknown ??
    (owner === undefined ? null : listed('team', owner, inventory.known.teams)) ??
    (purpose === undefined ? null : listed('purpose', purpose, inventory.known.purposes))
  );
}

/** What stands behind each kind of thing. */
const NAMES: Readonly<Record<string, string>> = {
  everything: '',
  'trust-domain': ' NAME',
  team: ' NAME',
  path: ' ID',
  workload: ' ID',
  task: ' ISSUER ID',
  token: ' ISSUER JTI',
  subject: ' ISSUER NAME',
  key: ' THUMBPRINT',
  certificate: ' FINGERPRINT',
  approval: ' NAME',
};

function resourceOf(
  kind: string,
  names: readonly string[],
  { registered, asking }: ControlScenario,
  inventory: Inventory,
): ControlResource | string {
  const wanted = Object.hasOwn(NAMES, kind) ? NAMES[kind] : undefined;
  if (wanted === undefined) return `'${kind}' is nothing to ask about; write ${Object.keys(NAMES).join(', ')}`;
  if (names.length !== wanted.split(' ').length - 1 || names.includes('')) return `write ${kind}${wanted}`;
  const [name = '', second = ''] = names;
  if (asking !== undefined && kind !== 'approval') return 'nobody asks for an approval here; leave asking out';
  if (registered !== undefined && kind !== 'task') return 'only a task has what is registered of it; leave it out';
  switch (kind) {
    case 'everything':
      return { kind };
    case 'trust-domain':
      return listed('trust domain', name, inventory.known.trustDomains) ?? { kind: 'trustDomain', name };
    case 'team':
      return listed('team', name, inventory.known.teams) ?? { kind, name };
    case 'path':
      return pathOf(name, inventory);
    case 'workload': {
      const workload = knownWorkload(name, inventory);
      return typeof workload === 'string' ? workload : { kind, id: workload.id };
    }
    case 'task':
      return (
        factsProblem(registered, inventory) ?? {
          kind,
          issuer: name,
          id: second,
          registered: registered === undefined ? null : facts(registered),
        }
      );
    case 'approval':
      return approvalOf(name, asking, inventory);
    case 'token':
    case 'subject':
      return { kind: 'credential', of: kind, id: second, issuer: name };
    default:
      return { kind: 'credential', of: kind === 'key' ? 'key' : 'certificate', id: name, issuer: null };
  }
}

const listed = (what: string, name: string, names: ReadonlySet<string>): string | null =>
  names.has(name) ? null : `no ${what} is called '${name}'; list it in the inventory, or correct it`;

function pathOf(text: string, inventory: Inventory): ControlResource | string {
  const id = SpiffeId.parse(text);
  if (id instanceof Refusal) return `'${text}' is no SPIFFE ID: ${id.detail}; write spiffe://trust-domain/path`;
  if (id.path === '') return `'${text}' is a trust domain; write trust-domain ${id.trustDomain}`;
  if (!inventory.lists(text) && inventory.workload(id) instanceof Refusal) {
    return `no workload of the inventory is '${text}' or below it; list one, or correct it`;
  }
  return { kind: 'path', id };
}

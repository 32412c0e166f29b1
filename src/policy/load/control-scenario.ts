import { z } from 'zod';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import {
  type ControlAction,
  type ControlQuestion,
  type ControlResource,
  controlActions,
  controlProofs,
} from '../control/question.ts';
import { knownWorkload, NOON, scenarioSchema } from './scenario.ts';

/** The facts of one call of the control API as a person writes them, beside `caller` and `at`. */
export const controlShape = {
  control: z
    .string()
    .min(1)
    .optional()
    .describe(
      '`revoke team payments`: what is asked of the control API, in place of a request. First view, explain, revoke or lift; ' +
        'then everything, trust-domain NAME, team NAME, path ID, workload ID, task ISSUER ID, token ISSUER JTI, ' +
        'subject ISSUER NAME, key THUMBPRINT or certificate FINGERPRINT.',
    ),
  proof: z
    .enum(controlProofs)
    .optional()
    .describe('How the caller of the control API proved who it is: with a certificate (default), or with a token.'),
  dryRun: z.boolean().optional().describe('The revocation only asks what it would hit.'),
  seconds: z.int().min(1).optional().describe('How long the revocation holds. Default: 3600.'),
};

/** One call of the control API, and by whom. What is left out has the default that the schema tells. */
export const controlScenarioSchema = scenarioSchema.pick({ caller: true, at: true }).extend(controlShape);
export type ControlScenario = z.output<typeof controlScenarioSchema>;

/**
 * The question of one call, or what the statement says wrongly, in words for whoever wrote it. The workloads, the team and
 * the trust domain must be known to the inventory: a misspelt one would prove nothing.
 */
export function controlQuestionFor(stated: ControlScenario, inventory: Inventory): ControlQuestion | string {
  if (stated.caller === undefined) return 'no caller; state the SPIFFE ID of the workload that calls';
  const caller = knownWorkload(stated.caller, inventory);
  if (typeof caller === 'string') return caller;
  const [verb = '', kind = '', ...names] = (stated.control ?? '').split(' ');
  const action = controlActions.find((known) => known === verb);
  if (action === undefined) return `'${verb}' is nothing that the control API does; write ${controlActions.join(', ')}`;
  const resource = resourceOf(kind, names, inventory);
  if (typeof resource === 'string') return resource;
  const order = orderOf(stated, action);
  if (typeof order === 'string') return order;
  const nowMs = Date.parse(stated.at ?? NOON);
  return {
    principal: { kind: 'workload', id: caller.id, proof: stated.proof ?? 'svid' },
    action,
    resource,
    nowMs,
    order: order === null ? null : { dryRun: order.dryRun, untilMs: nowMs + order.seconds * 1000 },
  };
}

function orderOf({ dryRun, seconds }: ControlScenario, action: ControlAction) {
  if (action === 'revoke') return { dryRun: dryRun ?? false, seconds: seconds ?? 3600 };
  return dryRun === undefined && seconds === undefined
    ? null
    : 'only what revokes has dryRun and seconds; leave them out';
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
};

function resourceOf(kind: string, names: readonly string[], inventory: Inventory): ControlResource | string {
  const wanted = Object.hasOwn(NAMES, kind) ? NAMES[kind] : undefined;
  if (wanted === undefined) return `'${kind}' is nothing to ask about; write ${Object.keys(NAMES).join(', ')}`;
  if (names.length !== wanted.split(' ').length - 1 || names.includes('')) return `write ${kind}${wanted}`;
  const [name = '', second = ''] = names;
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
      return { kind, issuer: name, id: second };
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

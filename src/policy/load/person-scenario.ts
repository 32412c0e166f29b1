import { z } from 'zod';
import type { PersonFacts } from '../../identity/person.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { ControlApproval } from '../control/question.ts';
import { knownWorkload } from './scenario.ts';

const text = z.string().min(1);

/** Who signed in, and what a denied call asked a person for, as somebody writes them. */
export const personShape = {
  person: z
    .strictObject({
      issuer: text.default('https://idp.example').describe('Default: https://idp.example.'),
      subject: text.default('person').describe('Default: person.'),
      groups: z.array(text).default([]).describe('As the identity provider names them.'),
      acr: text.optional().describe('How strongly it signed in.'),
      amr: z.array(text).default([]).describe('By which methods.'),
      signedInSeconds: z.int().min(0).default(60).describe('How long ago it proved itself. Default: 60.'),
    })
    .optional()
    .describe('The person who signed in and asks, in place of a caller.'),
  asking: z
    .strictObject({
      caller: text.describe('The SPIFFE ID of the workload whose call was denied.'),
      action: text.default('POST'),
      host: text.default('host.example').describe('Default: host.example.'),
      method: text.default('POST'),
      path: z.string().startsWith('/').default('/'),
      sensitivity: text.optional(),
    })
    .optional()
    .describe('The call that asks for the approval.'),
  uses: z.int().min(1).optional().describe('How often what is granted may be used. Default: 1.'),
};

type Stated = z.output<z.ZodObject<typeof personShape>>;

/** The facts of a person that asks at `nowMs`, in milliseconds since the epoch. */
export function statedPerson(
  { signedInSeconds, acr, ...person }: NonNullable<Stated['person']>,
  nowMs: number,
): PersonFacts {
  return { ...person, acr: acr ?? null, signedInMs: nowMs - 1000 * signedInSeconds, name: null };
}

/** One name of an approval that a call asks for, or what is wrong with the statement. */
export function approvalOf(name: string, asking: Stated['asking'], inventory: Inventory): ControlApproval | string {
  if (asking === undefined) return 'nobody asks for the approval; state whose call was denied, as asking';
  const workload = knownWorkload(asking.caller, inventory);
  if (typeof workload === 'string') return workload;
  if (!inventory.known.approvals.has(name))
    return `no approval is called '${name}'; list it in the inventory, or correct it`;
  const { action, host, method, path, sensitivity = null } = asking;
  return {
    kind: 'approval',
    id: 'asked',
    name,
    caller: workload.id,
    action,
    host,
    method,
    path,
    sensitivity,
    task: null,
  };
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { ASKING, approvalOrder } from '../../../../test/support/approvals.ts';
import { begun, registration } from '../../../../test/support/registering.ts';
import { personText, provenPerson } from '../../../identity/person.ts';
import { Inventory } from '../../../inventory/inventory.ts';
import { loadInventory } from '../../../inventory/load.ts';
import { ProcessRegistry } from '../../../state/tasks/process-registry.ts';
import { type Behind, isUnknownWho, ownRequest } from './separation.ts';

const ISSUER = 'https://idp.example';
const OTHER = 'spiffe://prod.example/ns/agents/sa/other';
const person = (subject: string, groups: readonly string[] = [], issuer = ISSUER) =>
  provenPerson({ issuer, subject, groups, acr: null, amr: [], signedInMs: 0, name: null });

function inventoryWith(more: Readonly<Record<string, unknown>> = {}): Inventory {
  const file = {
    teams: ['payments', 'support'],
    workloads: [
      { id: ASKING, owner: 'payments', kind: 'agent', credentials: [{ issuer: ISSUER, subject: 'robot' }] },
      { id: OTHER, owner: 'support', kind: 'agent', credentials: [{ issuer: ISSUER, subject: 'other-robot' }] },
    ],
    resources: [],
    ...more,
  };
  const loaded = loadInventory(stringify(file), 'inventory.yaml', { ownTrustDomains: new Set(['prod.example']) });
  assert.ok(loaded instanceof Inventory, JSON.stringify(loaded));
  return loaded;
}

const registry = new ProcessRegistry({ perWorkload: 10, all: 10 });
const behind = (over: Partial<Behind> = {}): Behind => ({
  inventory: inventoryWith(),
  tasks: registry.lookup,
  subjectIssuers: new Map([['https://tts.prod.example', ISSUER]]),
  ...over,
});

test('whom the token of a task names as its subject does not grant for it, by issuer and subject together', () => {
  assert.match(ownRequest(person('carol'), approvalOrder(), behind()) ?? '', /task that you started/);
  assert.equal(ownRequest(person('ann'), approvalOrder(), behind()), null);
  assert.equal(ownRequest(person('carol', [], 'https://other.example'), approvalOrder(), behind()), null);
  assert.equal(ownRequest(person('carol'), approvalOrder({ task: null }), behind()), null);
});

test('whoever began the registered task, or one that it is a part of, does not grant for it', async () => {
  const { issuer } = registration();
  await begun(registry, { id: 'above', by: personText(person('dan')) });
  await begun(registry, { id: 'within', by: 'spiffe://prod.example/x', parent: { issuer, id: 'above' } });
  const task = { issuer, id: 'within', purpose: null, subject: null };
  assert.match(ownRequest(person('dan'), approvalOrder({ task }), behind()) ?? '', /task that you started/);
  assert.equal(ownRequest(person('ann'), approvalOrder({ task }), behind()), null);
  assert.equal(ownRequest(person('dan'), approvalOrder({ task: { ...task, id: 'another' } }), behind()), null);
});

test('whose token is that of the asking workload, or of one in its chain, does not grant for it', () => {
  const order = approvalOrder({ task: null, chain: [OTHER, ASKING] });
  assert.match(ownRequest(person('robot'), order, behind()) ?? '', /your own/);
  assert.match(ownRequest(person('other-robot'), order, behind()) ?? '', /your own/);
  assert.equal(ownRequest(person('other-robot'), approvalOrder({ task: null }), behind()), null);
});

test('with dualControl no member of the team that owns the asking workload grants for it', () => {
  const inventory = inventoryWith({ dualControl: { payments: ['finance', 'accounts'] } });
  const order = approvalOrder({ task: null });
  const why = (groups: readonly string[], from = inventory, of = order) =>
    ownRequest(person('ann', groups), of, behind({ inventory: from }));
  assert.match(why(['x', 'accounts']) ?? '', /team payments/);
  assert.equal(why(['support']), null);
  assert.equal(why(['accounts'], inventoryWith()), null);
  assert.equal(why(['accounts'], inventory, approvalOrder({ task: null, caller: OTHER })), null);
  // What a store says of the owner counts for nothing.
  assert.match(why(['accounts'], inventory, approvalOrder({ task: null, owner: 'support' })) ?? '', /team payments/);
});

test('a subject that cannot be compared with people is one that nobody knows, and a workload or none is not', () => {
  const unknown = (task: Parameters<typeof approvalOrder>[0]) =>
    isUnknownWho(approvalOrder(task), behind({ subjectIssuers: new Map() }));
  const { task } = approvalOrder();
  assert.equal(unknown({}), true);
  assert.equal(isUnknownWho(approvalOrder(), behind()), false);
  assert.equal(unknown({ task: null }), false);
  assert.equal(unknown({ task: { ...task!, subject: null } }), false);
  assert.equal(unknown({ task: { ...task!, subject: ASKING } }), false);
});

test('a team of dualControl that is nowhere listed, and one without groups, are load errors', () => {
  for (const [dualControl, told] of [
    [{ paiments: ['x'] }, /no team is called 'paiments'/],
    [{ payments: [] }, /names nobody/],
  ] as const) {
    const text = stringify({ teams: ['payments'], workloads: [], resources: [], dualControl });
    const problems = loadInventory(text, 'inventory.yaml', { ownTrustDomains: new Set() });
    assert.ok(Array.isArray(problems) && told.test(JSON.stringify(problems)), JSON.stringify(problems));
  }
});

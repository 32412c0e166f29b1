import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Budgets } from '../../src/state/tasks/registry.ts';
import { decodeResponse } from '../support/golden-wire.ts';
import { begun, registeringWorld } from '../support/registering.ts';
import { encode, type World, workload } from '../support/world.ts';
import { AGENT, AS, type AskOf, agentByDpop, agentByTxn, TTS } from '../support/world-asks.ts';

const unlimited: Budgets = { calls: null, writes: null, resources: null };
/** The agent may announce releases too, which is a write, and read exports and the status. */
const POLICY = `
@id("billing-agent-announces-releases")
permit (principal == Mesh::Workload::"${workload(AGENT)}", action == Mesh::Action::"POST", resource in Mesh::Api::"payments.internal/releases");
@id("billing-agent-reads-the-status")
permit (principal == Mesh::Workload::"${workload(AGENT)}", action == Mesh::Action::"GET", resource in Mesh::Api::"payments.internal/status");
@id("billing-agent-reads-exports")
permit (principal == Mesh::Workload::"${workload(AGENT)}", action == Mesh::Action::"GET", resource in Mesh::Api::"payments.internal/exports");
`;

let world: World;
before(async () => {
  world = await registeringWorld((folder) => writeFileSync(join(folder, 'policies', 'budgets.cedar'), POLICY));
});
after(() => world?.stop());

const read = { path: '/api/invoices/42' };
const exported = { path: '/api/exports/october' };
const status = { path: '/api/status' };
const release = { path: '/api/releases', method: 'POST' };

let made = 0;
/** A task of its own with these budgets, and how its requests are answered. */
async function task(budgets: Partial<Budgets>, over: Parameters<typeof begun>[1] = {}) {
  const id = `b-${++made}`;
  await begun(world.tasks, { id, ...over, budgets: { ...unlimited, ...budgets } });
  const asking = (request: object = read): AskOf => agentByTxn({ claims: { txn: id } }, request);
  const ask = (request?: object) => world.send(asking(request)(world));
  const reasons = async (...requests: readonly object[]) => {
    const all: string[] = [];
    for (const request of requests) all.push((await ask(request)).reason);
    return all;
  };
  return { key: { issuer: TTS, id }, asking, ask, reasons };
}

test('a task has so many calls, and each task its own', async () => {
  const [one, other] = [await task({ calls: 2 }), await task({ calls: 1 })];
  assert.deepEqual(await one.reasons(read, exported, read), ['permitted', 'permitted', 'task_budget_spent']);
  const spent = await one.ask();
  assert.equal(spent.wire.denied?.http, 403);
  assert.match(String(spent.audit.detail), /^b-\d+ may have 2 calls$/);
  assert.equal(String(spent.audit.task && (spent.audit.task as { id: string }).id), one.key.id);
  assert.deepEqual(await other.reasons(read, read), ['permitted', 'task_budget_spent']);
});

test('of writes only what writes counts', async () => {
  const { reasons } = await task({ writes: 1 });
  const answers = await reasons(read, exported, release, release, read);
  assert.deepEqual(answers, ['permitted', 'permitted', 'permitted', 'task_budget_spent', 'permitted']);
});

test('of resources the apis count that are new, whatever stands in their paths, and a host where none is named', async () => {
  const { reasons } = await task({ resources: 2 });
  const invoices = [1, 2, 3].map((n) => ({ path: `/api/invoices/${n}` }));
  assert.deepEqual(await reasons(...invoices, exported), Array(4).fill('permitted'));
  assert.deepEqual(await reasons(status, read, exported), ['task_budget_spent', 'permitted', 'permitted']);
});

test('a budget of nothing permits nothing', async () => {
  const { reasons } = await task({ calls: 0, writes: 0, resources: 0 });
  assert.deepEqual(await reasons(read), ['task_budget_spent']);
  const readOnly = await task({ writes: 0 });
  assert.deepEqual(await readOnly.reasons(read, release), ['permitted', 'task_budget_spent']);
});

test('what is denied counts nothing', async () => {
  const { reasons } = await task({ calls: 1 });
  const nowhere = { path: '/api/refunds' };
  assert.deepEqual(await reasons(nowhere, nowhere, read, read).then((all) => all.slice(2)), [
    'permitted',
    'task_budget_spent',
  ]);
});

test('Envoy’s retry of one check counts once', async () => {
  const { asking, ask } = await task({ calls: 1 });
  const message = encode({ ...asking()(world), id: 'retried' });
  for (let n = 0; n < 2; n++) assert.equal(decodeResponse(await world.call(message)).denied, null);
  assert.equal((await ask()).reason, 'task_budget_spent');
});

test('calls of a child count for all tasks above it, and its own budget for itself', async () => {
  const parent = await task({ calls: 3 });
  const between = await task({}, { parent: parent.key });
  const child = await task({ calls: 2 }, { parent: between.key });
  assert.deepEqual(await child.reasons(read, read, read), ['permitted', 'permitted', 'task_budget_spent']);
  assert.deepEqual(await between.reasons(read, read), ['permitted', 'task_budget_spent']);
  assert.deepEqual(await parent.reasons(read), ['task_budget_spent']);
  const another = await task({ calls: 5 }, { parent: parent.key });
  assert.deepEqual(await another.reasons(read), ['task_budget_spent']);
});

test('the same registration again, and one under another issuer, give no budget anew', async () => {
  const { key, reasons } = await task({ calls: 1 });
  assert.deepEqual(await reasons(read), ['permitted']);
  const {
    registeredAtMs: _,
    leaseUntilMs: __,
    ended: ___,
    keptUntilMs: ____,
    ...order
  } = world.tasks.lookup.find(key.issuer, key.id)!;
  assert.equal((await world.tasks.register(order, order.keptMs, Date.now())).result, 'unchanged');
  const more = { ...order, budgets: { ...unlimited, calls: 100 } };
  assert.equal((await world.tasks.register(more, order.keptMs, Date.now())).result, 'conflict');
  await begun(world.tasks, { issuer: AS, id: key.id, budgets: { ...unlimited, calls: 100 } });
  assert.deepEqual(await reasons(read), ['task_budget_spent']);
});

test('many calls at once get what the budget has', async () => {
  const { asking } = await task({ calls: 40 });
  const answers = await Promise.all(Array.from({ length: 120 }, () => world.send(asking()(world))));
  const times = (wanted: string) => answers.filter(({ reason }) => reason === wanted).length;
  assert.deepEqual([times('permitted'), times('task_budget_spent')], [40, 80]);
});

test('a spent budget uses up no proof, and a used proof no budget', async () => {
  const budgets = { ...unlimited, calls: 1 };
  await begun(world.tasks, { issuer: AS, id: 't-42', budgets });
  const [first, second] = [agentByDpop()(world), agentByDpop()(world)];
  assert.equal((await world.send(first)).reason, 'permitted');
  assert.equal((await world.send(first)).reason, 'task_proof_replayed');
  assert.equal((await world.send(second)).reason, 'task_budget_spent');
  assert.equal((await world.send(second)).reason, 'task_budget_spent');
});

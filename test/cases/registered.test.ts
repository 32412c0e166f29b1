import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { begun, endOf, registeringWorld } from '../support/registering.ts';
import { type World, workload } from '../support/world.ts';
import { AGENT, AS, agentByAccess, agentByTxn, LEDGER, ledgerReads, ORCHESTRATOR, TTS } from '../support/world-asks.ts';

const MINUTE_MS = 60_000;

let world: World;
before(async () => {
  world = await registeringWorld();
});
after(() => world?.stop());

let made = 0;
/** A task of its own for each test, which can be asked in. */
async function task(over: Parameters<typeof begun>[1] = {}, nowMs = Date.now()) {
  const id = `t-${++made}`;
  const key = { issuer: TTS, id };
  await begun(world.tasks, { id, ...over }, nowMs);
  const ask = (claims: object = {}) => world.send(agentByTxn({ claims: { txn: id, ...claims } })(world));
  return { key, ask };
}
const detailOf = ({ audit }: { readonly audit: Record<string, unknown> }) => String(audit.detail);

test('a task that was begun is permitted until it is ended, and stays ended', async () => {
  const { key, ask } = await task();
  assert.equal((await ask()).reason, 'permitted');
  await world.tasks.end(key, 'security@example.com', 'odd calls', Date.now());
  const refused = await ask();
  assert.equal(refused.reason, 'task_ended');
  assert.match(detailOf(refused), /by security@example.com: odd calls$/);
  assert.deepEqual(await world.tasks.heartbeat(key, 'x', Date.now()), { result: 'over', state: 'ended' });
  assert.equal((await ask()).reason, 'task_ended');
});

test('a task ends at its end, and lapses with its lease, by the clock of each check', async () => {
  const past = Date.now() - 2 * MINUTE_MS;
  assert.equal((await (await task({ endsAtMs: past + MINUTE_MS }, past)).ask()).reason, 'task_ended');
  assert.equal((await (await task({ leaseMs: MINUTE_MS }, past)).ask()).reason, 'task_lapsed');
  assert.equal((await (await task({ leaseMs: 3 * MINUTE_MS }, past)).ask()).reason, 'permitted');
});

test('a task ends with its parent, and lapses with it', async () => {
  const parent = await task();
  const child = await task({ parent: parent.key });
  assert.equal((await child.ask()).reason, 'permitted');
  await world.tasks.end(parent.key, 'x', 'x', Date.now());
  assert.equal((await child.ask()).reason, 'task_ended');
});

test('a registered task is good for its workloads and its purpose, and for a purpose below', async () => {
  const others = await task({ workloads: [workload(LEDGER)] });
  const refused = await others.ask();
  assert.equal(refused.reason, 'task_unregistered');
  assert.match(detailOf(refused), /is not registered for spiffe:\/\/prod.example\/ns\/agents\/sa\/billing-agent$/);
  const both = await task({ workloads: [workload(LEDGER), workload(AGENT)] });
  assert.equal((await both.ask()).reason, 'permitted');
  const longer = await task({ workloads: [`${workload(AGENT)}-2`, `${workload(AGENT)}/x`] });
  assert.equal((await longer.ask()).reason, 'task_unregistered');
  assert.equal((await (await task({ purpose: 'finance' })).ask()).reason, 'permitted');
  const other = await (await task({ purpose: 'customer-care' })).ask();
  assert.equal(other.reason, 'task_unregistered');
  assert.match(detailOf(other), /is registered for customer-care, not for reconcile-invoices$/);
});

test('of an issuer that did not register it itself, an earlier hop of the chain is not enough', async () => {
  const [agent, orchestrator] = [workload(AGENT), workload(ORCHESTRATOR)];
  const chain = { act: { sub: agent, act: { sub: orchestrator } } };
  assert.equal((await (await task({ workloads: [agent] })).ask(chain)).reason, 'permitted');
  assert.equal((await (await task({ workloads: [orchestrator] })).ask(chain)).reason, 'task_unregistered');
});

test('where registration is optional, a task that nobody began is permitted, and one that was ended is not', async () => {
  assert.equal((await world.send(agentByAccess()(world))).reason, 'permitted');
  const id = 't-42';
  await begun(world.tasks, { issuer: AS, id });
  assert.equal((await world.send(agentByAccess()(world))).reason, 'permitted');
  await world.tasks.end({ issuer: AS, id }, 'x', 'x', Date.now());
  assert.equal((await world.send(agentByAccess()(world))).reason, 'task_ended');
});

test('the same id of another issuer is another task', async () => {
  const id = 't-of-two';
  await begun(world.tasks, { issuer: AS, id });
  const ask = () => world.send(agentByTxn({ claims: { txn: id } })(world));
  assert.equal((await ask()).reason, 'task_unregistered');
  await begun(world.tasks, { issuer: TTS, id });
  assert.equal((await ask()).reason, 'permitted');
  await world.tasks.end({ issuer: AS, id }, 'x', 'x', Date.now());
  assert.equal((await ask()).reason, 'permitted');
});

test('a request without a task needs no registration', async () => {
  await begun(world.tasks);
  await endOf(world.tasks);
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
});

test('the status page counts tasks that live, and those that are over and remembered', async () => {
  const counted = async () =>
    (JSON.parse(await world.status('/status')) as { readonly tasks: { readonly live: number; readonly over: number } })
      .tasks;
  const before = await counted();
  const { key } = await task();
  assert.deepEqual(await counted(), { ...before, live: before.live + 1 });
  await world.tasks.end(key, 'x', 'x', Date.now());
  assert.deepEqual(await counted(), { ...before, over: before.over + 1 });
});

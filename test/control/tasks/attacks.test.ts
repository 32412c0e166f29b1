import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ControlAnswer, OPERATOR } from '../../support/control-world.ts';
import { registration } from '../../support/registering.ts';
import { inAnHour, type ShownTask, startTaskWorld, taskOrder } from '../../support/task-calls.ts';
import { workload } from '../../support/world.ts';
import { AGENT, AS, agentByTxn, ORCHESTRATOR, READER, TTS } from '../../support/world-asks.ts';

/** An agent of another team, whose tasks these are not. */
const STRANGER = '/ns/agents/sa/triage-agent';

type Recorded = ControlAnswer & { readonly line: Record<string, unknown> };

let world: Awaited<ReturnType<typeof startTaskWorld>>;

before(async () => {
  world = await startTaskWorld();
});
after(() => world.stop());

const check = (id: string) => world.send(agentByTxn({ claims: { txn: id } })(world));

async function began(id: string, more: Record<string, unknown> = {}, path = AGENT): Promise<ShownTask> {
  const answer = await world.start(path, taskOrder({ id, leaseSeconds: 3600, ...more }));
  assert.equal(answer.status, 201, JSON.stringify(answer.json));
  return answer.json.task as ShownTask;
}

const refused = ({ status, json, line }: Recorded, ...forbids: string[]): void => {
  assert.deepEqual([status, json.code, line.result], [403, 'not_permitted', 'deny'], JSON.stringify(json));
  assert.deepEqual(line.forbids, forbids);
};

test('each action is refused to a caller without the right, beside one who has it', async () => {
  const { key } = await began('each');
  const calls = [
    ['startTask', { method: 'POST', path: '/tasks?dryRun=true', body: taskOrder({ id: 'other' }) }],
    ['task', { path: `/tasks/${key}` }],
    ['heartbeatTask', { method: 'POST', path: `/tasks/${key}/heartbeat` }],
    ['endTask', { method: 'POST', path: `/tasks/${key}/end?dryRun=true`, body: { reason: 'x' } }],
    ['endTask', { method: 'POST', path: `/tasks/${key}/end`, body: { reason: 'x' } }],
  ] as const;
  for (const [name, call] of calls)
    for (const path of [READER, STRANGER]) {
      const answer = await world.by(path, call);
      refused(answer);
      assert.equal(answer.line.call, name);
      assert.deepEqual([answer.json.items, answer.json.task], [undefined, undefined]);
    }
  // They may view tasks, and none of these.
  for (const path of [READER, STRANGER]) assert.deepEqual((await world.by(path, { path: '/tasks' })).json.items, []);
  assert.equal((await check('each')).reason, 'permitted');
  for (const [name, call] of calls) {
    const allowed = await world.by(AGENT, call);
    assert.deepEqual([allowed.status, allowed.line.result, allowed.line.call], [200, 'allow', name]);
  }
  assert.equal((await check('each')).reason, 'task_ended');
});

test('what is not there is refused to a stranger as what is not his', async () => {
  const { key } = await began('there');
  const nobody = Buffer.from(JSON.stringify([TTS, 'not-there'])).toString('base64url');
  for (const one of [key, nobody]) {
    refused(await world.by(STRANGER, { path: `/tasks/${one}` }));
    refused(await world.heartbeat(STRANGER, one));
    refused(await world.end(STRANGER, one));
  }
  assert.equal((await world.task(key)).state, 'active');
});

test('an agent begins tasks for itself alone, for its purposes, as long as it may, of the issuer it may', async () => {
  const hour = 3_600_000;
  const attacks: readonly Record<string, unknown>[] = [
    { workloads: [workload(ORCHESTRATOR)] },
    { workloads: [workload(AGENT), workload(ORCHESTRATOR)] },
    { workloads: [workload(ORCHESTRATOR), workload(AGENT)] },
    { purpose: 'customer-care' },
    { purpose: 'nothing-that-is-listed' },
    { until: new Date(Date.now() + hour + 60_000).toISOString() },
    { issuer: AS },
    { issuer: 'https://nobody.example' },
  ];
  for (const attack of attacks) refused(await world.start(AGENT, taskOrder({ id: 'attack', ...attack })));
  assert.equal((await check('attack')).reason, 'task_unregistered');
  await began('attack');
  assert.equal((await check('attack')).reason, 'permitted');
});

test('nobody takes over the id of another: not for other workloads, not with another budget, not when it is over', async () => {
  const until = inAnHour();
  const { key } = await began('taken', { budgets: { calls: 1 }, until });
  const again = { id: 'taken', leaseSeconds: 3600, budgets: { calls: 1 }, until };
  const attacks = [
    [ORCHESTRATOR, { workloads: [workload(ORCHESTRATOR)] }],
    [ORCHESTRATOR, {}],
    [AGENT, { budgets: { calls: 1000 } }],
    [AGENT, { budgets: undefined }],
    [AGENT, { leaseSeconds: undefined }],
  ] as const;
  for (const [path, attack] of attacks) {
    const answer = await world.start(path, taskOrder({ ...again, ...attack }));
    assert.deepEqual([answer.status, answer.json.code], [409, 'conflict'], JSON.stringify(attack));
  }
  assert.equal((await world.start(AGENT, taskOrder(again))).status, 201);
  assert.deepEqual((await world.task(key)).workloads, [workload(AGENT)]);
  assert.deepEqual((await world.task(key)).budgets, { calls: 1, writes: null, resources: null });
  await world.end(AGENT, key);
  const revived = await world.start(ORCHESTRATOR, taskOrder({ id: 'taken' }));
  assert.deepEqual([revived.status, revived.json.code], [409, 'over']);
  assert.equal((await check('taken')).reason, 'task_ended');
  // The same id of another issuer is another task.
  assert.equal((await world.start(OPERATOR, taskOrder({ id: 'taken', issuer: AS }))).status, 201);
  assert.equal((await check('taken')).reason, 'task_ended');
});

test('nobody begins a task within that of another, whose budget it would use up, whatever policies permit', async () => {
  await began('family', { workloads: [workload(AGENT)] });
  const child = { parent: { issuer: TTS, id: 'family' }, until: new Date(Date.now() + 600_000).toISOString() };
  for (const path of [ORCHESTRATOR, OPERATOR])
    refused(await world.start(path, taskOrder({ id: 'child', ...child })), 'children-only-of-ones-own-tasks');
  assert.equal((await check('child')).reason, 'task_unregistered');
  await began('child', child);
  assert.equal((await check('child')).reason, 'permitted');
});

test('a bearer token begins, extends and ends nothing, whatever its workload may; it views', async () => {
  const { key } = await began('borne');
  const token = world.token(AGENT);
  const borne = { svid: null, token };
  const opening = ['bearers-only-view-and-revoke', 'opening-needs-a-certificate-or-a-person'];
  refused(await world.start(AGENT, taskOrder({ id: 'other' }), borne), ...opening);
  refused(await world.heartbeat(AGENT, key, borne), ...opening);
  refused(await world.end(AGENT, key, borne), 'bearers-only-view-and-revoke');
  assert.equal((await world.by(AGENT, { path: `/tasks/${key}`, ...borne })).status, 200);
  assert.equal((await world.heartbeat(AGENT, key)).status, 200);
});

test('a caller that is revoked begins and extends nothing', async () => {
  const { key } = await began('of-revoked', {}, ORCHESTRATOR);
  const body = { id: 'r-orchestrator', workload: workload(ORCHESTRATOR), until: taskOrder().until, reason: 'tested' };
  assert.equal((await world.by(OPERATOR, { method: 'POST', path: '/revocations', body })).status, 201);
  for (const answer of [
    await world.start(ORCHESTRATOR, taskOrder({ id: 'other' })),
    await world.heartbeat(ORCHESTRATOR, key),
  ])
    assert.deepEqual([answer.status, answer.json.code], [403, 'revoked_workload']);
  const lift = { method: 'POST', path: '/revocations/r-orchestrator/lift', body: { reason: 'over' } };
  assert.equal((await world.by(OPERATOR, lift)).status, 200);
  assert.equal((await world.heartbeat(ORCHESTRATOR, key)).status, 200);
});

test('no page, and no cursor of one, names a task that may not be viewed', async () => {
  for (let n = 0; n < 1100; n++) {
    const hidden = registration({ id: `hidden-${n}`, workloads: [workload(n % 2 ? READER : STRANGER)], by: 'nobody' });
    assert.equal((await world.registry.register(hidden, 1000, Date.now())).result, 'stored');
  }
  await began('seen');
  const found: unknown[] = [];
  let next: string | null = '';
  for (let pages = 0; next !== null; pages++) {
    assert.ok(pages < 10);
    const { json } = await world.by(AGENT, { path: `/tasks?limit=200${next === '' ? '' : `&cursor=${next}`}` });
    found.push(...(json.items as ShownTask[]).map(({ id }) => id));
    next = json.next as string | null;
    const read = (text: string) => Buffer.from(text, 'base64url').toString();
    const said = next === null ? [] : (JSON.parse(read(next)) as string[]);
    for (const text of said) assert.doesNotMatch(`${text} ${read(text)}`, /hidden/);
  }
  assert.ok(found.includes('seen') && !found.some((id) => String(id).startsWith('hidden')));
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OPERATOR } from '../../support/control-world.ts';
import { type ShownTask, startTaskWorld, taskOrder } from '../../support/task-calls.ts';
import { until } from '../../support/until.ts';
import { workload } from '../../support/world.ts';
import { AGENT, AS, agentByTxn, ORCHESTRATOR, READER, TTS } from '../../support/world-asks.ts';

let world: Awaited<ReturnType<typeof startTaskWorld>>;

before(async () => {
  world = await startTaskWorld();
});
after(() => world.stop());

/** The agent's request in the task with this id. */
const check = (id: string) => world.send(agentByTxn({ claims: { txn: id } })(world));
const shown = ({ json }: { readonly json: Record<string, unknown> }) => json.task as ShownTask;
const started = async (id: string, more: Record<string, unknown> = {}, path = AGENT) => {
  const answer = await world.start(path, taskOrder({ id, ...more }));
  assert.equal(answer.status, 201, JSON.stringify(answer.json));
  return shown(answer);
};

test('a task permits from its beginning to its end, and is shown with what it is', async () => {
  assert.equal((await check('whole')).reason, 'task_unregistered');
  const { status, json, line } = await world.start(
    AGENT,
    taskOrder({ id: 'whole', budgets: { calls: 10, writes: 0 } }),
  );
  assert.equal(status, 201);
  assert.deepEqual([json.covers, json.replicas], ['this process', null]);
  const task = json.task as ShownTask;
  const { key, until: ends, started: began, keptUntil, ...rest } = task;
  assert.ok(Date.parse(String(began)) < Date.parse(String(ends)));
  // A token that is issued at the end by a clock 5 s ahead, with the longest lifetime, is accepted for 5 s beyond that.
  assert.equal(Date.parse(String(keptUntil)) - Date.parse(String(ends)), 610_000);
  assert.deepEqual(rest, {
    ...{ issuer: TTS, id: 'whole', purpose: 'reconcile-invoices', owner: 'payments', parent: null, origin: 'memory' },
    ...{ state: 'active', startedBy: workload(AGENT), workloads: [workload(AGENT)], reason: 'invoices of October' },
    ...{ leaseSeconds: null, leaseUntil: null, budgets: { calls: 10, writes: 0, resources: null }, ended: null },
  });
  assert.deepEqual([line.call, line.action, line.result], ['startTask', 'start', 'allow']);
  assert.deepEqual(line.resource, { kind: 'workload', id: workload(AGENT) });
  assert.deepEqual(line.permits, ['agents-start-their-own']);
  assert.equal((line.about as { task: { id: string } }).task.id, 'whole');
  assert.equal((await check('whole')).reason, 'permitted');
  assert.deepEqual((await world.by(AGENT, { path: `/tasks/${key}` })).json, task);

  const ended = await world.end(AGENT, key);
  assert.deepEqual([ended.status, ended.json.hits], [200, { children: 0 }]);
  assert.equal(shown(ended).state, 'ended');
  assert.deepEqual((shown(ended).ended as Record<string, unknown>).by, workload(AGENT));
  assert.equal((await check('whole')).reason, 'task_ended');
  // A line of the audit tells of it before it holds.
  assert.deepEqual((ended.line.resource as Record<string, unknown>).id, 'whole');
  for (const again of [await world.heartbeat(AGENT, key), await world.start(AGENT, taskOrder({ id: 'whole' }))])
    assert.deepEqual([again.status, again.json.code], [409, 'over']);
  assert.equal((await world.end(AGENT, key)).status, 200);
  assert.equal((await check('whole')).reason, 'task_ended');
});

test('a lease lapses by itself, and a heartbeat that comes in time moves it', async () => {
  const kept = await started('kept', { leaseSeconds: 3600 });
  const before = Date.parse(String(kept.leaseUntil));
  assert.ok(before <= Date.parse(String(kept.until)));
  const lapsing = await started('lapsing', { leaseSeconds: 1 });
  assert.equal(lapsing.leaseSeconds, 1);
  await until('the lease to lapse', async () => (await check('lapsing')).reason === 'task_lapsed' || null);
  assert.equal((await world.task(lapsing.key)).state, 'lapsed');
  const late = await world.heartbeat(AGENT, lapsing.key);
  assert.deepEqual([late.status, late.json.code], [409, 'over']);
  assert.match(String(late.json.detail), /lapsed/);
  const beaten = await world.heartbeat(AGENT, kept.key);
  assert.deepEqual([beaten.status, shown(beaten).state], [200, 'active']);
  assert.ok(Date.parse(String(shown(beaten).leaseUntil)) >= before);
  assert.deepEqual(
    [beaten.line.call, beaten.line.action, beaten.line.permits],
    ['heartbeatTask', 'extend', ['those-in-them']],
  );
  assert.equal((await check('kept')).reason, 'permitted');
  // One that needs no lease has none to move.
  const free = await started('free');
  assert.equal(shown(await world.heartbeat(AGENT, free.key)).leaseUntil, null);
});

test('a task ends with the one that it is a part of, and the order says how many do', async () => {
  const family = { workloads: [workload(AGENT), workload(ORCHESTRATOR)] };
  const parent = await started('parent', { ...family, purpose: 'finance' }, ORCHESTRATOR);
  const { until: ends } = parent;
  const child = await started('child', { parent: { issuer: TTS, id: 'parent' }, until: ends });
  assert.deepEqual(child.parent, { issuer: TTS, id: 'parent' });
  const grandchild = await started('grandchild', { parent: { issuer: TTS, id: 'child' }, until: ends });
  assert.equal((await check('grandchild')).reason, 'permitted');
  // What is over does not end with it, nor does what has its id at another issuer end what is below it.
  const gone = await started('gone', { parent: { issuer: TTS, id: 'parent' }, until: ends });
  assert.equal((await world.end(AGENT, gone.key)).status, 200);
  const namesake = await world.start(OPERATOR, taskOrder({ id: 'parent', issuer: AS }));
  assert.deepEqual((await world.end(OPERATOR, shown(namesake).key)).json.hits, { children: 0 });
  const dry = await world.end(ORCHESTRATOR, parent.key, { path: `/tasks/${parent.key}/end?dryRun=true` });
  assert.deepEqual([dry.status, dry.json], [200, { hits: { children: 2 } }]);
  assert.equal((await check('grandchild')).reason, 'permitted');
  const ended = await world.end(ORCHESTRATOR, parent.key);
  assert.deepEqual(ended.json.hits, { children: 2 });
  assert.deepEqual((ended.line.about as Record<string, unknown>).hits, { children: 2 });
  for (const id of ['parent', 'child', 'grandchild']) assert.equal((await check(id)).reason, 'task_ended');
  for (const { key } of [child, grandchild]) assert.equal((await world.task(key)).state, 'ended');
  const late = await world.start(AGENT, taskOrder({ id: 'late', parent: { issuer: TTS, id: 'parent' }, until: ends }));
  assert.deepEqual([late.status, late.json.code], [409, 'over']);
});

test('what is revoked is shown so, and is extended by nobody', async () => {
  const task = await started('stolen', { leaseSeconds: 3600 });
  const revocation = { id: 'r-stolen', task: { issuer: TTS, id: 'stolen' }, until: task.until, reason: 'leaked' };
  const order = { method: 'POST', path: '/revocations', body: revocation } as const;
  assert.deepEqual((await world.by(OPERATOR, order)).json.hits, { workloads: 1, tasks: 1, known: true });
  assert.equal((await check('stolen')).reason, 'revoked_task');
  assert.equal((await world.task(task.key)).state, 'revoked');
  const beaten = await world.heartbeat(AGENT, task.key);
  assert.deepEqual([beaten.status, beaten.json.code, beaten.json.detail], [409, 'over', 'it is revoked']);
  // Nor does somebody begin what is revoked already, and so gets a hold of it.
  const other = { id: 'r-other', task: { issuer: TTS, id: 'not-begun' }, until: task.until, reason: 'leaked' };
  assert.equal((await world.by(OPERATOR, { ...order, body: other })).status, 201);
  const begun = await world.start(AGENT, taskOrder({ id: 'not-begun' }));
  assert.deepEqual([begun.status, begun.json.code], [409, 'over']);
  const lift = { method: 'POST', path: '/revocations/r-stolen/lift', body: { reason: 'found' } } as const;
  assert.equal((await world.by(OPERATOR, lift)).status, 200);
  assert.equal((await world.task(task.key)).state, 'active');
  assert.equal((await world.end(AGENT, task.key)).status, 200);
  assert.equal((await world.by(OPERATOR, { ...order, body: { ...revocation, id: 'r-again' } })).status, 201);
  assert.equal((await world.task(task.key)).state, 'ended');
});

test('the same order is one task, whoever waits for its answer; another one of its name is none', async () => {
  const order = taskOrder({ id: 'same' });
  assert.equal((await world.start(AGENT, order)).status, 201);
  assert.equal((await world.start(AGENT, order)).status, 201);
  const other = await world.start(AGENT, { ...order, budgets: { calls: 1_000_000 } });
  assert.deepEqual([other.status, other.json.code], [409, 'conflict']);
  const failed = world.auditLines().findLast(({ event }) => event === 'control-failed');
  assert.deepEqual([failed?.decision, failed?.reason], [other.json.decision, 'conflict']);
  const headers = { 'idempotency-key': 'once' };
  const body = taskOrder({ id: undefined });
  const answers = await Promise.all(Array.from({ length: 5 }, () => world.start(AGENT, body, { headers })));
  assert.equal(new Set(answers.map(({ json }) => JSON.stringify(json))).size, 1);
  assert.match(String(shown(answers[0]!).id), /^[0-9a-f]{32}$/);
  const reused = await world.start(AGENT, { ...body, reason: 'another' }, { headers });
  assert.deepEqual([reused.status, reused.json.code], [422, 'key_reused']);
  const made = new Set(
    (await Promise.all([1, 2].map(() => world.start(AGENT, body)))).map((answer) => shown(answer).id),
  );
  assert.equal(made.size, 2);
});

test('a list holds what its caller may view, page by page, and what is asked for', async () => {
  await started('mine-1');
  await started('mine-2', { purpose: 'finance' });
  const both = { workloads: [workload(ORCHESTRATOR), workload(AGENT)] };
  await started('ours', both, ORCHESTRATOR);
  await started('theirs', { workloads: [workload(ORCHESTRATOR)] }, ORCHESTRATOR);
  const ids = async (path: string, query: string) => (await world.tasks(path, query)).map(({ id }) => id).toSorted();
  const all = await ids(OPERATOR, '?limit=200');
  const ofAgent = await ids(AGENT, '?limit=200');
  assert.ok(all.includes('theirs') && !ofAgent.includes('theirs') && ofAgent.includes('ours'));
  assert.deepEqual(await ids(ORCHESTRATOR, '?limit=200&state=active'), ['ours', 'theirs']);
  assert.deepEqual(await ids(OPERATOR, `?limit=200&workload=${workload(ORCHESTRATOR)}&state=active`), [
    'ours',
    'theirs',
  ]);
  assert.deepEqual(await ids(AGENT, '?limit=200&purpose=finance&state=active'), ['mine-2']);
  assert.ok((await ids(AGENT, '?limit=200&state=lapsed')).includes('lapsing'));
  const found: unknown[] = [];
  let cursor = '';
  do {
    const { json } = await world.by(AGENT, { path: `/tasks?limit=2${cursor}` });
    found.push(...(json.items as ShownTask[]).map(({ id }) => id));
    cursor = json.next === null ? '' : `&cursor=${json.next}`;
  } while (cursor !== '');
  assert.deepEqual(found.toSorted(), ofAgent);
  const stranger = await world.by(READER, { path: '/tasks' });
  assert.deepEqual([stranger.status, stranger.json.items], [200, []]);
});

test('a dry run says that it could begin, and begins nothing', async () => {
  const dry = { path: '/tasks?dryRun=true' };
  const { status, json, line } = await world.start(AGENT, taskOrder({ id: 'dry' }), dry);
  assert.deepEqual([status, Object.keys(json)], [200, ['summary']]);
  assert.equal((line.about as Record<string, unknown>).dryRun, true);
  assert.equal((await check('dry')).reason, 'task_unregistered');
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AuditRecord } from '../../src/observe/record.ts';
import { good, storedActivity } from '../support/activity.ts';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { sidecarState, storeOptions } from '../support/redis-states.ts';
import { until } from '../support/until.ts';
import { type Answer, World, workload } from '../support/world.ts';
import { AGENT, agentByTxn, LEDGER, ledgerReads, ORCHESTRATOR } from '../support/world-asks.ts';

const skip = noRedis;

/** Two sidecars with one store, and what reads it. */
async function fleet(t: TestContext) {
  const redis = await Redis.of(t);
  const start = async () => {
    const world = await World.start({
      edit: (config) => {
        const state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' };
        Object.assign(config, { state, limits: { ...config.limits, drainDelay: '0s' } });
      },
    });
    t.after(() => world.stop());
    return world;
  };
  const worlds = [await start(), await start()] as const;
  const { state } = await sidecarState(t, storeOptions(redis, { namespace: 'default' }));
  return { redis, worlds, activity: storedActivity(t, state).activity };
}

/** What the audit has of an answer. */
const recorded = ({ line }: Answer) => JSON.parse(line) as AuditRecord;

/** The agent without its task is denied by policy. */
const denied = (world: World) => world.send({ ...agentByTxn()(world), headers: {} });

test('a denial at any sidecar is listed, and an allow, and when whom was seen by what in which task', {
  skip,
}, async (t) => {
  const { worlds, activity } = await fleet(t);
  const [one, other] = worlds;
  const began = Date.now();
  const first = await denied(one);
  assert.notEqual(first.reason, 'permitted');
  const stranger = await other.send({ svid: null, path: '/api/invoices/42?key=a-secret' });
  const permitted = await other.send(agentByTxn()(other));
  assert.equal(permitted.reason, 'permitted');
  const listed = await until('the decisions', async () => {
    const { items } = good(await activity.decisions({}, 10, null));
    return items.length === 3 ? items : null;
  });
  const of = (decision: string) => listed.find((item) => item.decision === decision)!;
  const audited = recorded(first);
  const { timeMs, sidecar, ...denial } = of(first.decision);
  assert.ok(timeMs >= began && timeMs <= Date.now());
  assert.notEqual(sidecar, '');
  assert.deepEqual(denial, {
    decision: first.decision,
    result: 'deny',
    reason: first.reason,
    caller: workload(AGENT),
    owner: audited.caller?.owner,
    task: null,
    action: 'GET',
    resource: { id: audited.resource?.id, api: audited.resource?.api },
    host: 'payments.internal',
    credential: 'x509-svid',
    omitted: 0,
  });
  const { caller, reason, host } = of(stranger.decision);
  assert.deepEqual({ caller, reason, host }, { caller: null, reason: stranger.reason, host: 'payments.internal' });
  assert.ok(!JSON.stringify(listed).includes('a-secret'));
  const { task } = recorded(permitted);
  const allow = of(permitted.decision);
  assert.deepEqual([allow.result, allow.reason], ['allow', 'permitted']);
  assert.deepEqual(allow.task, { issuer: task?.issuer, id: task?.id, purpose: task?.purpose });
  const uses = await until('the last use', async () => {
    const all = good(await activity.allLastUses(10, null)).items;
    return all.some(({ tasks }) => tasks.length > 0) ? all : null;
  });
  assert.deepEqual(
    uses.map(({ workload: name, owner, credentials, tasks }) => [name, owner, credentials, tasks.map(({ id }) => id)]),
    [[workload(AGENT), audited.caller?.owner, ['x509-svid'], [task?.id]]],
  );
});

test('a flood by one caller pushes out the denials of nobody else, and says how much of it is left out', {
  skip,
}, async (t) => {
  const { worlds, activity } = await fleet(t);
  const [world] = worlds;
  const quiet = await world.send({ svid: world.svid(ORCHESTRATOR), path: '/api/invoices/42' });
  assert.notEqual(quiet.reason, 'permitted');
  for (let n = 0; n < 130; n++) await denied(world);
  await until('the flood', async () => {
    const flood = good(await activity.decisions({ workload: workload(AGENT) }, 500, null)).items;
    return flood.length >= 100 ? flood : null;
  });
  const metrics = await world.status('/metrics');
  const omitted = Number(/^authz_activity_omitted_total (\d+)$/m.exec(metrics)?.[1]);
  const flood = good(await activity.decisions({ workload: workload(AGENT) }, 500, null)).items;
  const reported = flood.reduce((sum, item) => sum + item.omitted, 0);
  assert.ok(flood.length + omitted === 130 && flood.length <= 103 && reported <= omitted, `${flood.length} ${omitted}`);
  const { items } = good(await activity.decisions({ workload: workload(ORCHESTRATOR) }, 10, null));
  assert.deepEqual(
    items.map(({ decision }) => decision),
    [quiet.decision],
  );
});

test('while the store is stopped, checks that claim nothing are answered, and listed when it goes on', {
  skip,
}, async (t) => {
  const { redis, worlds, activity } = await fleet(t);
  const [world] = worlds;
  assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
  redis.signal('SIGSTOP');
  // Whoever waited for the store would wait in vain.
  for (let n = 0; n < 30; n++) {
    assert.equal((await world.send(ledgerReads()(world))).reason, 'permitted');
    assert.notEqual((await denied(world)).reason, 'permitted');
  }
  redis.signal('SIGCONT');
  const last = await denied(world);
  await until('the denial after it', async () => {
    const page = await activity.decisions({ workload: workload(AGENT) }, 1, null);
    return good(page).items[0]?.decision === last.decision ? true : null;
  });
  const uses = await until('the last use', async () => good(await activity.allLastUses(10, null)).items[0]);
  assert.ok([workload(AGENT), workload(LEDGER)].includes(uses.workload));
  assert.match(await world.status('/metrics'), /^authz_activity_waiting_limit 2000$/m);
});

test('without a store the control API lists what this process decided and whom it saw', async (t) => {
  const world = await startControlWorld({ policies: ALL_TO_OPERATOR });
  t.after(() => world.stop());
  const refused = await world.send({ ...agentByTxn()(world), headers: {} });
  const permitted = await world.send(agentByTxn()(world));
  assert.deepEqual([refused.wire.denied === null, permitted.reason], [false, 'permitted']);
  const token = world.token(OPERATOR);
  const { status, json } = await world.ask({ path: '/decisions?limit=10', token });
  const { items, covers, next } = json as { items: { decision: string; reason: string }[]; covers: string; next: null };
  assert.deepEqual([status, covers, next], [200, 'this process', null]);
  assert.deepEqual(
    items.map(({ decision, reason }) => [decision, reason]),
    [permitted, refused].map(({ decision, reason }) => [decision, reason]),
  );
  const seen = await world.ask({ path: '/workloads?limit=200', token });
  const workloads = seen.json.items as { id: string; lastUse: string | null; tasks: { id: string }[] }[];
  const agent = workloads.find(({ id }) => id === workload(AGENT));
  assert.ok(agent?.lastUse);
  assert.deepEqual(
    agent.tasks.map(({ id }) => id),
    [recorded(permitted).task?.id],
  );
  assert.match(await world.status('/metrics'), /^authz_cache_entries\{cache="denials"\} 1$/m);
});

test('without a store and a control port nothing is kept', async (t) => {
  const world = await World.start();
  t.after(() => world.stop());
  await denied(world);
  const metrics = await world.status('/metrics');
  for (const cache of ['denials', 'allows', 'workloads'])
    assert.match(metrics, new RegExp(`^authz_cache_entries\\{cache="${cache}"\\} 0$`, 'm'));
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../../test/support/redis.ts';
import { sidecarState, storeOptions } from '../../test/support/redis-states.ts';
import { begun } from '../../test/support/registering.ts';
import { until } from '../../test/support/until.ts';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import type { Target } from '../inventory/model.ts';
import type { History } from '../state/model.ts';
import { redeem } from '../state/redemption.ts';
import type { RedisState } from '../state/redis/store.ts';
import { ProcessRegistry } from '../state/tasks/process-registry.ts';
import type { RegisteredTask, Registration, TaskLookup } from '../state/tasks/registry.ts';
import type { Task } from '../task/model.ts';
import { budgetsOf } from './budgets.ts';

const skip = noRedis;
const issuer = 'https://tts.prod.example';
const backing = (id: string) => ({ backing: [{ issuer, id } as Task] });
const target = { resource: { apis: [], host: { name: 'h' } }, effect: 'read' } as unknown as Target;
const TEN = { calls: 10, writes: null, resources: null };
const START: History = { id: '', sinceMs: 0 };

/** A sidecar with a registry, whose budgets are counted in a store. */
async function counting(t: TestContext, redis: Redis) {
  const registry = new ProcessRegistry({ perWorkload: 1000, all: 1000 });
  const { state } = await sidecarState(t, storeOptions(redis));
  let calls = 0;
  const call = async (id: string, on: RedisState = state): Promise<string> => {
    const source = { current: () => registry.lookup, history: () => on.history() };
    const counted = budgetsOf(source, backing(id), target, Date.now());
    if (counted instanceof Refusal) return counted.reason;
    const use = { requestId: `${calls++}`, caller: 'a', checkPeer: null, digest: '', judgedBy: '' };
    const given = await redeem(on, counted, { ...use, deadline: Date.now() + 5000 }, Date.now());
    return given instanceof Refusal ? given.reason : 'permitted';
  };
  // By a clock that is right, what begins so late began certainly in the history that there is.
  const begin = (id: string) =>
    begun(
      registry,
      { issuer, id, budgets: TEN, endsAtMs: Date.now() + 60_000 },
      Math.max(Date.now(), state.history().sinceMs),
    );
  const later = (before: History) =>
    until('a new history', () =>
      state.status().fault === null && state.history().id !== before.id ? state.history() : null,
    );
  return { state, call, begin, later };
}

for (const [what, fault] of [
  ['FLUSHALL', (redis: Redis) => redis.admin('FLUSHALL')],
  ['SWAPDB', (redis: Redis) => redis.admin('SWAPDB', '0', '1')],
  [
    'a restart without a file',
    async (redis: Redis) => {
      await redis.kill();
      await redis.start();
    },
  ],
] as const) {
  test(`after ${what} a task that began before has no budget left, and a new one has`, { skip }, async (t) => {
    const redis = await Redis.of(t);
    const { state, call, begin, later } = await counting(t, redis);
    await begin('old');
    assert.equal(await call('old'), 'permitted');
    const before = state.history();
    await fault(redis);
    assert.notEqual(await call('old'), 'permitted');
    await later(before);
    for (let n = 0; n < 3; n++) assert.equal(await call('old'), 'task_budget_spent');
    await begin('new');
    assert.equal(await call('new'), 'permitted');
  });
}

test('after a failover to a replica that lacks the last calls nothing is left of a budget', { skip }, async (t) => {
  const primary = await Redis.of(t);
  const replica = await Redis.of(t, { config: [`replicaof 127.0.0.1 ${primary.port}`] });
  await until('replication', async () =>
    (await replica.admin('INFO', 'replication')).includes('master_link_status:up') ? true : null,
  );
  const { call, begin } = await counting(t, primary);
  await begin('old');
  assert.equal(await call('old'), 'permitted');
  await until('the count', async () => ((await replica.admin('KEYS', 'authz:{test}:count:*')) === '' ? null : true));
  replica.signal('SIGSTOP');
  assert.equal(await call('old'), 'permitted');
  await primary.kill();
  replica.signal('SIGCONT');
  await replica.admin('REPLICAOF', 'NO', 'ONE');
  const { state: there } = await sidecarState(t, storeOptions(replica));
  assert.equal(await call('old', there), 'task_budget_spent');
});

test('what a caller writes into a path is no resource, and what is registered without budgets counts nothing', async () => {
  const registry = new ProcessRegistry({ perWorkload: 10, all: 10 });
  await begun(registry, { issuer, id: 'free' });
  await begun(registry, { issuer, id: 'limited', budgets: { calls: null, writes: 4, resources: 3 } });
  const source = { current: () => registry.lookup, history: () => START };
  const of = (id: string, effect: 'read' | 'write', apis: readonly string[] = []) => {
    const asked = { resource: { ...target.resource, apis, path: `/${Math.random()}` }, effect } as unknown as Target;
    const counted = budgetsOf(source, backing(id), asked, Date.now());
    assert.ok(!(counted instanceof Refusal));
    return counted.map(({ count }) => count);
  };
  assert.deepEqual(of('free', 'write'), []);
  assert.deepEqual(of('unknown', 'write'), []);
  const [read] = of('limited', 'read');
  assert.equal(read?.limit, 3);
  assert.match(read?.member ?? '', /^[\w-]{43}$/);
  assert.deepEqual(of('limited', 'read'), [read]);
  assert.deepEqual(of('limited', 'write'), [{ limit: 4, member: null }, read]);
  const nested = of('limited', 'read', ['h/outer', 'h/inner']);
  assert.deepEqual(nested, of('limited', 'read', ['h/inner']));
  assert.notDeepEqual(nested, of('limited', 'read', ['h/outer']));
  assert.notDeepEqual(nested, [read]);
});

test('each task has counts of its own: of another issuer, of another time, and of each kind', async () => {
  const budgets = { calls: 1, writes: 1, resources: 1 };
  const keysOf = (over: Partial<RegisteredTask>): readonly string[] => {
    const task = { issuer, id: 'a', parent: null, budgets, registeredAtMs: 1, endsAtMs: 2, ...over } as RegisteredTask;
    const current = () => ({ size: 1, find: () => task, stateOf: () => 'active' as const });
    const write: Target = { ...target, effect: 'write' };
    const counted = budgetsOf({ current, history: () => START }, backing('a'), write, 0);
    return counted instanceof Refusal ? [] : counted.map(({ key }) => key);
  };
  const others = [{}, { issuer: 'https://other.example' }, { id: 'b' }, { registeredAtMs: 3 }];
  const keys = others.flatMap(keysOf);
  assert.equal(new Set(keys).size, 12);
  assert.deepEqual(keysOf({}), keys.slice(0, 3));
});

test('two tokens of one task, or of two below the same, count once', async () => {
  const registry = new ProcessRegistry({ perWorkload: 10, all: 10 });
  await begun(registry, { issuer, id: 'above', budgets: TEN });
  const parent = { issuer, id: 'above' };
  for (const id of ['one', 'two']) await begun(registry, { issuer, id, parent, budgets: TEN });
  const source = { current: () => registry.lookup, history: () => START };
  const counted = (...ids: readonly string[]) =>
    (budgetsOf(source, { backing: ids.flatMap((id) => backing(id).backing) }, target, Date.now()) as readonly unknown[])
      .length;
  assert.deepEqual([counted('above'), counted('above', 'above'), counted('one'), counted('one', 'two')], [1, 1, 2, 3]);
});

test('while nobody knows the tasks, or one above is not known, or there are too many, nothing is permitted', () => {
  const make = (id: string, above: string | null): RegisteredTask =>
    ({
      issuer,
      id,
      parent: above === null ? null : { issuer, id: above },
      budgets: TEN,
      registeredAtMs: 1,
    }) as RegisteredTask & Registration;
  const over = (lookup: Partial<TaskLookup> | Fault) =>
    budgetsOf({ current: () => lookup as TaskLookup | Fault, history: () => START }, backing('a'), target, 0);
  const reason = (result: ReturnType<typeof over>) => (result instanceof Refusal ? result.reason : result.length);
  assert.equal(reason(over(new Fault('stale'))), 'state_unavailable');
  const stale = { current: () => new Fault('stale'), history: () => START };
  assert.deepEqual(budgetsOf(stale, { backing: [] }, target, 0), []);
  assert.equal(reason(over({ size: 1, find: (_, id) => (id === 'a' ? make('a', 'b') : null) })), 'task_ended');
  assert.equal(reason(over({ size: 9, find: (_, id) => make(id, id.length < 9 ? `${id}a` : null) })), 9);
  assert.equal(reason(over({ size: 9, find: (_, id) => make(id, id.length < 10 ? `${id}a` : null) })), 'task_ended');
  assert.equal(reason(over({ size: 1, find: (_, id) => make(id, id) })), 'task_ended');
});

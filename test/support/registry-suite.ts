import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Registration, TaskKey, TaskLimits, TaskRegistry, TaskState } from '../../src/state/tasks/registry.ts';
import { begun, KEPT_MS, MANAGER, registration } from './registering.ts';
import { until } from './until.ts';

const MINUTE_MS = 60_000;

/** Registries that share what began, as sidecars of one fleet do; of a memory there is only one. */
type Registries = readonly [TaskRegistry, ...TaskRegistry[]];

interface RegistrySuite {
  readonly name: string;
  readonly covers: 'this process' | 'store';
  readonly skip?: string | false;
  readonly make: (t: TestContext, limits: TaskLimits) => Promise<Registries>;
  /** Has so many milliseconds passed by the clock that nobody sets, where the registries have one. */
  readonly pass?: (ms: number) => void;
}

const LIMITS: TaskLimits = { perWorkload: 1000, all: 10_000 };
const order = (id: string, over: Partial<Registration> = {}) => registration({ id, ...over });
const keyOf = (id: string): TaskKey => ({ issuer: registration().issuer, id });

/** What one registry says of a task at this moment. */
function stateIn({ lookup }: TaskRegistry, id: string, nowMs = Date.now()): TaskState | null {
  const { issuer } = keyOf(id);
  const task = lookup.find(issuer, id);
  return task === null ? null : lookup.stateOf(task, nowMs);
}

/** Waits until all of them say so. */
const everywhere = async (registries: Registries, id: string, state: TaskState | null): Promise<void> => {
  for (const registry of registries)
    await until(`${id} is ${state}`, () => (stateIn(registry, id) === state ? true : null));
};

/** The tests that every registry passes. */
export function registrySuite({ name, covers, skip = false, make, pass = () => {} }: RegistrySuite): void {
  const check = (
    what: string,
    run: (first: TaskRegistry, other: TaskRegistry, all: Registries) => Promise<void>,
    limits = LIMITS,
  ) =>
    test(`${name}: ${what}`, { skip }, async (t) => {
      const registries = await make(t, limits);
      await run(registries[0], registries.at(-1)!, registries);
    });

  check(
    'a task that was begun is active with all that was said of it, and another one is unknown',
    async (first, _, all) => {
      const now = Date.now();
      const asked = order('t-1', { leaseMs: MINUTE_MS, budgets: { calls: 5, writes: 1, resources: null } });
      const result = await first.register(asked, KEPT_MS, now);
      assert.ok(result.result === 'stored' && result.covers === covers && result.atMs === now, JSON.stringify(result));
      await everywhere(all, 't-1', 'active');
      for (const { lookup } of all) {
        const { origin: _origin, ...task } = lookup.find(asked.issuer, 't-1')!;
        const times = { registeredAtMs: now, leaseUntilMs: now + MINUTE_MS, keptMs: KEPT_MS };
        assert.deepEqual(task, { ...asked, ...times, ended: null, keptUntilMs: now + MINUTE_MS + KEPT_MS });
        assert.equal(lookup.find('https://other.example', 't-1'), null);
        assert.equal(lookup.find(asked.issuer, 't-2'), null);
      }
    },
  );

  check('the same order again is the same task; another one under its id is a conflict', async (first, other, all) => {
    const asked = order('t-1');
    await begun(first, asked);
    await everywhere(all, 't-1', 'active');
    const again = await other.register(asked, KEPT_MS, Date.now());
    assert.equal(again.result, 'unchanged');
    const changes: Partial<Registration>[] = [
      { workloads: ['spiffe://prod.example/ns/other/sa/thief'] },
      { workloads: [...asked.workloads, 'spiffe://prod.example/ns/other/sa/thief'] },
      { purpose: 'finance' },
      { owner: null },
      { endsAtMs: asked.endsAtMs + 1 },
      { leaseMs: MINUTE_MS },
      { budgets: { ...asked.budgets, calls: 5 } },
      { budgets: { ...asked.budgets, writes: 5 } },
      { budgets: { ...asked.budgets, resources: 5 } },
      { by: 'spiffe://prod.example/ns/other/sa/thief' },
    ];
    for (const change of changes) {
      const result = await other.register({ ...asked, ...change }, KEPT_MS, Date.now());
      assert.equal(result.result, 'conflict', JSON.stringify(change));
    }
    for (const { lookup } of all) assert.deepEqual(lookup.find(asked.issuer, 't-1')?.workloads, asked.workloads);
  });

  check('an ended task stays ended: it is not begun again, and lives by no heartbeat', async (first, other, all) => {
    const asked = order('t-1', { leaseMs: MINUTE_MS });
    await begun(first, asked);
    await everywhere(all, 't-1', 'active');
    assert.equal((await other.end(keyOf('t-1'), MANAGER, 'done', Date.now())).result, 'stored');
    await everywhere(all, 't-1', 'ended');
    for (const registry of all) {
      const now = Date.now();
      assert.deepEqual(await registry.register(asked, KEPT_MS, now), { result: 'over', state: 'ended' });
      assert.deepEqual(await registry.register({ ...asked, purpose: 'finance' }, KEPT_MS, now), {
        result: 'over',
        state: 'ended',
      });
      assert.deepEqual(await registry.heartbeat(keyOf('t-1'), MANAGER, now), { result: 'over', state: 'ended' });
      assert.equal((await registry.end(keyOf('t-1'), 'another', 'again', now)).result, 'unchanged');
      assert.equal(stateIn(registry, 't-1'), 'ended');
      assert.equal(registry.lookup.find(asked.issuer, 't-1')?.ended?.by, MANAGER);
    }
  });

  check('a lapsed task stays lapsed: it is not begun again, and lives by no heartbeat', async (first, other, all) => {
    const past = Date.now() - 2 * MINUTE_MS;
    const asked = order('t-1', { leaseMs: MINUTE_MS });
    await begun(first, asked, past);
    await begun(first, { ...asked, id: 't-2' });
    await everywhere(all, 't-1', 'lapsed');
    await everywhere(all, 't-2', 'active');
    for (const registry of [first, other]) {
      const over = { result: 'over', state: 'lapsed' };
      assert.deepEqual(await registry.heartbeat(keyOf('t-1'), MANAGER, Date.now()), over);
      assert.deepEqual(await registry.register(asked, KEPT_MS, Date.now()), over);
      assert.equal(stateIn(registry, 't-1'), 'lapsed');
    }
  });

  check('a heartbeat moves the end of the lease, by no more than the task lives', async (first, other, all) => {
    const past = Date.now() - MINUTE_MS;
    const ends = Date.now() + MINUTE_MS;
    await begun(first, order('t-1', { leaseMs: 90_000, endsAtMs: ends + MINUTE_MS }), past);
    await begun(first, order('t-2', { leaseMs: 90_000, endsAtMs: ends }), past);
    await everywhere(all, 't-2', 'active');
    const now = Date.now();
    const moved = await other.heartbeat(keyOf('t-1'), MANAGER, now);
    assert.ok(moved.result === 'stored' && moved.task.leaseUntilMs === now + 90_000, JSON.stringify(moved));
    const bounded = await other.heartbeat(keyOf('t-2'), MANAGER, now);
    assert.ok(bounded.result === 'stored' && bounded.task.leaseUntilMs === ends, JSON.stringify(bounded));
    for (const { lookup } of all)
      await until('the lease is known', () =>
        lookup.find(keyOf('t-1').issuer, 't-1')?.leaseUntilMs === now + 90_000 ? true : null,
      );
    const soon = await first.heartbeat(keyOf('t-1'), MANAGER, now + 1000);
    assert.ok(soon.result === 'unchanged' && soon.task.leaseUntilMs === now + 90_000, JSON.stringify(soon));
  });

  check('a task without a lease needs no heartbeat, and gets none', async (first) => {
    await begun(first, order('t-1'));
    const beat = await first.heartbeat(keyOf('t-1'), MANAGER, Date.now());
    assert.ok(beat.result === 'unchanged' && beat.task.leaseUntilMs === null, JSON.stringify(beat));
    assert.equal(stateIn(first, 't-1'), 'active');
  });

  check('what is unknown cannot be ended or kept alive', async (first) => {
    assert.deepEqual(await first.heartbeat(keyOf('t-1'), MANAGER, Date.now()), { result: 'unknown' });
    assert.deepEqual(await first.end(keyOf('t-1'), MANAGER, 'x', Date.now()), { result: 'unknown' });
    await begun(first, order('t-1'));
    const elsewhere = { issuer: 'https://other.example', id: 't-1' };
    assert.deepEqual(await first.end(elsewhere, MANAGER, 'x', Date.now()), { result: 'unknown' });
    assert.equal(stateIn(first, 't-1'), 'active');
  });

  check('a child ends with its parent, whatever it was registered for', async (first, other, all) => {
    const parent = order('t-1');
    await begun(first, parent);
    await begun(first, order('t-2', { parent: keyOf('t-1'), endsAtMs: parent.endsAtMs + MINUTE_MS }));
    await begun(first, order('t-3', { parent: keyOf('t-2') }));
    await begun(first, order('t-4'));
    await everywhere(all, 't-3', 'active');
    await everywhere(all, 't-4', 'active');
    await other.end(keyOf('t-3'), MANAGER, 'done', Date.now());
    await everywhere(all, 't-3', 'ended');
    await everywhere(all, 't-2', 'active');
    for (const { lookup } of all) assert.equal(lookup.find(parent.issuer, 't-2')?.endsAtMs, parent.endsAtMs);
    await other.end(keyOf('t-1'), MANAGER, 'done', Date.now());
    for (const id of ['t-1', 't-2', 't-3']) await everywhere(all, id, 'ended');
    await everywhere(all, 't-4', 'active');
    assert.deepEqual(await first.heartbeat(keyOf('t-3'), MANAGER, Date.now()), { result: 'over', state: 'ended' });
    const more = await first.register(order('t-5', { parent: keyOf('t-3') }), KEPT_MS, Date.now());
    assert.equal(more.result, 'conflict');
  });

  check('a parent is a task that is active, and no cycle and no long line can be made', async (first) => {
    const unknown = await first.register(order('t-1', { parent: keyOf('t-0') }), KEPT_MS, Date.now());
    assert.equal(unknown.result, 'conflict');
    const own = await first.register(order('t-1', { parent: keyOf('t-1') }), KEPT_MS, Date.now());
    assert.equal(own.result, 'conflict');
    await begun(first, order('t-0'));
    for (let depth = 1; depth <= 8; depth++)
      await begun(first, order(`t-${depth}`, { parent: keyOf(`t-${depth - 1}`) }));
    assert.equal(stateIn(first, 't-8'), 'active');
    const deep = await first.register(order('t-9', { parent: keyOf('t-8') }), KEPT_MS, Date.now());
    assert.equal(deep.result, 'conflict');
    const closed = await first.register(order('t-0', { parent: keyOf('t-8') }), KEPT_MS, Date.now());
    assert.equal(closed.result, 'conflict');
  });

  check(
    'the id of a task is free once no token of it can be accepted, and a child of old stays ended',
    async (first, other, all) => {
      const past = Date.now() - MINUTE_MS;
      const kept = 5000;
      const asked = order('t-1', { leaseMs: MINUTE_MS });
      assert.equal((await first.register(asked, kept, past)).result, 'stored');
      assert.equal((await first.register(order('t-2'), kept, past)).result, 'stored');
      await everywhere(all, 't-1', 'lapsed');
      const child = { ...order('t-3', { parent: keyOf('t-4') }) };
      assert.equal((await first.register(order('t-4', { leaseMs: MINUTE_MS }), kept, past - 1)).result, 'stored');
      assert.equal((await first.register(child, kept, past - 1)).result, 'stored');
      pass(MINUTE_MS);
      await everywhere(all, 't-3', 'lapsed');
      assert.equal((await other.register(order('t-1'), kept, past + MINUTE_MS + 1000)).result, 'over');
      for (const id of ['t-1', 't-4'])
        await until(`${id} is free`, async () =>
          (await other.register(order(id), KEPT_MS, Date.now())).result === 'stored' ? true : null,
        );
      await everywhere(all, 't-1', 'active');
      await everywhere(all, 't-4', 'active');
      await everywhere(all, 't-3', 'ended');
    },
  );

  check('a task that has ended before it begins does not begin', async (first) => {
    const late = await first.register(order('t-1', { endsAtMs: Date.now() - 1 }), KEPT_MS, Date.now());
    assert.deepEqual(late, { result: 'over', state: 'ended' });
    assert.equal(stateIn(first, 't-1'), null);
  });

  check(
    'a workload has so many tasks, with those that are over, and the others are not kept from theirs',
    async (first, _, all) => {
      const early = Date.now() - MINUTE_MS / 2;
      await begun(first, order('t-0', { leaseMs: MINUTE_MS }), early);
      assert.equal((await first.heartbeat(keyOf('t-0'), MANAGER, Date.now())).result, 'stored');
      const flood = await Promise.all(
        Array.from({ length: 19 }, (__, at) => first.register(order(`t-${at + 1}`), KEPT_MS, Date.now())),
      );
      assert.equal(flood.filter(({ result }) => result === 'stored').length, 4);
      assert.equal(flood.filter(({ result }) => result === 'full').length, 15);
      await everywhere(all, 't-0', 'active');
      await first.end(keyOf('t-0'), MANAGER, 'x', Date.now());
      assert.equal((await first.register(order('t-20'), KEPT_MS, Date.now())).result, 'full');
      const both = ['spiffe://prod.example/ns/other/sa/one', ...registration().workloads];
      assert.equal((await first.register(order('t-21', { workloads: both }), KEPT_MS, Date.now())).result, 'full');
      await begun(first, order('t-22', { workloads: both.slice(0, 1) }));
    },
    { perWorkload: 5, all: 1000 },
  );

  check(
    'the tasks of long texts are fewer',
    async (first) => {
      const long = order('t-1', { reason: 'x'.repeat(10_000) });
      await begun(first, long);
      assert.equal((await first.register({ ...long, id: 't-2' }, KEPT_MS, Date.now())).result, 'full');
      await begun(first, order('t-3'));
    },
    { perWorkload: 8, all: 8 },
  );

  check(
    'there are so many tasks in all',
    async (first) => {
      const by = (at: number) => [`spiffe://prod.example/ns/other/sa/w-${at}`];
      for (let at = 0; at < 5; at++) await begun(first, order(`t-${at}`, { workloads: by(at) }));
      assert.equal((await first.register(order('t-5'), KEPT_MS, Date.now())).result, 'full');
    },
    { perWorkload: 5, all: 5 },
  );
}

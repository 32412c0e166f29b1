import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { loaded } from '../../test/support/policy.ts';
import { noRedis, Redis } from '../../test/support/redis.ts';
import { sidecarState, storeOptions } from '../../test/support/redis-states.ts';
import { begun } from '../../test/support/registering.ts';
import { boundarySnapshot, guardrailsInventory, HOUR_MS, TouchingSidecar } from '../../test/support/touching.ts';
import { until } from '../../test/support/until.ts';
import { Fault } from '../base/fault.ts';
import { apiDigest, type Touch } from '../state/bounded/touched.ts';
import { MemoryState } from '../state/memory.ts';
import type { Claim, ClaimResult, State, Use } from '../state/model.ts';
import { ProcessRegistry } from '../state/tasks/process-registry.ts';
import type { TaskLookup } from '../state/tasks/registry.ts';
import { keyOfAccount } from './accounts.ts';
import type { TouchedSource } from './touched.ts';

const snapshot = boundarySnapshot();
const issuer = 'https://tts.prod.example';
const write = 'POST outside/x';

/** Two sidecars with one memory of what was used, as if it were a store. The second one has a registry of tasks of the first. */
function pair(more: Partial<TouchedSource> = {}, judges = snapshot) {
  const registry = new ProcessRegistry({ perWorkload: 1000, all: 1000 });
  const state = new MemoryState({ maxEntries: 1000, startedAtMs: 0 });
  const source = { tasks: () => registry.lookup, ...more };
  return {
    registry,
    state,
    one: new TouchingSidecar(state, judges, source),
    two: new TouchingSidecar(state, judges, source),
  };
}

test('what opened confidential data writes nothing to the outside, and what opened internal data does', async () => {
  const { one, two } = pair();
  assert.equal(await one.ask({ chain: ['service'], request: write }), 'permitted');
  assert.equal(await one.ask({ chain: ['service'], request: 'GET internal/x' }), 'permitted');
  assert.equal(await two.ask({ chain: ['service'], request: write }), 'permitted');
  assert.equal(await one.ask({ chain: ['service'], request: 'GET confidential/x' }), 'permitted');
  for (const sidecar of [one, two])
    assert.equal(await sidecar.ask({ chain: ['service'], request: write }), 'approval_required');
  assert.equal(await two.ask({ chain: ['job'], request: write }), 'permitted', 'another workload');
  assert.deepEqual(two.trail.found.touched?.facts.chain, { sensitivity: 0, apis: new Set() });
});

test('what was refused opens nothing', async () => {
  const { one, two } = pair(
    {},
    boundarySnapshot('@id("no") forbid (principal, action, resource in Mesh::Host::"restricted");'),
  );
  assert.equal(await one.ask({ chain: ['service'], request: 'GET restricted/x' }), 'policy_forbidden');
  assert.equal(await two.ask({ chain: ['service'], request: write }), 'permitted');
});

for (const [what, reads, writes] of [
  ['a new task', { chain: ['agent'], task: { id: 'a' } }, { chain: ['agent'], task: { id: 'b' } }],
  ['no task', { chain: ['agent'], task: { id: 'a' } }, { chain: ['agent'] }],
  [
    'a task of another issuer',
    { chain: ['agent'], task: { id: 'a' } },
    { chain: ['agent'], task: { id: 'a', issuer: 'https://other' } },
  ],
  [
    'another that it hands its task on to',
    { chain: ['agent'], task: { id: 'a' } },
    { chain: ['agent', 'job'], task: { id: 'b' } },
  ],
  [
    'the same task in the hands of another',
    { chain: ['agent'], task: { id: 'a' } },
    { chain: ['job'], task: { id: 'a' } },
  ],
  [
    'an exchanged token',
    { chain: ['service', 'agent'], task: { id: 'a' } },
    { chain: ['service', 'job'], task: { id: 'a' } },
  ],
  ['who was in the chain', { chain: ['service', 'agent'], task: { id: 'a' } }, { chain: ['service'] }],
] as const) {
  test(`${what} washes nothing off`, async () => {
    const { one, two } = pair();
    assert.equal(await two.ask({ ...writes, request: write }), 'permitted', 'before');
    assert.equal(await one.ask({ ...reads, request: 'GET confidential/x' }), 'permitted');
    assert.equal(await two.ask({ ...writes, request: write }), 'approval_required');
    assert.equal(
      await two.ask({ chain: ['relay'], task: { id: 'z' }, request: write }),
      'permitted',
      'who has nothing to do with it',
    );
  });
}

test('a task below another, or beside it, has what the root opened', async () => {
  const { registry, one, two } = pair();
  for (const [id, parent] of [
    ['root', null],
    ['child', 'root'],
    ['grandchild', 'child'],
    ['sibling', 'root'],
    ['apart', null],
  ] as const)
    await begun(registry, { issuer, id, parent: parent === null ? null : { issuer, id: parent } });
  const asked = (chain: string, id: string, request: string) => ({ chain: [chain], task: { id, issuer }, request });
  assert.equal(await two.ask(asked('job', 'sibling', write)), 'permitted', 'before');
  assert.equal(await one.ask(asked('agent', 'grandchild', 'GET confidential/x')), 'permitted');
  for (const [chain, id] of [
    ['job', 'sibling'],
    ['service', 'root'],
    ['relay', 'child'],
  ] as const)
    assert.equal(await two.ask(asked(chain, id, write)), 'approval_required', id);
  assert.equal(await two.ask(asked('service', 'apart', write)), 'permitted', 'another root');
});

test('what a workload opened counts for a window, and what a task opened to its end', async () => {
  const { registry, one, two } = pair();
  const now = Date.now();
  await begun(registry, { issuer, id: 'long', endsAtMs: now + 90 * HOUR_MS });
  const inTask = { chain: ['agent'], task: { id: 'long', issuer } };
  assert.equal(await one.ask({ ...inTask, request: 'GET confidential/x' }, now), 'permitted');
  assert.equal(await two.ask({ chain: ['agent'], request: write }, now + 24 * HOUR_MS - 1), 'approval_required');
  assert.equal(await two.ask({ chain: ['agent'], request: write }, now + 31 * HOUR_MS), 'permitted');
  assert.equal(await two.ask({ ...inTask, request: write }, now + 89 * HOUR_MS), 'approval_required');
});

test('what goes on being opened goes on counting', async () => {
  const { one, two } = pair();
  const now = Date.now();
  for (let hours = 0; hours <= 40; hours += 2)
    assert.equal(await one.ask({ chain: ['job'], request: 'GET confidential/x' }, now + hours * HOUR_MS), 'permitted');
  assert.equal(await two.ask({ chain: ['job'], request: write }, now + 64 * HOUR_MS - 1), 'approval_required');
});

/** A state that is slow: what happens between reading and claiming. */
function between(state: State, meanwhile: () => Promise<unknown>): State & { reads: number; claims: number } {
  const slow = {
    reads: 0,
    claims: 0,
    load: null,
    countLoad: null,
    touchedLoad: null,
    history: () => state.history(),
    touched: async (keys: readonly string[], now: number) => {
      slow.reads++;
      const found = await state.touched(keys, now);
      await meanwhile();
      return found;
    },
    claim: (claims: readonly Claim[], use: Use, now: number, touches?: readonly Touch[]) => {
      slow.claims++;
      return state.claim(claims, use, now, touches);
    },
    giveBack: () => {},
  };
  return slow;
}

test('a read on one sidecar between the reading and the claim of a write on another forbids the write', async () => {
  const { state, one } = pair();
  const raced = new TouchingSidecar(
    between(state, () => one.ask({ chain: ['agent', 'service'], request: 'GET confidential/x' })),
    snapshot,
  );
  assert.equal(await raced.ask({ chain: ['service'], request: write }), 'approval_required');
  const { state: other, one: elsewhere } = pair();
  const unraced = new TouchingSidecar(
    between(other, () => elsewhere.ask({ chain: ['agent'], request: 'GET confidential/x' })),
    snapshot,
  );
  assert.equal(await unraced.ask({ chain: ['service'], request: write }), 'permitted', 'somebody else’s read');
});

test('a request that is judged by apis gives up when more and more of them are opened, and says so', async () => {
  const judges = boundarySnapshot(
    '@id("never") forbid (principal, action, resource) when { context.touched.apis.contains(Mesh::Api::"scoped/free") };',
  );
  const { state, one } = pair({}, judges);
  // Each reading sees another api than the claim does.
  let [reads, opened] = [0, 0];
  const key = keyOfAccount({ of: 'workload', name: 'spiffe://prod.example/service' });
  const growing = between(state, async () => {
    reads++;
    const [now, history] = [Date.now(), state.history()];
    const times = { neededUntilMs: now + HOUR_MS, untilMs: now + HOUR_MS };
    const use = { requestId: '', caller: 'a', checkPeer: null, digest: '', deadline: 0, judgedBy: '' };
    const opens = { sensitivity: 1, apis: [apiDigest(`x/${opened++}`)], judgedBy: null };
    state.claim([], use, now, [{ key, history, ...times, ...opens }]);
  });
  const raced = new TouchingSidecar(growing, judges);
  assert.equal(await raced.ask({ chain: ['service'], request: 'GET public/x' }), 'state_unavailable');
  assert.equal(reads, 4);
  assert.equal(await one.ask({ chain: ['service'], request: 'GET public/x' }), 'permitted');
});

test('what does not depend on it is not looked up, and what is recorded is not written again', async () => {
  const { state } = pair();
  const counted = between(state, async () => {});
  const sidecar = new TouchingSidecar(counted, snapshot);
  for (let n = 0; n < 3; n++)
    assert.equal(await sidecar.ask({ chain: ['service'], request: 'POST confidential/x' }), 'permitted');
  assert.deepEqual([counted.reads, counted.claims], [0, 1]);
  await sidecar.ask({ chain: ['service'], request: 'GET public/x' });
  await sidecar.ask({ chain: ['service'], request: 'GET outside/x' });
  assert.deepEqual([counted.reads, counted.claims], [0, 1]);
  await sidecar.ask({ chain: ['service'], request: write });
  assert.deepEqual([counted.reads, counted.claims], [1, 1]);
});

test('where no policy reads it, nothing is looked up and nothing recorded', async () => {
  const { state } = pair();
  const counted = between(state, async () => {});
  const sidecar = new TouchingSidecar(
    counted,
    loaded({ 'a.cedar': '@id("all") permit (principal, action, resource);' }, { inventory: guardrailsInventory })
      .snapshot,
  );
  for (const request of ['GET restricted/x', write])
    assert.equal(await sidecar.ask({ chain: ['service'], request }), 'permitted');
  assert.deepEqual([counted.reads, counted.claims], [0, 0]);
});

test('a task of another issuer is another task, though its id is the same', async () => {
  const { one, two } = pair();
  assert.equal(await one.ask({ chain: ['agent'], task: { id: 'a' }, request: 'GET confidential/x' }), 'permitted');
  const others = { chain: ['job'], task: { id: 'a', issuer: 'https://other' }, request: write };
  assert.equal(await two.ask(others), 'permitted');
});

test('what a task below one that is not known any more opens counts for that one', async () => {
  const registry = new ProcessRegistry({ perWorkload: 1000, all: 1000 });
  await begun(registry, { issuer, id: 'gone' }, Date.now());
  await begun(registry, { issuer, id: 'below', parent: { issuer, id: 'gone' } }, Date.now());
  const find: TaskLookup['find'] = (of, id) => (id === 'gone' ? null : registry.lookup.find(of, id));
  const { one, two } = pair({ tasks: () => ({ size: 1, find }) as TaskLookup });
  const asked = (chain: string, id: string, request: string) => ({ chain: [chain], task: { id, issuer }, request });
  assert.equal(await two.ask(asked('job', 'gone', write)), 'permitted');
  assert.equal(await one.ask(asked('agent', 'below', 'GET confidential/x')), 'permitted');
  assert.equal(await two.ask(asked('job', 'gone', write)), 'approval_required');
});

test('while nobody knows which tasks are active, nothing that counts for one is opened, and nothing judged by it', async () => {
  const { one } = pair({ tasks: () => new Fault('the tasks of the store are old') });
  const task = { id: 'a' };
  for (const request of ['GET confidential/x', write])
    assert.equal(await one.ask({ chain: ['agent'], task, request }), 'state_unavailable', request);
  assert.equal(await one.ask({ chain: ['agent'], task, request: 'GET public/x' }), 'permitted');
});

/** What began to remember an hour ago. */
function young(more: Partial<TouchedSource> = {}) {
  const startedAtMs = Date.now() - HOUR_MS;
  const registry = new ProcessRegistry({ perWorkload: 1000, all: 1000 });
  const state = new MemoryState({ maxEntries: 1000, startedAtMs });
  return {
    startedAtMs,
    registry,
    sidecar: new TouchingSidecar(state, snapshot, { tasks: () => registry.lookup, ...more }),
  };
}

test('of a workload nobody knows for a window what it opened before a state began to remember', async () => {
  const { sidecar, startedAtMs } = young();
  assert.equal(await sidecar.ask({ chain: ['service'], request: write }), 'approval_required');
  assert.deepEqual(sidecar.trail.found.touched?.facts.chain, { sensitivity: 3, apis: 'all' });
  assert.equal(await sidecar.ask({ chain: ['service'], request: write }, startedAtMs + 24 * HOUR_MS), 'permitted');
});

test('somebody may say that nothing was opened before', async () => {
  const before = young().startedAtMs;
  assert.equal(
    await young({ nothingBeforeMs: before + 60_000 }).sidecar.ask({ chain: ['service'], request: write }),
    'permitted',
  );
  const late = young({ nothingBeforeMs: before - 60_000 });
  assert.equal(await late.sidecar.ask({ chain: ['service'], request: write }), 'approval_required');
});

test('a task that began before a state began to remember has opened everything, and one that began later has not', async () => {
  const judges = boundarySnapshot(
    '@id("t") @allows_missing("task") forbid (principal, action, resource) when { context has task && context.task.touched.sensitivity > 2 };',
  );
  const startedAtMs = Date.now() - HOUR_MS;
  const registry = new ProcessRegistry({ perWorkload: 1000, all: 1000 });
  const state = new MemoryState({ maxEntries: 1000, startedAtMs });
  const sidecar = new TouchingSidecar(state, judges, { tasks: () => registry.lookup });
  await begun(registry, { issuer, id: 'old' }, startedAtMs - 1);
  await begun(registry, { issuer, id: 'new' }, startedAtMs);
  const ask = (id: string) => sidecar.ask({ chain: ['service'], task: { id, issuer }, request: 'GET public/x' });
  assert.equal(await ask('old'), 'policy_forbidden');
  assert.equal(await ask('new'), 'permitted');
  assert.equal(await ask('nobody-registered-it'), 'policy_forbidden');
});

test('where the state cannot tell, what depends on it is refused, and so is what it cannot record', async () => {
  const dead: State = {
    ...between(new MemoryState({ maxEntries: 10, startedAtMs: 0 }), async () => {}),
    claim: (): ClaimResult => ({ result: 'unavailable', detail: 'away' }),
    touched: () => new Fault('away'),
  };
  const sidecar = new TouchingSidecar(dead, snapshot);
  for (const request of [write, 'GET internal/x'])
    assert.equal(await sidecar.ask({ chain: ['service'], request }), 'state_unavailable');
  for (const request of ['GET public/x', 'GET outside/x'])
    assert.equal(await sidecar.ask({ chain: ['service'], request }), 'permitted');
});

for (const [what, fault] of [
  ['FLUSHALL', (redis: Redis) => redis.admin('FLUSHALL')],
  [
    'a restart without a file',
    async (redis: Redis) => {
      await redis.kill();
      await redis.start();
    },
  ],
] as const) {
  test(`after ${what} of a store a workload has opened everything`, { skip: noRedis }, async (t: TestContext) => {
    const redis = await Redis.of(t);
    const { state } = await sidecarState(t, storeOptions(redis));
    const { state: second } = await sidecarState(t, storeOptions(redis));
    const { id, sinceMs: nothingBeforeMs } = state.history();
    const [one, two] = [state, second].map((each) => new TouchingSidecar(each, snapshot, { nothingBeforeMs })) as [
      TouchingSidecar,
      TouchingSidecar,
    ];
    assert.equal(await two.ask({ chain: ['service'], request: write }), 'permitted');
    assert.equal(await one.ask({ chain: ['service'], request: 'GET confidential/x' }), 'permitted');
    assert.equal(await two.ask({ chain: ['service'], request: write }), 'approval_required');
    await fault(redis);
    assert.notEqual(await two.ask({ chain: ['service'], request: write }), 'permitted');
    for (const each of [state, second])
      await until('a new history', () => (each.status().fault === null && each.history().id !== id ? true : null));
    for (const chain of ['service', 'job'])
      assert.equal(await two.ask({ chain: [chain], request: write }), 'approval_required');
    assert.equal(
      await one.ask({ chain: ['service'], request: 'GET confidential/x' }),
      'permitted',
      'it is recorded anew',
    );
    assert.equal(await two.ask({ chain: ['service'], request: 'GET public/x' }), 'permitted');
  });
}

test('over a store, of reads and writes at once no write is permitted after a read was', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.of(t);
  const sidecars: TouchingSidecar[] = [];
  for (let n = 0; n < 2; n++) {
    const { state } = await sidecarState(t, storeOptions(redis));
    sidecars.push(new TouchingSidecar(state, snapshot, { nothingBeforeMs: state.history().sinceMs }));
  }
  let [permitted, forbidden] = [0, 0];
  for (let n = 0; n < 50; n++) {
    const task = { id: `race-${n}` };
    let readAt = Number.POSITIVE_INFINITY;
    const [reader, writer] = n % 2 === 0 ? [sidecars[0]!, sidecars[1]!] : [sidecars[1]!, sidecars[0]!];
    const reading = reader.ask({ chain: ['agent'], task, request: 'GET confidential/x' }).then(() => {
      readAt = performance.now();
    });
    const writing = Array.from({ length: 3 }, async () => {
      const began = performance.now();
      const answer = await writer.ask({ chain: ['job'], task, request: write });
      return { began, answer };
    });
    await reading;
    for (const { began, answer } of await Promise.all(writing)) if (answer === 'permitted') assert.ok(began < readAt);
    const after = await writer.ask({ chain: ['job'], task, request: write });
    if (after === 'permitted') permitted++;
    else forbidden++;
  }
  assert.deepEqual([permitted, forbidden], [0, 50]);
});

test('what was recorded in a history that is over is recorded again', { skip: noRedis }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  const { state: second } = await sidecarState(t, storeOptions(redis));
  const [one, two] = [state, second].map(
    (each) => new TouchingSidecar(each, snapshot, { nothingBeforeMs: Number.MAX_SAFE_INTEGER }),
  ) as [TouchingSidecar, TouchingSidecar];
  const reads = { chain: ['service'], request: 'GET confidential/x' };
  assert.equal(await one.ask(reads), 'permitted');
  const { id } = state.history();
  await redis.admin('FLUSHALL');
  await until('the next history', () =>
    [state, second].every((each) => each.history().id !== id && each.status().fault === null) ? true : null,
  );
  assert.equal(await two.ask({ chain: ['service'], request: write }), 'permitted');
  assert.equal(await one.ask(reads), 'permitted');
  assert.equal(await two.ask({ chain: ['service'], request: write }), 'approval_required');
});

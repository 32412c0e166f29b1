import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countSuite } from '../../test/support/count-suite.ts';
import { type StateSuite, stateSuite } from '../../test/support/state-suite.ts';
import { touchedSuite } from '../../test/support/touched-suite.ts';
import { Refusal } from '../base/outcome.ts';
import { MemoryState } from './memory.ts';
import type { Claim, State, Use } from './model.ts';
import { type Redemption, redeem } from './redemption.ts';

const NOW = Date.parse('2026-11-25T10:00:00Z');
const use: Use = {
  requestId: '7',
  caller: 'spiffe://prod.example/agent',
  checkPeer: 'spiffe://prod.example/envoy',
  digest: 'd1',
  deadline: NOW + 200,
  judgedBy: 'r1',
};
const history = { id: '', sinceMs: NOW };
const claim = (key: string, until = NOW + 60_000) => ({ key, until, history });
const another = (n: number): Use => ({ ...use, requestId: `other-${n}` });
const by = (caller: string): Use => ({ ...use, caller });
const memory = (maxEntries = 1000, maxCounts = 1000, maxAccounts = 1000) =>
  new MemoryState({ maxEntries, maxCounts, maxAccounts, startedAtMs: NOW });

const stores: StateSuite = {
  name: 'memory',
  make: (_, maxEntries, maxCounts, maxAccounts) => {
    let passed = 0;
    return {
      states: [memory(maxEntries, maxCounts, maxAccounts)],
      now: () => Date.now() + passed,
      pass: (milliseconds) => {
        passed += milliseconds;
      },
    };
  },
};
stateSuite(stores);
countSuite(stores);
touchedSuite(stores);

test('B36: a key is remembered for its whole window, to the last millisecond', async () => {
  const state = memory();
  state.claim([claim('a', NOW + 14_500)], use, NOW);
  assert.equal(state.claim([claim('a', NOW + 14_500)], another(1), NOW + 14_500).result, 'replayed');
  assert.equal(state.load.entries, 1);
  state.claim([claim('b', NOW + 90_000)], another(2), NOW + 16_000);
  assert.equal(state.load.entries, 1);
});

test('a retry comes before its own deadline, whatever others wait for', () => {
  const state = memory();
  state.claim([claim('a')], { ...another(1), deadline: NOW + 9000 }, NOW);
  state.claim([claim('b')], use, NOW);
  assert.equal(state.claim([claim('b')], use, NOW + 200).result, 'same');
  assert.equal(state.claim([claim('b')], use, NOW + 201).result, 'replayed');
});

test('a full memory refuses, drops no live key, and recovers by itself', async () => {
  const state = memory(2);
  state.claim([claim('a', NOW + 1000)], by('a'), NOW);
  state.claim([claim('b', NOW + 5000)], by('b'), NOW);
  assert.equal(state.claim([claim('c')], by('c'), NOW).result, 'unavailable');
  assert.equal(state.claim([claim('a')], another(2), NOW).result, 'replayed');
  assert.equal(state.claim([claim('c')], by('c'), NOW + 3000).result, 'fresh');
  assert.equal(state.claim([claim('b')], another(4), NOW + 3000).result, 'replayed');
  assert.deepEqual(state.load, { entries: 2, limit: 2, bytes: 1024, byteLimit: 1024 });
});

/** How many keys a caller gets before it is refused; with one wish too many, nothing is claimed. */
async function fill(state: MemoryState, caller: string, until = NOW + 60_000): Promise<number> {
  for (let n = 0; ; n++) {
    const { result } = state.claim([claim(`${caller} ${n}`, until)], by(caller), NOW);
    if (result === 'unavailable') return n;
  }
}

test('a share comes back with the end of the windows', async () => {
  const state = memory(96);
  assert.equal(await fill(state, 'a', NOW + 1000), 48);
  assert.equal(state.claim([claim('later')], by('a'), NOW + 3000).result, 'fresh');
  assert.equal(state.load.entries, 1);
});

test('many windows that end at once are dropped by and by, and none counts as used again', async () => {
  const state = memory(20_000);
  for (let n = 0; n < 5000; n++) state.claim([claim(`k${n}`, NOW + 1000)], by('a'), NOW);
  const after = async (n: number) => state.claim([claim(`after ${n}`)], by('b'), NOW + 3000).result;
  assert.equal(await after(0), 'fresh');
  assert.equal(state.load.entries, 4001);
  for (let n = 1; n < 5; n++) await after(n);
  assert.equal(state.load.entries, 5);
  assert.equal(state.claim([claim('k1', NOW + 1000)], by('a'), NOW + 3000).result, 'unavailable');
});

test('a clock that goes back brings no used key back', async () => {
  const state = memory();
  state.claim([claim('a', NOW + 1000)], use, NOW);
  state.claim([claim('z', NOW + 4_000_000)], another(1), NOW + 3_600_000);
  assert.equal(state.claim([claim('a', NOW + 1000)], another(2), NOW).result, 'unavailable');
});

test('a clock that was an hour ahead for a while costs only what was used before it, and memory is freed again', async () => {
  const state = memory();
  const HOUR = 3_600_000;
  state.claim([claim('a', NOW + 60_000)], use, NOW);
  assert.equal(state.claim([claim('ahead', NOW + HOUR + 60_000)], another(1), NOW + HOUR).result, 'fresh');
  const back = NOW + 2000;
  assert.equal(state.claim([claim('a', NOW + 60_000)], another(2), back).result, 'unavailable');
  assert.equal(state.claim([claim('b', back + 60_000)], another(3), back).result, 'fresh');
  assert.equal(state.claim([claim('b', back + 60_000)], another(4), back + 59_000).result, 'replayed');
  state.claim([claim('c', back + 200_000)], another(5), back + 100_000);
  assert.equal(state.load.entries, 2);
});

test('a clock that goes ahead and back while nothing is remembered costs nothing', async () => {
  const state = memory();
  assert.equal(state.claim([claim('ahead', NOW + 4_000_000)], use, NOW + 3_600_000).result, 'fresh');
  assert.equal(state.claim([claim('a', NOW + 1)], another(1), NOW).result, 'fresh');
});

test('a window without an end is not claimed', async () => {
  for (const until of [Number.NaN, Number.POSITIVE_INFINITY])
    assert.equal((await memory().claim([claim('a', until)], use, NOW)).result, 'unavailable');
});

test('whatever the order of claims and the clock, no key is fresh twice within its window', async () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    window: fc.integer({ min: 0, max: 5000 }),
    pass: fc.integer({ min: 0, max: 2500 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const state = memory();
      const live = new Map<string, number>();
      let now = NOW;
      for (const [n, { key, window, pass }] of steps.entries()) {
        now += pass;
        const { result } = state.claim([claim(key, now + window)], another(n), now);
        const used = (live.get(key) ?? 0) >= now;
        assert.ok(!(used && result === 'fresh'));
        if (result === 'fresh') live.set(key, now + window);
      }
    }),
    { numRuns: 200 },
  );
});

test('whatever the clock does, a proof is fresh once', async () => {
  const step = fc.record({ proof: fc.integer({ min: 0, max: 7 }), pass: fc.integer({ min: -6000, max: 6000 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const state = memory();
      const used = new Set<number>();
      let now = NOW;
      for (const [n, { proof, pass }] of steps.entries()) {
        now += pass;
        const until = NOW + proof * 700;
        // What is over is refused before anything is claimed.
        if (now > until) continue;
        const { result } = state.claim([claim(String(proof), until)], another(n), now);
        assert.ok(!(used.has(proof) && result === 'fresh'));
        if (result === 'fresh') used.add(proof);
      }
    }),
    { numRuns: 300 },
  );
});

const count = (until: number, member: string | null = null): Claim => ({
  ...claim('count', until),
  count: { limit: 1, member },
});

test('a count lives to the end of its window, and makes way afterwards', () => {
  const state = memory();
  const end = NOW + 3_600_000;
  assert.equal(state.claim([count(end)], { ...use, requestId: '' }, NOW).result, 'fresh');
  assert.equal(state.claim([count(end)], another(1), end).result, 'spent');
  assert.equal(state.countLoad.entries, 1);
  assert.equal(state.claim([count(end + 7_200_000)], another(2), end + 1_300_000).result, 'fresh');
  assert.equal(state.countLoad.entries, 1);
});

test('a clock that goes ahead and back renews no count', () => {
  const state = memory();
  const end = NOW + 60_000;
  assert.equal(state.claim([count(end)], { ...use, requestId: '' }, NOW).result, 'fresh');
  assert.equal(state.claim([claim('ahead', NOW + 4_000_000)], another(1), NOW + 3_600_000).result, 'fresh');
  assert.equal(state.claim([count(end)], another(2), NOW).result, 'unavailable');
  assert.equal(state.claim([count(NOW + 4_000_000)], another(3), NOW).result, 'fresh');
});

test('whatever is claimed, retried and given back, no more checks live by a count than it allows', () => {
  const step = fc.record({
    check: fc.integer({ min: 0, max: 8 }),
    member: fc.constantFrom(null, 'a', 'b', 'c'),
    back: fc.boolean(),
    pass: fc.integer({ min: 0, max: 120 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const state = memory();
      const [calls, apis] = [new Set<number>(), new Map<number, string>()];
      let now = NOW;
      for (const [n, { check, member, back, pass }] of steps.entries()) {
        now += pass;
        // Each check counts the same each time, and is retried before its deadline alone.
        if (calls.has(check) || apis.has(check)) continue;
        const mine = { ...another(check), requestId: `${n}`, deadline: now + 200 };
        const counted = { key: member === null ? 'calls' : 'apis', until: NOW + 60_000, history };
        const claims: Claim[] = [{ ...counted, count: { limit: 3, member } }];
        const { result } = state.claim(claims, mine, now);
        const room = member === null ? calls.size < 3 : new Set([...apis.values(), member]).size <= 3;
        assert.equal(result, room ? 'fresh' : 'spent');
        if (result === 'spent') continue;
        assert.equal(state.claim(claims, mine, now + 200).result, 'same');
        state.giveBack(claims, mine);
        if (member === null) calls.add(check);
        else apis.set(check, member);
        const other = { ...mine, requestId: `${n} other` };
        if (back && state.claim(claims, other, now).result === 'fresh') state.giveBack(claims, other);
      }
    }),
    { numRuns: 300 },
  );
});

// commit

const giveBack = (): void => {};
const rest = {
  history: () => history,
  load: null,
  countLoad: null,
  touchedLoad: null,
  touched: () => [],
  giveBack,
};

async function reasonOf(committing: ReturnType<typeof redeem>): Promise<string | null> {
  const committed = await committing;
  return committed instanceof Refusal ? committed.reason : null;
}

const pending = (key: string, reason: 'task_proof_replayed' | 'task_wpt_replayed'): Redemption => ({
  ...claim(key),
  ifUsed: new Refusal(reason, 'again'),
});

test('the second of two uses gets the answer of what was used', async () => {
  const state = memory();
  const claims = [pending('a', 'task_proof_replayed'), pending('b', 'task_wpt_replayed')];
  assert.equal(typeof (await redeem(state, claims, use, NOW)), 'function');
  assert.equal(typeof (await redeem(state, claims, use, NOW)), 'function');
  assert.equal(await reasonOf(redeem(state, claims, another(1), NOW)), 'task_proof_replayed');
  assert.equal(await reasonOf(redeem(state, claims.slice(1), another(1), NOW)), 'task_wpt_replayed');
});

test('what claims nothing asks no state', async () => {
  const broken: State = { ...rest, claim: () => Promise.reject(new Error('asked')) };
  assert.equal(typeof (await redeem(broken, [], use, NOW)), 'function');
});

test('a state that cannot answer, or answers about something else, refuses', async () => {
  const full: State = { ...rest, claim: () => ({ result: 'unavailable', detail: 'full' }) };
  const odd: State = { ...rest, claim: () => Promise.resolve({ result: 'replayed', key: 'x' }) };
  for (const state of [full, odd])
    assert.equal(await reasonOf(redeem(state, [pending('a', 'task_proof_replayed')], use, NOW)), 'state_unavailable');
});

test('a fresh claim gives back once, a retry nothing', async () => {
  const state = memory();
  const claims = [pending('a', 'task_proof_replayed')];
  const first = await redeem(state, claims, use, NOW);
  assert.ok(typeof first === 'function');
  first();
  assert.equal(await reasonOf(redeem(state, claims, another(1), NOW)), null);
  first();
  assert.equal(await reasonOf(redeem(state, claims, another(2), NOW)), 'task_proof_replayed');
  const retry = await redeem(state, claims, another(1), NOW);
  assert.ok(typeof retry === 'function');
  retry();
  assert.equal(await reasonOf(redeem(state, claims, another(3), NOW)), 'task_proof_replayed');
});

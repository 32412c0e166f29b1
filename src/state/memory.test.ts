import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '../base/outcome.ts';
import { MemoryState } from './memory.ts';
import type { State, Use } from './model.ts';
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
const claim = (key: string, until = NOW + 60_000) => ({ key, until });
const another = (n: number): Use => ({ ...use, requestId: `other-${n}` });
const by = (caller: string): Use => ({ ...use, caller });
const memory = (maxEntries = 1000) => new MemoryState({ maxEntries });

test('10,000 concurrent uses of one proof: exactly one is fresh', async () => {
  const state = memory();
  const outcomes = await Promise.all(
    Array.from({ length: 10_000 }, (_, n) => state.claim([claim('proof')], { ...use, requestId: String(n) }, NOW)),
  );
  assert.equal(outcomes.filter(({ result }) => result === 'fresh').length, 1);
  assert.equal(outcomes.filter(({ result }) => result === 'replayed').length, 9_999);
});

test('Envoy’s retry of one Check gets the same answer again', async () => {
  const state = memory();
  const claims = [claim('a'), claim('b')];
  assert.deepEqual(await state.claim(claims, use, NOW), { result: 'fresh' });
  assert.deepEqual(await state.claim(claims, use, NOW), { result: 'same' });
  assert.deepEqual(await state.claim(claims, { ...use, deadline: NOW + 400 }, NOW + 200), { result: 'same' });
});

for (const [name, changes, later] of [
  ['another request', { requestId: '8' }, 0],
  ['another caller', { caller: 'spiffe://prod.example/other' }, 0],
  ['another check port client', { checkPeer: null }, 0],
  ['other attributes', { digest: 'd2' }, 0],
  ['another snapshot or other revocations', { judgedBy: 'r2' }, 0],
  ['after the first deadline', { deadline: NOW + 1000 }, 201],
] as const) {
  test(`${name} is no retry`, async () => {
    const state = memory();
    await state.claim([claim('a')], use, NOW);
    assert.equal((await state.claim([claim('a')], use, NOW)).result, 'same');
    assert.equal((await state.claim([claim('a')], { ...use, ...changes }, NOW + later)).result, 'replayed');
  });
}

test('a Check without an id, or without a deadline, has no retries', async () => {
  for (const changes of [{ requestId: '' }, { deadline: Number.POSITIVE_INFINITY }]) {
    const state = memory();
    await state.claim([claim('a')], { ...use, ...changes }, NOW);
    assert.equal((await state.claim([claim('a')], { ...use, ...changes }, NOW)).result, 'replayed');
  }
});

test('all keys are claimed, or none', async () => {
  const state = memory();
  await state.claim([claim('a')], use, NOW);
  assert.deepEqual(await state.claim([claim('b'), claim('a')], another(1), NOW), { result: 'replayed', key: 'a' });
  assert.deepEqual(await state.claim([claim('b')], another(2), NOW), { result: 'fresh' });
});

test('a retry that wants more than it claimed before is none', async () => {
  const state = memory();
  await state.claim([claim('a')], use, NOW);
  assert.equal((await state.claim([claim('a'), claim('b')], use, NOW)).result, 'replayed');
});

test('B36: a key is remembered for its whole window, to the last millisecond', async () => {
  const state = memory();
  await state.claim([claim('a', NOW + 14_500)], use, NOW);
  assert.equal((await state.claim([claim('a', NOW + 14_500)], another(1), NOW + 14_500)).result, 'replayed');
  assert.equal(state.load.entries, 1);
  await state.claim([claim('b', NOW + 90_000)], another(2), NOW + 16_000);
  assert.equal(state.load.entries, 1);
});

test('a full memory refuses, drops no live key, and recovers by itself', async () => {
  const state = memory(2);
  await state.claim([claim('a', NOW + 1000)], by('a'), NOW);
  await state.claim([claim('b', NOW + 5000)], by('b'), NOW);
  assert.equal((await state.claim([claim('c')], by('c'), NOW)).result, 'unavailable');
  assert.equal((await state.claim([claim('a')], another(2), NOW)).result, 'replayed');
  assert.equal((await state.claim([claim('c')], by('c'), NOW + 3000)).result, 'fresh');
  assert.equal((await state.claim([claim('b')], another(4), NOW + 3000)).result, 'replayed');
  assert.deepEqual(state.load, { entries: 2, limit: 2, bytes: 1024, byteLimit: 1024 });
});

/** How many keys a caller gets before it is refused; with one wish too many, nothing is claimed. */
async function fill(state: MemoryState, caller: string, until = NOW + 60_000): Promise<number> {
  for (let n = 0; ; n++) {
    const { result } = await state.claim([claim(`${caller} ${n}`, until)], by(caller), NOW);
    if (result === 'unavailable') return n;
  }
}

test('no caller fills the memory alone, nor do several: each leaves as much as it takes', async () => {
  const state = memory(96);
  assert.equal(await fill(state, 'a'), 48);
  assert.equal(await fill(state, 'b'), 24);
  assert.equal(await fill(state, 'c'), 12);
  assert.equal((await state.claim([claim('x'), claim('y')], by('d'), NOW)).result, 'fresh');
  assert.equal((await state.claim([claim('z')], by('a'), NOW)).result, 'unavailable');
});

test('a share comes back with the end of the windows', async () => {
  const state = memory(96);
  assert.equal(await fill(state, 'a', NOW + 1000), 48);
  assert.equal((await state.claim([claim('later')], by('a'), NOW + 3000)).result, 'fresh');
  assert.equal(state.load.entries, 1);
});

test('many windows that end at once are dropped by and by, and none counts as used again', async () => {
  const state = memory(20_000);
  for (let n = 0; n < 5000; n++) await state.claim([claim(`k${n}`, NOW + 1000)], by('a'), NOW);
  const after = async (n: number) => (await state.claim([claim(`after ${n}`)], by('b'), NOW + 3000)).result;
  assert.equal(await after(0), 'fresh');
  assert.equal(state.load.entries, 4001);
  for (let n = 1; n < 5; n++) await after(n);
  assert.equal(state.load.entries, 5);
  assert.equal((await state.claim([claim('k1', NOW + 1000)], by('a'), NOW + 3000)).result, 'unavailable');
});

test('a clock that goes back brings no used key back', async () => {
  const state = memory();
  await state.claim([claim('a', NOW + 1000)], use, NOW);
  await state.claim([claim('z', NOW + 4_000_000)], another(1), NOW + 3_600_000);
  assert.equal((await state.claim([claim('a', NOW + 1000)], another(2), NOW)).result, 'unavailable');
});

test('a clock that was an hour ahead for a while costs only what was used before it, and memory is freed again', async () => {
  const state = memory();
  const HOUR = 3_600_000;
  await state.claim([claim('a', NOW + 60_000)], use, NOW);
  assert.equal((await state.claim([claim('ahead', NOW + HOUR + 60_000)], another(1), NOW + HOUR)).result, 'fresh');
  const back = NOW + 2000;
  assert.equal((await state.claim([claim('a', NOW + 60_000)], another(2), back)).result, 'unavailable');
  assert.equal((await state.claim([claim('b', back + 60_000)], another(3), back)).result, 'fresh');
  assert.equal((await state.claim([claim('b', back + 60_000)], another(4), back + 59_000)).result, 'replayed');
  await state.claim([claim('c', back + 200_000)], another(5), back + 100_000);
  assert.equal(state.load.entries, 2);
});

test('a clock that goes ahead and back while nothing is remembered costs nothing', async () => {
  const state = memory();
  assert.equal((await state.claim([claim('ahead', NOW + 4_000_000)], use, NOW + 3_600_000)).result, 'fresh');
  assert.equal((await state.claim([claim('a', NOW + 1)], another(1), NOW)).result, 'fresh');
});

test('what is given back can be used once more; what a retry lives by stays used', async () => {
  const state = memory();
  const claims = [claim('a'), claim('b')];
  await state.claim(claims, use, NOW);
  await state.giveBack(claims);
  assert.equal(state.load.entries, 0);
  assert.equal((await state.claim(claims, another(1), NOW)).result, 'fresh');
  assert.equal((await state.claim(claims, another(2), NOW)).result, 'replayed');
  assert.equal((await state.claim(claims, another(1), NOW)).result, 'same');
  await state.giveBack(claims);
  assert.equal((await state.claim(claims, another(3), NOW)).result, 'replayed');
});

test('one key twice in one claim is no claim', async () => {
  assert.equal((await memory().claim([claim('a'), claim('a')], use, NOW)).result, 'unavailable');
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
        const { result } = await state.claim([claim(key, now + window)], another(n), now);
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
        const { result } = await state.claim([claim(String(proof), until)], another(n), now);
        assert.ok(!(used.has(proof) && result === 'fresh'));
        if (result === 'fresh') used.add(proof);
      }
    }),
    { numRuns: 300 },
  );
});

// commit

const giveBack = (): Promise<void> => Promise.resolve();

async function reasonOf(committing: ReturnType<typeof redeem>): Promise<string | null> {
  const committed = await committing;
  return committed instanceof Refusal ? committed.reason : null;
}

const pending = (key: string, reason: 'task_proof_replayed' | 'task_wpt_replayed'): Redemption => ({
  ...claim(key),
  ifReplayed: new Refusal(reason, 'again'),
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
  const broken: State = { claim: () => Promise.reject(new Error('asked')), giveBack };
  assert.equal(typeof (await redeem(broken, [], use, NOW)), 'function');
});

test('a state that cannot answer, or answers about something else, refuses', async () => {
  const full: State = { claim: () => Promise.resolve({ result: 'unavailable', detail: 'full' }), giveBack };
  const odd: State = { claim: () => Promise.resolve({ result: 'replayed', key: 'x' }), giveBack };
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

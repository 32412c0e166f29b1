import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClaimResult } from '../../src/state/model.ts';
import { Claims, type StateSuite, type Stores } from './state-suite.ts';

/** What holds for counts in every store, as tests. */
export function countSuite({ name, skip = false, make }: StateSuite): void {
  const rule = (what: string, run: (claims: Claims, stores: Stores) => Promise<void>, maxCounts = 1000) =>
    test(`${name}: ${what}`, { skip }, async (t) => {
      const stores = await make(t, 20_000, maxCounts);
      await run(new Claims(stores), stores);
    });

  rule('4,000 concurrent uses of a count of 1,000: exactly 1,000 are fresh', async (claims, { states, now }) => {
    const count = claims.count('calls', 1000);
    const outcomes: ClaimResult[] = [];
    for (let n = 0; n < 4000; n += 200) {
      const batch = Array.from({ length: 200 }, (_, i) =>
        states[(n + i) % states.length]!.claim([count], { ...claims.use, requestId: String(n + i) }, now()),
      );
      outcomes.push(...(await Promise.all(batch)));
    }
    const times = (result: string) => outcomes.filter((outcome) => outcome.result === result).length;
    assert.deepEqual([times('fresh'), times('spent')], [1000, 3000]);
  });

  rule('Envoy’s retry of one Check counts once, from whatever sidecar', async (claims, { pass }) => {
    const counted = [claims.count('calls', 2), claims.count('apis', 1, 'ledger')];
    assert.equal(await claims.result(counted), 'fresh');
    for (const which of [0, 1, 0]) assert.equal(await claims.result(counted, claims.use, which), 'same');
    pass(200);
    assert.equal(await claims.result(counted, { ...claims.use, deadline: claims.use.deadline + 200 }, 1), 'same');
    assert.equal(await claims.result(counted, claims.another(1)), 'fresh');
    assert.deepEqual(await claims.on(counted, claims.another(2)), { result: 'spent', key: 'calls' });
  });

  rule('a retry with a proof and a count needs both to be those of before', async (claims) => {
    const [proof, calls] = [claims.claim('proof'), claims.count('calls', 5)];
    assert.equal(await claims.result([proof, calls]), 'fresh');
    assert.equal(await claims.result([proof, calls], claims.use, 1), 'same');
    assert.deepEqual(await claims.on([proof, calls], claims.another(1)), { result: 'replayed', key: 'proof' });
    assert.equal(await claims.result([proof], claims.use), 'same');
    assert.deepEqual(await claims.on([proof, claims.count('more', 5)]), { result: 'replayed', key: 'proof' });
  });

  rule('a Check that counts something else than before counts it', async (claims) => {
    assert.equal(await claims.result([claims.count('calls', 1)]), 'fresh');
    assert.equal(await claims.result([claims.count('writes', 1)]), 'fresh');
    assert.equal(await claims.result([claims.count('writes', 1)], claims.another(1)), 'spent');
  });

  rule('after its deadline a Check counts anew, and so does one that has no retries', async (claims, { pass }) => {
    const calls = () => claims.count('calls', 6);
    assert.equal(await claims.result([calls()]), 'fresh');
    pass(2001);
    const later = { ...claims.use, deadline: claims.use.deadline + 60_000 };
    assert.equal(await claims.result([calls()], later), 'fresh');
    assert.equal(await claims.result([calls()], later), 'same');
    for (const changes of [{ requestId: '' }, { deadline: Number.POSITIVE_INFINITY }])
      for (let n = 0; n < 2; n++) assert.equal(await claims.result([calls()], { ...later, ...changes }), 'fresh');
    assert.equal(await claims.result([calls()], claims.another(1)), 'spent');
  });

  rule('proofs and counts are claimed together, or none is', async (claims) => {
    const calls = claims.count('calls', 2);
    await claims.on(['used', claims.count('spent', 1)]);
    assert.equal(await claims.result(['used', calls], claims.another(1)), 'replayed');
    const spent = await claims.on(['proof', calls, claims.count('spent', 1)], claims.another(2));
    assert.deepEqual(spent, { result: 'spent', key: 'spent' });
    assert.equal(await claims.result(['proof', calls], claims.another(3)), 'fresh');
    assert.equal(await claims.result([calls], claims.another(4)), 'fresh');
    assert.equal(await claims.result([calls], claims.another(5)), 'spent');
  });

  rule('of distinct members only new ones count', async (claims) => {
    let n = 0;
    const used = (member: string) => claims.result([claims.count('apis', 2, member)], claims.another(n++), n);
    assert.deepEqual([await used('a'), await used('b'), await used('c')], ['fresh', 'fresh', 'spent']);
    assert.deepEqual([await used('a'), await used('b'), await used('c')], ['fresh', 'fresh', 'spent']);
    assert.equal(await claims.result([claims.count('others', 2, 'c')]), 'fresh');
  });

  rule('a count of nothing is spent; a limit that is no whole number is no claim', async (claims) => {
    assert.equal(await claims.result([claims.count('none', 0)]), 'spent');
    assert.equal(await claims.result([claims.count('none', 0, 'a')]), 'spent');
    assert.equal(await claims.result([claims.count('calls', -1)]), 'spent');
    for (const limit of [Number.NaN, Number.POSITIVE_INFINITY, 1.5])
      assert.equal(await claims.result([claims.count('calls', limit)]), 'unavailable');
  });

  rule('what is given back can be used once more', async (claims, { states: [first] }) => {
    const counted = [claims.count('calls', 1), claims.count('apis', 1, 'a')];
    for (let n = 0; n < 3; n++) {
      assert.equal(await claims.result(counted, claims.another(n)), 'fresh');
      assert.equal(await claims.result(counted, claims.another(n + 10)), 'spent');
      first.giveBack(counted, claims.another(n));
    }
    assert.equal(await claims.result([claims.count('apis', 1, 'b')], claims.another(20)), 'fresh');
    const withoutRetries = { ...claims.use, requestId: '' };
    assert.equal(await claims.result([claims.count('calls', 1)], withoutRetries), 'fresh');
    first.giveBack([claims.count('calls', 1)], withoutRetries);
    assert.equal(await claims.result([claims.count('calls', 1)], claims.another(21)), 'fresh');
  });

  rule(
    'what a retry or another Check lives by stays used when it is given back',
    async (claims, { states: [first] }) => {
      const calls = [claims.count('calls', 1)];
      await claims.on(calls);
      assert.equal(await claims.result(calls, claims.use, 1), 'same');
      first.giveBack(calls, claims.use);
      assert.equal(await claims.result(calls, claims.another(1)), 'spent');
      const api = (member: string) => [claims.count('apis', 1, member)];
      await claims.on(api('a'), claims.another(2));
      await claims.on(api('a'), claims.another(3));
      first.giveBack(api('a'), claims.another(2));
      assert.equal(await claims.result(api('b'), claims.another(4)), 'spent');
      first.giveBack(api('a'), claims.another(3));
      assert.equal(await claims.result(api('b'), claims.another(5)), 'fresh');
    },
  );

  rule(
    'what nobody claimed is not given back, and leaves no room',
    async (claims, { states: [first] }) => {
      const calls = [claims.count('calls', 2)];
      await claims.on(calls, claims.another(1));
      first.giveBack(calls, claims.another(2));
      first.giveBack([claims.count('never', 1), claims.count('apis', 1, 'a')], { ...claims.use, requestId: '' });
      assert.equal(await claims.result(calls, claims.another(3)), 'fresh');
      assert.equal(await claims.result(calls, claims.another(4)), 'spent');
      assert.equal(await claims.result([claims.count('never', 1)], claims.another(5)), 'fresh');
      assert.equal(await claims.result([claims.count('never', 1)], claims.another(6)), 'spent');
      const more: string[] = [];
      for (let n = 7; n < 10; n++) more.push(await claims.result([claims.count(`more-${n}`, 1)], claims.another(n)));
      assert.deepEqual(more, ['fresh', 'fresh', 'unavailable']);
    },
    8,
  );

  rule(
    'no caller fills the store with counts alone; what is counted already goes on, and proofs have a share of their own',
    async (claims, { states: [first] }) => {
      const own = (n: number, caller: string) => claims.result([claims.count(`${caller}-${n}`, 9)], claims.by(caller));
      const fill = async (caller: string) => {
        for (let n = 0; ; n++) if ((await own(n, caller)) === 'unavailable') return n;
      };
      assert.equal(await fill('a'), 8);
      assert.equal(await fill('b'), 4);
      first.giveBack([claims.count('b-0', 9)], claims.by('b'));
      assert.equal(await own(9, 'b'), 'fresh');
      assert.equal(
        await claims.result([claims.count('m', 9, 'x'), claims.count('m2', 9, 'x')], claims.by('c')),
        'fresh',
      );
      assert.equal(await claims.result([claims.count('m', 9, 'y')], claims.by('c')), 'unavailable');
      const again = { ...claims.by('a'), requestId: 'again' };
      assert.equal(await claims.result([claims.count('a-0', 9), claims.claim('proof')], again), 'fresh');
    },
    16,
  );
}

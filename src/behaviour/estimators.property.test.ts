import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { addToBloom, type BloomPlace, mayHold } from './bloom.ts';
import { ALARM, CUSUM_NUMBERS, type CusumPlan, countHit } from './cusum.ts';
import { countDistinct, DISTINCT_WORDS } from './distinct.ts';
import { mixed } from './hash.ts';
import { addToSketch, fadeSketch, greatest, mergeSketch, SKETCH_BUCKETS } from './sketch.ts';
import { advance, COUNTER_NUMBERS, countOne, estimate } from './sliding-counter.ts';

/** The same cases each time: some bounds hold with a probability. */
const seeded = { seed: 20261130, numRuns: 300 };
const values = fc.array(fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 1, max: 7e6, noNaN: true })), {
  minLength: 1,
  maxLength: 400,
});

suite('estimators against exact counts', () => {
  test('the greatest value is within 10 %, until it has faded; sketches add up', () => {
    fc.assert(
      fc.property(values, values, fc.integer({ min: 0, max: 28 }), (one, other, days) => {
        const [sketch, more, both] = [1, 2, 3].map(() => new Float32Array(SKETCH_BUCKETS)) as [
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        for (const value of one) addToSketch(sketch, 0, value);
        for (const value of other) addToSketch(more, 0, value);
        for (const value of [...one, ...other]) addToSketch(both, 0, value);
        const exact = Math.max(...one);
        for (let day = 0; day < days; day++) fadeSketch(sketch, 0, 0.9);
        assert.ok(Math.abs(greatest(sketch, 0, 0.05) - exact) <= 0.1 * exact + 1e-9);
        for (let day = 0; day < 100; day++) fadeSketch(sketch, 0, 0.9);
        assert.equal(greatest(sketch, 0, 0.05), 0);
        const sum = new Float32Array(SKETCH_BUCKETS);
        for (const value of one) addToSketch(sum, 0, value);
        mergeSketch(sum, 0, more, 0, 1);
        assert.deepEqual(sum, both);
      }),
      seeded,
    );
  });

  test('what is below 1, or no number, is not counted; what is too great is counted in the last bucket', () => {
    const sketch = new Float32Array(SKETCH_BUCKETS + 2).subarray(1, -1);
    for (const value of [0, 0.5, -3, Number.NaN]) addToSketch(sketch, 0, value);
    assert.equal(greatest(sketch, 0, 1), 0);
    addToSketch(sketch, 0, Number.POSITIVE_INFINITY);
    assert.ok(greatest(sketch, 0, 1) > 6e6);
  });

  test('a sliding count is off by at most what came in the bucket before', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1500 }), { minLength: 1, maxLength: 300 }), (gaps) => {
        const numbers = new Float64Array(COUNTER_NUMBERS);
        const times: number[] = [];
        let t = 0;
        for (const gap of gaps) {
          t += gap;
          times.push(t);
          advance(numbers, 0, t, 1000);
          const found = countOne(numbers, 0, t, 1000);
          const exact = times.filter((time) => time > t - 1000).length;
          const before = times.filter((time) => Math.floor(time / 1000) === Math.floor(t / 1000) - 1).length;
          assert.ok(Math.abs(found - exact) <= before, `${found} for ${exact}`);
          assert.ok(Math.abs(estimate(numbers, 0, t, 1000) - found) < 1e-9);
          for (const later of [300, 900, 1900, 5000]) {
            const [copy, left] = [numbers.slice(), estimate(numbers, 0, t + later, 1000)];
            advance(copy, 0, t + later, 1000);
            assert.ok(Math.abs(countOne(copy, 0, t + later, 1000) - 1 - left) < 1e-9);
          }
        }
      }),
      seeded,
    );
  });

  test('buckets that end give what came in them, each once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2500 }), { minLength: 1, maxLength: 100 }), (gaps) => {
        const numbers = new Float64Array(COUNTER_NUMBERS);
        const exact = new Map<number, number>();
        const ended: number[] = [];
        let t = 0;
        for (const gap of gaps) {
          t += gap;
          exact.set(Math.floor(t / 1000), (exact.get(Math.floor(t / 1000)) ?? 0) + 1);
          const count = advance(numbers, 0, t, 1000);
          if (count > 0) ended.push(count);
          countOne(numbers, 0, t, 1000);
        }
        assert.deepEqual(ended, [...exact.values()].slice(0, -1));
      }),
      seeded,
    );
  });

  test('distinct things are within five standard errors, and repeated ones count once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 250 }), fc.nat(), (count, start) => {
        const bits = new Uint32Array(DISTINCT_WORDS + 2);
        let found = 0;
        for (let round = 0; round < 2; round++)
          for (let n = 0; n < count; n++) found = countDistinct(bits, 1, mixed(start + n));
        const load = count / 256;
        const error = Math.sqrt(256 * (Math.exp(load) - load - 1));
        assert.ok(Math.abs(found - count) <= 5 * error + 1, `${found} for ${count}`);
        assert.deepEqual([bits[0], bits.at(-1)], [0, 0]);
      }),
      seeded,
    );
  });

  test('a set knows every member, and others as seldom as is said', () => {
    const place: BloomPlace = { at: 1, words: 128, hashes: 4 };
    for (const count of [50, 200, 400]) {
      const bits = new Uint32Array(130);
      for (let n = 0; n < count; n++) addToBloom(bits, 0, place, mixed(n));
      for (let n = 0; n < count; n++) assert.ok(mayHold(bits, 0, place, mixed(n)));
      let wrong = 0;
      for (let n = 0; n < 100_000; n++) wrong += Number(mayHold(bits, 0, place, mixed(1_000_000 + n)));
      const expected = (1 - Math.exp((-4 * count) / 4096)) ** 4 * 100_000;
      assert.ok(wrong <= 1.3 * expected + 30, `${wrong} for ${expected}, ${count} members`);
      assert.deepEqual([bits[0], bits.at(-1)], [0, 0]);
    }
  });

  const plan: CusumPlan = { at: 1, usual: [0.05, 0.1], wanted: 0.3, cap: 1e6 };
  const [hit, miss] = [Math.log(0.3 / 0.05), Math.log(0.7 / 0.95)];

  test('a cumulative sum is the greatest sum of any last requests', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.constantFrom(1, 0.25)), { maxLength: 200 }), (requests) => {
        const numbers = new Float64Array(CUSUM_NUMBERS + 2);
        const steps: number[] = [];
        for (const [isHit, weight] of requests) {
          countHit(numbers, 0, plan, isHit, weight);
          steps.push(isHit ? weight * hit : miss);
          let [exact, sum] = [0, 0];
          for (const step of steps.toReversed()) {
            sum += step;
            exact = Math.max(exact, sum);
          }
          assert.ok(Math.abs(numbers[2]! - exact) < 1e-9, `${numbers[2]} for ${exact}`);
        }
        assert.deepEqual([numbers[0], numbers.at(-1)], [0, 0]);
      }),
      seeded,
    );
  });

  test('it is no alarm in a million requests of which as many are hits as is thought usual', () => {
    const numbers = new Float64Array(CUSUM_NUMBERS);
    let state = 1;
    for (let n = 0; n < 1_000_000; n++) {
      state = mixed(state + 0x6d2b79f5);
      countHit(numbers, -1, plan, state / 2 ** 32 < 0.025);
      assert.ok(numbers[1]! < ALARM, `at ${n}`);
    }
  });

  test('it ends by the cap, however many hits come', () => {
    const numbers = new Float64Array(CUSUM_NUMBERS + 1);
    for (let n = 0; n < 10_000; n++) countHit(numbers, 0, { ...plan, cap: 3 }, true);
    assert.equal(numbers[2], 3 * ALARM);
    for (let n = 0; n < 200; n++) countHit(numbers, 0, { ...plan, cap: 3 }, false);
    assert.equal(numbers[2], 0);
  });
});

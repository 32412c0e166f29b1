import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { TimeHistogram } from './time-histogram.ts';

const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1];

test('a scrape shows what it shows of the histogram of prom-client', async () => {
  const seconds = fc.oneof(fc.constantFrom(0, ...BUCKETS), fc.double({ min: 0, max: 2, noNaN: true }));
  const observations = fc.array(fc.tuple(fc.constantFrom('allow', 'deny', 'other "label"\n'), seconds), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(observations, async (observed) => {
      const [ours, theirs] = [new Registry(), new Registry()];
      const mine = new TimeHistogram('a_seconds', 'What is measured', 'result', ours);
      const reference = new Histogram({
        name: 'a_seconds',
        help: 'What is measured',
        labelNames: ['result'],
        buckets: BUCKETS,
        registers: [theirs],
      });
      mine.begin('allow');
      reference.zero({ result: 'allow' });
      for (const [result, value] of observed) {
        mine.observe(result, value);
        reference.observe({ result }, value);
      }
      assert.equal(await ours.metrics(), await theirs.metrics());
    }),
  );
});

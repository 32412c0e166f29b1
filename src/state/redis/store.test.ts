import type { TestContext } from 'node:test';
import { countSuite } from '../../../test/support/count-suite.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { sidecars } from '../../../test/support/redis-states.ts';
import { type StateSuite, stateSuite } from '../../../test/support/state-suite.ts';
import { touchedSuite } from '../../../test/support/touched-suite.ts';

const stores: StateSuite = {
  name: 'redis',
  skip: noRedis,
  make: async (t: TestContext, maxEntries: number, maxCounts: number, maxAccounts?: number) => {
    const redis = await Redis.of(t);
    const clock = { passed: 0 };
    const states = await sidecars(
      t,
      redis,
      2,
      { maxEntries, maxCounts, maxAccounts: maxAccounts ?? 1000 },
      () => clock.passed,
    );
    return {
      states: [states[0]!, states[1]!],
      now: () => Date.now() + clock.passed,
      pass: (milliseconds) => {
        clock.passed += milliseconds;
      },
    };
  },
};
stateSuite(stores);
countSuite(stores);
touchedSuite(stores);

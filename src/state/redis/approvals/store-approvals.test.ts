import { approvalSuite } from '../../../../test/support/approval-suite.ts';
import { noRedis, Redis } from '../../../../test/support/redis.ts';
import { approvalsOf } from '../../../../test/support/redis-approvals.ts';
import { signs } from '../../../../test/support/redis-books.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';

approvalSuite({
  name: 'redis',
  covers: 'store',
  skip: noRedis,
  make: async (t) => {
    const redis = await Redis.of(t);
    await redis.age('test');
    const first = await approvalsOf(t, storeOptions(redis), signs);
    const other = await approvalsOf(t, storeOptions(redis), signs);
    return [first.book, other.book];
  },
});

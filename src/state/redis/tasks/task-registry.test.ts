import { noRedis, Redis } from '../../../../test/support/redis.ts';
import { signs } from '../../../../test/support/redis-books.ts';
import { registryOf } from '../../../../test/support/redis-registries.ts';
import { storeOptions } from '../../../../test/support/redis-states.ts';
import { registrySuite } from '../../../../test/support/registry-suite.ts';

registrySuite({
  name: 'redis',
  covers: 'store',
  skip: noRedis,
  make: async (t, limits) => {
    const redis = await Redis.of(t);
    await redis.age('test');
    const first = await registryOf(t, storeOptions(redis), { keys: signs, limits });
    const other = await registryOf(t, storeOptions(redis), { keys: signs, limits });
    return [first.registry, other.registry];
  },
});

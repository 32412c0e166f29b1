import type { TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import type { LiftKeys } from '../../src/state/lift-keys.ts';
import type { StoreOptions } from '../../src/state/redis/options.ts';
import { RedisState } from '../../src/state/redis/store.ts';
import { type RedisRegistryParts, RedisTaskRegistry } from '../../src/state/redis/tasks/task-registry.ts';
import type { TaskLimits } from '../../src/state/tasks/registry.ts';
import { trusts } from './redis-books.ts';

export const LIMITS: TaskLimits = { perWorkload: 1000, all: 10_000 };

type Event = Parameters<RedisRegistryParts['onEvent']>[0];

interface RegistryOf {
  readonly keys?: LiftKeys;
  readonly limits?: TaskLimits;
  readonly clock?: typeof systemClock;
}

/** The tasks of one sidecar. */
export async function openRegistry(
  options: StoreOptions,
  { keys = trusts, limits = LIMITS, clock = systemClock }: RegistryOf = {},
) {
  const state = await RedisState.start({ options, clock, onEvent: () => {} });
  const events: Event[] = [];
  const registry = await RedisTaskRegistry.start({
    ...state.followed,
    limits,
    keys: () => keys,
    onEvent: (event) => events.push(event),
  });
  return {
    state,
    registry,
    events: events as readonly Event[],
    stop: async () => {
      await registry.stop();
      await state.stop();
    },
  };
}

/** The same for one test. */
export async function registryOf(t: TestContext, options: StoreOptions, of: RegistryOf = {}) {
  const opened = await openRegistry(options, of);
  t.after(() => opened.stop());
  return opened;
}

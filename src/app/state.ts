import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import { activityBytes } from '../state/activity/size.ts';
import { MemoryState } from '../state/memory.ts';
import { MAX_COUNTS, type State } from '../state/model.ts';
import type { StoreOptions } from '../state/redis/options.ts';
import type { StoreEvent, StoreStatus } from '../state/redis/status.ts';
import { RedisState } from '../state/redis/store.ts';
import { TASK_BYTES } from '../state/tasks/registry.ts';
import { type Part, timeText } from './part.ts';

/** What outlives a request, running. */
export interface StatePart extends Part {
  readonly state: State;
  /** What is known of the store; null where the state is the memory of this process. */
  readonly store: () => StoreStatus | null;
  /** The store that sidecars share; null where there is none. */
  readonly shared: RedisState | null;
}

/** Opens the state of the configuration. `startedAtMs`: when the process started, in milliseconds since the epoch. */
export async function startState(
  { state, limits, task }: Config,
  startedAtMs: number,
  onEvent: (event: StoreEvent) => void,
): Promise<StatePart> {
  if (state.store === 'memory') {
    const { accounts: maxAccounts } = state.touched;
    const memory = new MemoryState({ maxEntries: limits.rememberedProofs, maxAccounts, startedAtMs });
    const status = () => ({ state: { store: 'memory' } });
    return { state: memory, store: () => null, shared: null, missing: () => [], status, stop: () => {} };
  }
  const { activity, tasks, touched, ...server } = state;
  const options: StoreOptions = {
    ...server,
    maxEntries: limits.rememberedProofs,
    maxCounts: MAX_COUNTS,
    maxAccounts: touched.accounts,
    activityBytes: activityBytes(activity),
    // Where no tasks can be stated, none are registered.
    taskBytes: task.issuers.length === 0 ? 0 : tasks.all * TASK_BYTES,
  };
  const redis = await RedisState.start({ options, clock: systemClock, onEvent });
  return {
    state: redis,
    store: () => redis.status(),
    shared: redis,
    // Once it was there, checks that need it are refused with a reason, which is better than no answer from anybody.
    missing: () => (redis.status().connects === 0 ? [`the store cannot be used: ${redis.status().fault}`] : []),
    status: () => ({ state: shown(redis.status()) }),
    stop: () => redis.stop(),
  };
}

/** What `/status` shows of a store. */
const shown = ({ server, facts, history, answeredAtMs, fault, warnings }: StoreStatus) => ({
  store: 'redis',
  server,
  version: facts?.version ?? null,
  replicas: facts?.replicas ?? null,
  provesSince: timeText(history?.sinceMs ?? null),
  answeredAt: timeText(answeredAtMs),
  fault,
  warnings,
});

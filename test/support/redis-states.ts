import type { TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import type { ClaimResult, History, Use } from '../../src/state/model.ts';
import type { StoreOptions } from '../../src/state/redis/options.ts';
import type { StoreEvent } from '../../src/state/redis/status.ts';
import { RedisState } from '../../src/state/redis/store.ts';
import type { Redis } from './redis.ts';

/** Options for a server on loopback. A busy machine may take long for an answer. */
export const storeOptions = (redis: Redis, more: Partial<StoreOptions> = {}): StoreOptions => ({
  endpoint: { kind: 'tcp', host: '127.0.0.1', port: redis.port },
  sentinels: null,
  database: 0,
  tls: null,
  user: null,
  namespace: 'test',
  timeoutMs: 5000,
  replicas: 0,
  maxEntries: 1000,
  maxCounts: 1000,
  maxAccounts: 1000,
  maxStaleMs: 2000,
  activityBytes: 0,
  taskBytes: 0,
  ...more,
});

/** The state of one sidecar, its clock so many milliseconds ahead, with what it told. */
export async function sidecarState(
  t: TestContext,
  options: StoreOptions,
  aheadMs: () => number = () => 0,
): Promise<{ readonly state: RedisState; readonly events: readonly StoreEvent[] }> {
  const events: StoreEvent[] = [];
  const state = await RedisState.start({
    options,
    clock: { now: () => systemClock.now() + aheadMs(), after: systemClock.after },
    onEvent: (event) => events.push(event),
  });
  t.after(() => state.stop());
  return { state, events };
}

let uses = 0;

/** One use of a proof, by another request than all before. `history`: the one by which it was judged. */
export async function claimOn(
  state: RedisState,
  key: string,
  history: History = state.history(),
): Promise<ClaimResult> {
  const use: Use = {
    requestId: String(uses++),
    caller: 'spiffe://prod.example/agent',
    checkPeer: null,
    digest: 'd',
    deadline: Date.now() + 60_000,
    judgedBy: 'r',
  };
  return await state.claim([{ key, until: Date.now() + 60_000, history }], use);
}

/** The states of several sidecars on one server. */
export async function sidecars(
  t: TestContext,
  redis: Redis,
  count: number,
  more: Partial<StoreOptions> = {},
  aheadMs?: () => number,
): Promise<readonly RedisState[]> {
  const all: RedisState[] = [];
  for (let n = 0; n < count; n++) all.push((await sidecarState(t, storeOptions(redis, more), aheadMs)).state);
  return all;
}

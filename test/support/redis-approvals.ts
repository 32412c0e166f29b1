import type { TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import type { LiftKeys } from '../../src/state/lift-keys.ts';
import { RedisApprovals, type RedisApprovalsParts } from '../../src/state/redis/approvals/store-approvals.ts';
import type { StoreOptions } from '../../src/state/redis/options.ts';
import { RedisState } from '../../src/state/redis/store.ts';
import { trusts } from './redis-books.ts';

/** The approvals of one process. */
export async function openApprovals(options: StoreOptions, keys: LiftKeys = trusts) {
  const state = await RedisState.start({ options, clock: systemClock, onEvent: () => {} });
  const events: Parameters<RedisApprovalsParts['onEvent']>[0][] = [];
  const book = await RedisApprovals.start({
    ...state.followed,
    keys: () => keys,
    onEvent: (event) => events.push(event),
  });
  return {
    state,
    book,
    events,
    stop: async () => {
      await book.stop();
      await state.stop();
    },
  };
}

/** The same for one test. */
export async function approvalsOf(t: TestContext, options: StoreOptions, keys: LiftKeys = trusts) {
  const opened = await openApprovals(options, keys);
  t.after(() => opened.stop());
  return opened;
}

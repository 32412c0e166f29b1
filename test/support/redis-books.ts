import { generateKeyPairSync } from 'node:crypto';
import type { TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import type { LiftKeys } from '../../src/state/lift-keys.ts';
import type { BookEvent, RedisBook } from '../../src/state/redis/book.ts';
import type { StoreOptions } from '../../src/state/redis/options.ts';
import { RedisState } from '../../src/state/redis/store.ts';
import type { Revocation } from '../../src/state/revocation.ts';
import { hitBy } from './orders.ts';
import { until } from './until.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');

/** A sidecar that takes lifts, and one that only believes them. */
export const signs: LiftKeys = { signing: privateKey, trusted: [publicKey] };
export const trusts: LiftKeys = { signing: null, trusted: [publicKey] };

/** What one sidecar has of the store. */
export interface SidecarBook {
  readonly state: RedisState;
  readonly book: RedisBook;
  readonly events: BookEvent[];
  /** What checks would find now for what this order names: its id, null, or why nobody knows. */
  readonly asked: (order: Revocation) => string | null;
  readonly stop: () => Promise<void>;
}

/** The revocations of one sidecar; `clock` as its own. */
export async function openBook(
  options: StoreOptions,
  keys: LiftKeys = trusts,
  clock = systemClock,
): Promise<SidecarBook> {
  const state = await RedisState.start({ options, clock, onEvent: () => {} });
  const events: BookEvent[] = [];
  const book = await state.openBook(
    () => keys,
    (event) => events.push(event),
  );
  return {
    state,
    book,
    events,
    asked: (order) => book.unknown(clock.now()) ?? book.lookup.find(hitBy(order), clock.now())?.id ?? null,
    stop: async () => {
      await book.stop();
      await state.stop();
    },
  };
}

/** The same for one test. */
export async function bookOf(t: TestContext, options: StoreOptions, keys?: LiftKeys, clock?: typeof systemClock) {
  const opened = await openBook(options, keys, clock);
  t.after(() => opened.stop());
  return opened;
}

/** Waits until a sidecar answers so about an order. */
export const answers = ({ asked }: SidecarBook, order: Revocation, id: string | null): Promise<unknown> =>
  until(`the answer about ${order.id}`, () => (asked(order) === id ? true : null));

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denial, permit } from '../../../test/support/activity.ts';
import { Fault } from '../../base/fault.ts';
import { keptSince } from './following.ts';
import { MemoryActivity } from './memory.ts';
import type { DecisionPlaces, DecisionSummary, KeptSince } from './model.ts';

const limits = { denials: 5000, allows: 100, oneAllowIn: 1, workloads: 10 };
const memory = (more: Partial<typeof limits> = {}) =>
  new MemoryActivity({ limits: { ...limits, ...more }, onOmitted: () => {}, now: Date.now });
const ids = ({ items }: KeptSince): readonly string[] => items.map(({ decision }: DecisionSummary) => decision);

async function since(activity: MemoryActivity, places: DecisionPlaces | null): Promise<KeptSince> {
  const found = await activity.since(places);
  assert.ok(!(found instanceof Fault));
  return found;
}

test('what was kept since comes once, the oldest first, denials and allows in the order in which they came', async () => {
  const activity = memory();
  const empty = await since(activity, null);
  for (let n = 0; n < 3; n++) activity.keep((n % 2 === 0 ? permit : denial)({ decision: `d-${n}` }));
  assert.deepEqual(ids(await since(activity, null)), [], 'of what was there before nothing');
  const first = await since(activity, empty.places);
  assert.deepEqual([ids(first), first.isWhole], [['d-0', 'd-1', 'd-2'], true]);
  assert.deepEqual(ids(await since(activity, first.places)), []);
  for (let n = 3; n < 130; n++) activity.keep((n % 3 === 0 ? permit : denial)({ decision: `d-${n}` }));
  const second = await since(activity, first.places);
  assert.deepEqual([ids(second), second.isWhole], [Array.from({ length: 127 }, (_, n) => `d-${n + 3}`), true]);
});

test('where what came is kept no longer, or is too much, that is said, and it goes on from the newest', async () => {
  const small = memory({ denials: 5 });
  small.keep(denial({ decision: 'd-0' }));
  const { places } = await since(small, null);
  for (let n = 1; n < 5; n++) small.keep(denial({ decision: `d-${n}` }));
  const whole = await since(small, places);
  assert.deepEqual([ids(whole), whole.isWhole], [['d-1', 'd-2', 'd-3', 'd-4'], true]);
  for (let n = 5; n < 7; n++) small.keep(denial({ decision: `d-${n}` }));
  assert.equal((await since(small, places)).isWhole, false);
  assert.equal((await since(small, whole.places)).isWhole, true);

  const large = memory();
  large.keep(denial({ decision: 'd-0' }));
  const begun = await since(large, null);
  for (let n = 1; n < 1500; n++) large.keep(denial({ decision: `d-${n}` }));
  const much = await since(large, begun.places);
  assert.deepEqual([much.isWhole, much.items.length >= 1000, ids(much).at(-1)], [false, true, 'd-1499']);
  assert.deepEqual(ids(await since(large, much.places)), []);
});

test('a list that cannot be read is a fault', async () => {
  const fault = new Fault('the store is not reached');
  const found = await keptSince({ deny: { read: () => [] }, allow: { read: () => fault } }, null);
  assert.equal(found, fault);
});

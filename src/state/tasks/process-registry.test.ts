import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begun, KEPT_MS, registration } from '../../../test/support/registering.ts';
import { registrySuite } from '../../../test/support/registry-suite.ts';
import { ProcessRegistry } from './process-registry.ts';
import type { TaskLimits } from './registry.ts';

const HOUR_MS = 3_600_000;

let passedMs = 0;
registrySuite({
  name: 'memory',
  covers: 'this process',
  make: async (_, limits) => [new ProcessRegistry(limits, () => performance.now() + passedMs)],
  pass: (ms) => {
    passedMs += ms;
  },
});

const MINUTE_MS = 60_000;
const { issuer } = registration();

/** A registry whose other clock goes on only when it is told. */
function registryBy(limits: TaskLimits) {
  let elapsedMs = 0;
  const pass = (ms: number): void => {
    elapsedMs += ms;
  };
  return { registry: new ProcessRegistry(limits, () => elapsedMs), pass };
}

test('memory: there are so many tasks in all, until some are forgotten', async () => {
  const { registry, pass } = registryBy({ perWorkload: 5, all: 5 });
  const now = Date.now();
  for (let at = 0; at < 4; at++) await begun(registry, { id: `t-${at}` }, now);
  await begun(registry, { id: 't-4', leaseMs: MINUTE_MS }, now);
  let passed = 0;
  const after = async (ms: number): Promise<string> => {
    pass(ms);
    passed += ms;
    const another = registration({ id: 't-5', endsAtMs: now + 2 * HOUR_MS });
    return (await registry.register(another, KEPT_MS, now + passed)).result;
  };
  assert.equal(await after(MINUTE_MS + KEPT_MS - 1), 'full');
  // While it is full, it looks for room once a second.
  assert.equal(await after(1), 'full');
  assert.equal(await after(999), 'stored');
});

test('memory: a child of a task that nobody remembers any more is ended', async () => {
  const { registry, pass } = registryBy({ perWorkload: 10, all: 10 });
  const now = Date.now();
  await begun(registry, { id: 't-1', leaseMs: MINUTE_MS }, now);
  const child = await begun(registry, { id: 't-2', parent: { issuer, id: 't-1' } }, now);
  const kept = now + MINUTE_MS + KEPT_MS;
  pass(kept - now);
  await begun(registry, { id: 't-3' }, kept);
  assert.equal(registry.lookup.find(issuer, 't-1'), null);
  assert.equal(registry.lookup.stateOf(child, kept), 'ended');
  assert.equal(registry.lookup.size, 2);
});

test('memory: an ended task stays ended where the wall clock goes a day ahead and back, and its id is not free meanwhile', async () => {
  const { registry, pass } = registryBy({ perWorkload: 10, all: 10 });
  const now = Date.now();
  await begun(registry, { id: 't-1' }, now);
  await registry.end({ issuer, id: 't-1' }, 'by', 'done', now);
  pass(MINUTE_MS);
  const ahead = now + 24 * HOUR_MS;
  const again = registration({ id: 't-1', endsAtMs: ahead + HOUR_MS });
  assert.deepEqual(await registry.register(again, KEPT_MS, ahead), { result: 'over', state: 'ended' });
  await begun(registry, { id: 't-2', endsAtMs: ahead + HOUR_MS }, ahead);
  const back = now + 2 * MINUTE_MS;
  pass(MINUTE_MS);
  await begun(registry, { id: 't-3' }, back);
  const task = registry.lookup.find(issuer, 't-1');
  assert.equal(task && registry.lookup.stateOf(task, back), 'ended');
  // As soon as that much time has passed, it is.
  pass(KEPT_MS);
  await begun(registry, { id: 't-1' }, back + KEPT_MS);
});

test('memory: what ended while the wall clock was behind is not forgotten when it is right again', async () => {
  const { registry, pass } = registryBy({ perWorkload: 10, all: 10 });
  const now = Date.now();
  await begun(registry, { id: 't-1' }, now);
  await registry.end({ issuer, id: 't-1' }, 'by', 'done', now - 24 * HOUR_MS);
  pass(MINUTE_MS);
  assert.equal((await registry.register(registration(), KEPT_MS, now + MINUTE_MS)).result, 'stored');
  assert.equal((await registry.register(registration({ id: 't-1' }), KEPT_MS, now + MINUTE_MS)).result, 'over');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begun, KEPT_MS, registration } from '../../../test/support/registering.ts';
import { registrySuite } from '../../../test/support/registry-suite.ts';
import { ProcessRegistry } from './process-registry.ts';

registrySuite({
  name: 'memory',
  covers: 'this process',
  make: async (_, limits) => [new ProcessRegistry(limits)],
});

test('memory: a child of a task that nobody remembers any more is ended', async () => {
  const registry = new ProcessRegistry({ perWorkload: 10, all: 10 });
  const now = Date.now();
  const { issuer } = registration();
  await begun(registry, { id: 't-1', leaseMs: 60_000 }, now);
  const child = await begun(registry, { id: 't-2', parent: { issuer, id: 't-1' } }, now);
  const kept = now + 60_000 + KEPT_MS;
  await begun(registry, { id: 't-3' }, kept);
  assert.equal(registry.lookup.find(issuer, 't-1'), null);
  assert.equal(registry.lookup.stateOf(child, kept), 'ended');
  assert.equal(registry.lookup.size, 2);
});

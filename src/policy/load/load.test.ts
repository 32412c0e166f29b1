import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourcesOf } from '../../../test/support/policy.ts';
import { Engine } from '../decide/engine.ts';
import { install, validateApart } from './load.ts';

test('the thread that serves takes the inventory that the worker read, and reads no YAML', async (t) => {
  const sources = sourcesOf({ 'a.cedar': '@id("a") permit (principal, action, resource);' });
  const judged = await validateApart(sources);
  assert.ok(!('problems' in judged));
  const engine = new Engine();
  t.after(() => engine.close());
  const unreadable = { ...sources, inventory: { file: 'inventory.yaml', text: '[' } };
  const loaded = install(engine, unreadable, judged);
  assert.ok(!('problems' in loaded));
  assert.ok(loaded.snapshot.inventory.hosts.has('payments.internal'));
  assert.ok('problems' in install(engine, unreadable, { ...judged, inventory: { text: '', tables: [], digest: '' } }));
});

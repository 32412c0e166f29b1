import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estate, loaded } from '../../test/support/policy.ts';
import { whenInventoryChanges } from './policy.ts';

const permit = (id: string): string => `@id("${id}") permit (principal, action, resource);`;
const snapshotOf = (id: string, inventory = estate) =>
  loaded({ 'a.cedar': permit(id) }, { inventory: { file: 'inventory.yaml', text: inventory } }).snapshot;

test('other policies change nothing about the inventory, and each other inventory does, once', () => {
  let changes = 0;
  const told = whenInventoryChanges(snapshotOf('a'), () => changes++);
  told(snapshotOf('b'));
  assert.equal(changes, 0);
  const other = snapshotOf('b', estate.replace('sensitivity: public', 'sensitivity: internal'));
  told(other);
  told(other);
  assert.equal(changes, 1);
  told(snapshotOf('b'));
  assert.equal(changes, 2);
});

test('the first inventory is one that changed, where none was there', () => {
  let changes = 0;
  whenInventoryChanges(null, () => changes++)(snapshotOf('a'));
  assert.equal(changes, 1);
});

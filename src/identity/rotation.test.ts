import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadInventory } from '../inventory/load.ts';
import { dueRotations, rotationsOf, rotationText } from './rotation.ts';

const key = (digit: string, rotateBy: string) => ({
  sha256: digit.repeat(64),
  created: '2026-10-01T00:00:00Z',
  rotateBy,
});
const account = (name: string, ...keys: readonly object[]) => ({
  id: `spiffe://prod.example/legacy/${name}`,
  owner: 'payments',
  kind: 'legacy',
  networks: ['10.2.0.0/16'],
  legacy: { hosts: ['payments.internal'], keys },
});

const inventory = loadInventory(
  JSON.stringify({
    teams: ['payments'],
    workloads: [
      account('later', key('a', '2026-12-31')),
      account('rotating', key('b', '2026-11-01'), key('c', '2026-12-20')),
      account('ended', key('d', '2026-11-01')),
    ],
    resources: [{ host: 'payments.internal' }],
  }),
  'inventory.yaml',
  { ownTrustDomains: new Set(['prod.example']) },
);

test('an account is due 14 days before its newest key ends, the most urgent first', () => {
  assert.ok(!Array.isArray(inventory));
  const due = (at: string) => dueRotations(inventory, Date.parse(at)).map(({ id }) => id.text.split('/').at(-1));
  assert.deepEqual(due('2026-10-18T23:59:59Z'), []);
  assert.deepEqual(due('2026-10-19T00:00:00Z'), ['ended']);
  assert.deepEqual(due('2026-12-06T23:59:59Z'), ['ended']);
  assert.deepEqual(due('2026-12-07T00:00:00Z'), ['ended', 'rotating']);
  assert.deepEqual(due('2027-01-01T00:00:00Z'), ['ended', 'rotating', 'later']);
});

test('it is said whether the keys end or have ended, by their last day', () => {
  assert.ok(!Array.isArray(inventory));
  const [first] = rotationsOf(inventory);
  assert.ok(first !== undefined);
  const at = (text: string) => rotationText(first, Date.parse(text));
  assert.match(at('2026-11-01T23:59:59Z'), /legacy\/ended end on 2026-11-01; make a new one/);
  assert.match(at('2026-11-02T00:00:00Z'), /legacy\/ended ended on 2026-11-01, so it is refused/);
});

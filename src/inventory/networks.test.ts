import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inventoryOf, problemsOf, workloadOf } from '../../test/support/inventory.ts';
import { inNetworks } from './networks.ts';

const erp = { id: 'spiffe://prod.example/erp', owner: 'payments', kind: 'legacy' };
const networks = ['10.2.0.0/16', 'fd00:1::/32'];
const stated = workloadOf(inventoryOf({ workloads: [{ ...erp, networks }] }), erp.id);

test('a client is in the networks of its workload, or not', () => {
  for (const client of ['10.2.0.1', '10.2.255.255', 'fd00:1::7'])
    assert.equal(inNetworks(stated, client), true, client);
  for (const client of ['10.3.0.1', '110.2.0.1', 'fd00:2::7', '::1'])
    assert.equal(inNetworks(stated, client), false, client);
});

test('without networks, and without an address, nothing is known', () => {
  assert.equal(inNetworks(stated, null), null);
  assert.equal(inNetworks(stated, 'pipe'), null);
  assert.equal(inNetworks(workloadOf(inventoryOf({ workloads: [erp] }), erp.id), '10.2.0.1'), null);
});

test('networks are CIDR blocks, and some', () => {
  for (const network of ['10.2.0.0', '10.2.0.0/33', '10.2.0/16', '::ffff/129', 'localhost/8', '10.2.0.0/16 ']) {
    assert.match(problemsOf({ workloads: [{ ...erp, networks: [network] }] }).join(), /a network is written/, network);
  }
  assert.match(problemsOf({ workloads: [{ ...erp, networks: [] }] }).join(), /an empty list admits no address/);
});

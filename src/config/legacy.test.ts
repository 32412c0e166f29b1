import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inventoryOf } from '../../test/support/inventory.ts';
import { formatProblem } from '../source/problem.ts';
import { againstInventory } from './against-inventory.ts';
import { isConfig, loadConfig } from './load.ts';

const NOW = Date.UTC(2026, 10, 29);

const configOf = (legacy: object, more: object = {}) =>
  loadConfig(
    JSON.stringify({
      hosts: ['payments.internal'],
      identity: { trustDomains: { 'prod.example': { local: true, bundle: { file: 'a' } } }, legacy },
      ...more,
    }),
    'config.yaml',
    {},
  );

function problems(legacy: object, more: object = {}): string {
  const loaded = configOf(legacy, more);
  return isConfig(loaded) ? 'good' : loaded.map(formatProblem).join('\n');
}

test('the header with keys has a name of its own, and no other use', () => {
  assert.equal(problems({ keyHeader: 'x-api-key' }), 'good');
  for (const taken of ['authorization', 'cookie', 'dpop', 'host', 'x-forwarded-client-cert', 'x-authz-caller'])
    assert.match(problems({ keyHeader: taken }), /identity\.legacy\.keyHeader: has a meaning of its own/, taken);
  for (const wrong of ['X-Api-Key', 'x_api_key', 'x api key', ':path'])
    assert.match(problems({ keyHeader: wrong }), /keyHeader: is not a header name/, wrong);
  const shared = /identity\.legacy\.keyHeader: is a header of task\.headers or policy\.headers too/;
  assert.match(problems({ keyHeader: 'x-task-id' }), shared);
  assert.match(problems({ keyHeader: 'x-account' }, { policy: { headers: [{ name: 'x-account' }] } }), shared);
  assert.equal(problems({ keyHeader: 'x-task-id' }, { task: { headers: 'off' } }), 'good');
});

test('authorities of accounts have names, each once', () => {
  const authority = { name: 'erp-ca', file: './erp-ca.pem' };
  assert.equal(problems({ authorities: [authority, { ...authority, name: 'other-ca' }] }), 'good');
  assert.match(problems({ authorities: [authority, authority] }), /identity\.legacy\.authorities/);
});

const account = {
  id: 'spiffe://prod.example/legacy/erp',
  owner: 'payments',
  kind: 'legacy',
  networks: ['10.2.0.0/16'],
};
const keys = [{ sha256: 'a'.repeat(64), created: '2026-11-01T00:00:00Z', rotateBy: '2027-01-15' }];
const hosts = ['payments.internal'];

function notes(configured: object, stated: object): readonly string[] {
  const config = configOf(configured);
  assert.ok(isConfig(config));
  const workloads = [{ ...account, legacy: { hosts, ...stated } }];
  const { problems: found, notes: said } = againstInventory(
    config,
    inventoryOf({ workloads, resources: [{ host: 'payments.internal' }] }),
    NOW,
  );
  assert.deepEqual(found, []);
  return said;
}

test('keys that nothing reads, authorities that nobody configured and keys that end soon are noted', () => {
  const keyHeader = 'x-api-key';
  assert.deepEqual(notes({ keyHeader }, { keys }), []);
  assert.match(notes({}, { keys }).join(), /^no API key .*legacy\/erp: set identity\.legacy\.keyHeader$/);
  const certificates = [{ authority: 'erp-ca', dnsName: 'erp.legacy.example' }];
  const authorities = [{ name: 'erp-ca', file: './erp-ca.pem' }];
  assert.deepEqual(notes({ authorities }, { certificates }), []);
  assert.match(
    notes({}, { certificates }).join(),
    /name the authority erp-ca, which identity\.legacy\.authorities has not/,
  );
  const soon = [{ ...keys[0], rotateBy: '2026-12-05' }];
  assert.match(notes({ keyHeader }, { keys: soon }).join(), /^the API keys of .* end on 2026-12-05; make a new one/);
});

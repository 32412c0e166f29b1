import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../base/outcome.ts';
import { apiKeyDigest, newApiKey } from '../base/secrets/api-key.ts';
import { loadInventory } from '../inventory/load.ts';
import { verifyApiKey } from './api-key.ts';

const key = newApiKey();
const loaded = loadInventory(
  JSON.stringify({
    teams: ['payments'],
    workloads: [
      {
        id: 'spiffe://prod.example/legacy/erp',
        owner: 'payments',
        kind: 'legacy',
        networks: ['10.2.0.0/16', 'fd00:2::/32'],
        legacy: {
          hosts: ['payments.internal'],
          keys: [{ sha256: apiKeyDigest(key), created: '2026-11-01T12:00:00Z', rotateBy: '2026-11-30' }],
        },
      },
    ],
    resources: [{ host: 'payments.internal' }, { host: 'crm.internal' }],
  }),
  'inventory.yaml',
  { ownTrustDomains: new Set(['prod.example']) },
);
assert.ok(!Array.isArray(loaded));
const inventory = loaded;

const CREATED = Date.parse('2026-11-01T12:00:00Z');
const END = Date.parse('2026-12-01T00:00:00Z');

function verified(
  now: number,
  client: string | null = '10.2.0.9',
  host = 'payments.internal',
  presented = key,
): string {
  const sha256 = apiKeyDigest(presented);
  const result = verifyApiKey({ sha256 }, { name: host }, client, inventory, now, () => {});
  return result instanceof Refusal ? result.reason : result.id.text;
}
const GOOD = 'spiffe://prod.example/legacy/erp';

test('a key is good from the instant at which it was made to the end of its last day', () => {
  assert.equal(verified(CREATED - 1), 'identity_key_not_yet_valid');
  assert.equal(verified(CREATED), GOOD);
  assert.equal(verified(END - 1), GOOD);
  assert.equal(verified(END), 'identity_key_expired');
  assert.equal(verified(Number.NaN), 'identity_key_not_yet_valid', 'a clock that tells nothing');
});

test('it is good from the networks of its account, and not from nowhere', () => {
  assert.equal(verified(CREATED, 'fd00:2::9'), GOOD);
  for (const client of ['10.3.0.9', 'fd00:3::9', '', 'pipe', null])
    assert.equal(verified(CREATED, client), 'identity_legacy_network', String(client));
});

test('it is good at the hosts of its account', () => {
  assert.equal(verified(CREATED, '10.2.0.9', 'crm.internal'), 'identity_legacy_host');
  assert.equal(verified(CREATED, '10.2.0.9', 'payments.internal.evil.example'), 'identity_legacy_host');
});

test('each other key is unknown, be it different in one bit', () => {
  for (let at = 5; at < key.length; at++) {
    const bytes = Buffer.from(key);
    bytes[at] = bytes[at]! ^ 1;
    assert.equal(verified(CREATED, '10.2.0.9', 'payments.internal', bytes.toString('latin1')), 'identity_key_unknown');
  }
});

test('what is verified says since when and until when, in seconds', () => {
  const sha256 = apiKeyDigest(key);
  const seen: unknown[] = [];
  const result = verifyApiKey({ sha256 }, { name: 'payments.internal' }, '10.2.0.9', inventory, CREATED, (one) =>
    seen.push(one),
  );
  assert.ok(!(result instanceof Refusal));
  assert.deepEqual([result.issuedAt, result.expiresAt], [CREATED / 1000, END / 1000]);
  assert.equal(Buffer.from(result.thumbprint, 'base64url').toString('hex'), sha256);
  assert.equal(seen.length, 1);
});

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { type Lift, signLift, verifiedLift } from './lift.ts';

const pair = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const LIFT: Lift = { id: 'r-1', digest: 'd', untilMs: 9, atMs: 5, by: 'security@example.com', reason: 'over "now"' };
const record = signLift('prod', LIFT, pair.privateKey);

test('a lift holds by any of the trusted keys', async () => {
  assert.deepEqual(await verifiedLift('prod', record, [pair.publicKey]), LIFT);
  assert.deepEqual(await verifiedLift('prod', record, [stranger.publicKey, pair.publicKey]), LIFT);
});

test('a lift holds by no other key, in no other namespace, and with nothing of it changed', async () => {
  assert.equal(await verifiedLift('prod', record, []), null);
  assert.equal(await verifiedLift('prod', record, [stranger.publicKey]), null);
  assert.equal(await verifiedLift('test', record, [pair.publicKey]), null);
  assert.equal(await verifiedLift('prod', signLift('prod', LIFT, stranger.privateKey), [pair.publicKey]), null);
  const [until, json = ''] = record.split(/ (.*)/s);
  const parts = JSON.parse(json) as unknown[];
  const changed = parts.flatMap((part, at) => [
    [...parts.slice(0, at), typeof part === 'number' ? part + 1 : `${String(part)}A`, ...parts.slice(at + 1)],
    [...parts.slice(0, at), null, ...parts.slice(at + 1)],
    [...parts.slice(0, at), ...parts.slice(at + 1)],
  ]);
  const texts = changed.map((members) => `${until} ${JSON.stringify(members)}`);
  for (const text of [...texts, record.replace('9 ', '10 '), '', 'x', '9 [', '9 []', '9 {}', record.slice(0, -3)])
    assert.equal(await verifiedLift('prod', text, [pair.publicKey]), null, text);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targetOf } from '../../test/support/inventory.ts';
import { headersOf, inventory } from '../../test/support/task-world.ts';
import { Refusal, reasons } from '../base/outcome.ts';
import type { CheckInput } from '../http/input.ts';
import { type ChallengeRules, credentialMissing, withTokenChallenge } from './challenge.ts';

const rules: ChallengeRules = { resourceMetadata: false, dpopAlgorithms: null };
const host = (name = 'payments.internal') => targetOf(inventory, `GET ${name}/`).resource.host;
const missing = (name?: string, headers: Record<string, string> = {}, more: Partial<ChallengeRules> = {}) =>
  credentialMissing({ headers: headersOf(headers) } as CheckInput, host(name), { ...rules, ...more });

test('a request without any credential gets 401 and a challenge without an error (RFC 6750 section 3.1)', () => {
  const { reason, headers } = missing();
  assert.equal(reasons[reason].http, 401);
  assert.deepEqual(headers, [['www-authenticate', 'Bearer realm="payments.internal"']]);
});

test('where access tokens are accepted, DPoP is offered by a challenge of its own (RFC 9449 section 7.1)', () => {
  assert.deepEqual(missing(undefined, {}, { dpopAlgorithms: ['ES256', 'PS256'] }).headers, [
    ['www-authenticate', 'Bearer realm="payments.internal"'],
    ['www-authenticate', 'DPoP realm="payments.internal", algs="ES256 PS256"'],
  ]);
});

test('each challenge names the metadata of the resource where it is asked for and the origin is known (RFC 9728)', () => {
  const metadata = 'resource_metadata="https://api.example/.well-known/oauth-protected-resource"';
  const both = missing(undefined, {}, { resourceMetadata: true, dpopAlgorithms: ['ES256'] }).headers;
  assert.deepEqual(both, [
    ['www-authenticate', `Bearer realm="payments.internal", ${metadata}`],
    ['www-authenticate', `DPoP realm="payments.internal", algs="ES256", ${metadata}`],
  ]);
  const withoutOrigin = missing('no-origin.internal', {}, { resourceMetadata: true }).headers;
  assert.deepEqual(withoutOrigin, [['www-authenticate', 'Bearer realm="no-origin.internal"']]);
});

test('a host that takes no token, and one whose Authorization is the application’s, challenge nobody', () => {
  for (const name of ['no-audience.internal', 'api.partner.example']) {
    const { reason, headers } = missing(name);
    assert.equal(reasons[reason].http, 403);
    assert.deepEqual(headers, []);
  }
});

test('a request with a credential that says nothing about who calls is not asked for another one', () => {
  for (const name of ['authorization', 'txn-token', 'dpop', 'workload-identity-token', 'workload-proof-token']) {
    const { reason, headers } = missing(undefined, { [name]: 'x' });
    assert.equal(reason, 'identity_missing');
    assert.deepEqual(headers, []);
  }
});

test('every 401 about a token has the challenge of RFC 6750, with the metadata; no other refusal has one', () => {
  const challenged = (reason: Refusal['reason'], headers: Refusal['headers'] = []) =>
    withTokenChallenge(new Refusal(reason, 'why', headers), host(), { ...rules, resourceMetadata: true }).headers;
  const expected =
    'Bearer error="invalid_token", resource_metadata="https://api.example/.well-known/oauth-protected-resource"';
  assert.deepEqual(challenged('identity_token_expired'), [['www-authenticate', expected]]);
  assert.deepEqual(challenged('identity_conflict'), []);
  assert.deepEqual(challenged('identity_token_missing', [['www-authenticate', 'Bearer realm="x"']]), [
    ['www-authenticate', 'Bearer realm="x"'],
  ]);
});

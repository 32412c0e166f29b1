import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Refusal } from '../../src/base/outcome.ts';
import { verifyOidcToken } from '../../src/identity/oidc.ts';
import type { AccessTokenIssuer } from '../../src/task/options.ts';
import { UnverifiedJws } from '../../src/token/jws.ts';
import { standardAlgorithms } from '../../src/token/jws-algorithms.ts';
import { type KeySet, parseJwks } from '../../src/token/key-set.ts';
import { TokenVerifier } from '../../src/token/verifier.ts';
import { AUDIENCE, accessIssuer, refuses, type Situation, THIEF, taskContext } from '../support/task-world.ts';
import { jwk, makeKey, mint } from '../support/tokens.ts';
import { documentedIssuers } from './issuers/documented.ts';

/** What real issuers write is read: answers of a Keycloak that were recorded, and forms that others document. */

const keysOf = (document: object): KeySet => {
  const set = parseJwks(Buffer.from(JSON.stringify(document)));
  assert.ok('keys' in set, JSON.stringify(set));
  return set;
};
const sourceOf = (set: KeySet) => ({ current: () => set, refreshSoon: () => {} });

async function identityOf(token: string, issuer: string, set: KeySet, now: number) {
  const unverified = UnverifiedJws.decodeUnverified(token);
  assert.ok(unverified instanceof UnverifiedJws, JSON.stringify(unverified));
  const settings = { issuer, keys: sourceOf(set), algorithms: standardAlgorithms, maxLifetimeSeconds: 3600 };
  return verifyOidcToken(unverified, settings, {
    tokens: new TokenVerifier(),
    audience: AUDIENCE,
    now,
    certificateThumbprint: null,
  });
}

for (const each of documentedIssuers) {
  test(`a token in the form of ${each.name} is read`, async () => {
    const now = Date.UTC(2026, 10, 29);
    const iat = now / 1000;
    const key = makeKey(each.algorithm, 'signs-now');
    const times = Object.fromEntries(Object.entries(each.claims).filter(([, value]) => value === '<iat>'));
    const claims = {
      ...each.claims,
      ...Object.fromEntries(Object.keys(times).map((name) => [name, iat])),
      iss: each.issuer,
      sub: each.subject,
      aud: each.audience === 'text' ? AUDIENCE : [AUDIENCE],
      iat,
      exp: iat + 3600,
    };
    const set = keysOf({ ...each.set, keys: [...each.others, jwk(key, each.key)] });
    assert.equal(set.keys.length, 1);
    const verified = await identityOf(mint(key, each.header, claims), each.issuer, set, now);
    assert.ok(!(verified instanceof Refusal), verified instanceof Refusal ? verified.detail : '');
    assert.equal(verified.subject, each.subject);
    const other = await identityOf(mint(key, each.header, { ...claims, aud: 'x' }), each.issuer, set, now);
    assert.equal(other instanceof Refusal && other.reason, 'identity_token_audience');
  });
}

interface Recorded {
  readonly issuer: string;
  readonly at: number;
  readonly dpop: { readonly token: string; readonly proof: string };
  readonly unscoped: string;
  readonly identity: string;
  readonly metadata: { readonly issuer: string; readonly jwks_uri: string };
  readonly jwks: object;
}

/** test/tools/keycloak/record.ts wrote it. */
const keycloak = JSON.parse(readFileSync(join(import.meta.dirname, 'issuers', 'keycloak.json'), 'utf8')) as Recorded;
const keycloakKeys = keysOf(keycloak.jwks);
const issuer: AccessTokenIssuer = { ...accessIssuer, issuer: keycloak.issuer, keys: sourceOf(keycloakKeys) };
const asked = (headers: NonNullable<Situation['headers']>, more: Situation = {}): Situation => ({
  now: keycloak.at,
  headers,
  ...more,
  options: { issuers: [issuer], history: () => ({ id: '', sinceMs: keycloak.at - 3_600_000 }), ...more.options },
});
const { token, proof } = keycloak.dpop;
const bound = { authorization: `DPoP ${token}`, dpop: proof };

test('a DPoP-bound token of Keycloak with its proof has assurance 3', async () => {
  const { task, redemptions } = await taskContext(asked(bound));
  assert.deepEqual([task?.id, task?.purpose, task?.assurance], ['t-42', 'reconcile-invoices', 3]);
  assert.deepEqual(task?.scopes, ['invoices']);
  assert.equal(redemptions.length, 1);
});

test('a DPoP-bound token of Keycloak is nobody else’s, and nothing without its proof', async () => {
  await refuses(asked(bound, { caller: THIEF }), 'task_of_another');
  await refuses(asked({ authorization: `Bearer ${token}` }), 'task_token_binding');
  await refuses(asked({ authorization: `DPoP ${token}` }), 'task_proof_missing');
  await refuses(asked({ authorization: `DPoP ${keycloak.unscoped}`, dpop: proof }), 'task_proof_token', /ath/);
  await refuses(asked(bound, { now: keycloak.at + 400_000 }), 'task_token_expired');
});

test('an access token of a Keycloak client without scopes states a task, and opens nothing that asks for a scope', async () => {
  const { task } = await taskContext(asked({ authorization: `Bearer ${keycloak.unscoped}` }));
  assert.deepEqual(task?.scopes, ['']);
});

test('a token of Keycloak that is no access token by its header says who calls', async () => {
  const verified = await identityOf(keycloak.identity, keycloak.issuer, keycloakKeys, keycloak.at);
  assert.ok(!(verified instanceof Refusal), verified instanceof Refusal ? verified.detail : '');
  const access = await identityOf(token, keycloak.issuer, keycloakKeys, keycloak.at);
  assert.equal(access instanceof Refusal && access.reason, 'identity_token_type');
});

test('the metadata of Keycloak names its issuer as its tokens do', () => {
  assert.equal(keycloak.metadata.issuer, keycloak.issuer);
  assert.ok(keycloak.metadata.jwks_uri.startsWith(keycloak.issuer));
});

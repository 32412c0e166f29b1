import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { playExchanges } from '../../../test/support/exchanges.ts';
import {
  AGENT,
  callerOf,
  inventory,
  keys,
  NOW,
  ORCHESTRATOR,
  options,
  readWhy,
  THIEF,
  taskContext,
  txnIssuer,
} from '../../../test/support/task-world.ts';
import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { parseJwks } from '../../token/key-set.ts';
import { readSigningKeys } from '../../token/signing-keys.ts';
import { ApiProblem } from '../http/problem.ts';
import { claimsOf, PURPOSE_CLAIM } from './claims.ts';
import type { Grant } from './grant.ts';
import { heldToken } from './held-token.ts';

const ISSUER = 'urn:example:token-service';
const now = NOW / 1000;

function signing(pem: string) {
  const read = readSigningKeys(pem);
  if (read instanceof Fault) assert.fail(read.detail);
  const set = parseJwks(Buffer.from(JSON.stringify(read.jwks)));
  if (set instanceof Fault) assert.fail(set.detail);
  return { ...read, source: { current: () => set, refreshSoon: () => {} } };
}

const own = signing(keys.tts.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string);
const issuer = { ...txnIssuer, issuer: ISSUER, keys: own.source, purposeClaim: PURPOSE_CLAIM };
const issuers = { issuers: [issuer] };

const grant: Grant = {
  id: '5f0c',
  chain: [ORCHESTRATOR, AGENT],
  purpose: 'reconcile-invoices',
  scopes: ['invoices'],
  endsAt: now + 3600,
  expiresAt: now + 300,
  resources: [{ api: 'payments.internal/invoices', parameters: { invoice: '42' } }],
};
const minted = (more: Partial<Grant> = {}, at = now) =>
  own.sign(
    'txntoken+jwt',
    claimsOf({ ...grant, ...more }, { issuer: ISSUER, audience: 'prod.example', jti: 'j1', now: at }),
  );
const send = (token: string) => ({ headers: { 'txn-token': token }, options: issuers });

test('the reader of every sidecar takes a token as it was granted: task, purpose, scopes, chain, bound to its holder', async () => {
  const { task, chain } = await taskContext(send(await minted()));
  assert.deepEqual(
    chain.map(({ id }) => id.text),
    [ORCHESTRATOR, AGENT],
  );
  assert.deepEqual(
    { ...task, token: '' },
    {
      source: 'txn-token',
      issuer: ISSUER,
      id: '5f0c',
      purpose: 'reconcile-invoices',
      scopes: ['invoices'],
      resources: [{ api: 'payments.internal/invoices', parameters: { invoice: '42' } }],
      subject: ORCHESTRATOR,
      jti: 'j1',
      assurance: 2,
      issuedAt: now,
      expiresAt: now + 300,
      token: '',
    },
  );
  const stolen = await readWhy({ ...send(await minted()), caller: THIEF });
  assert.equal(stolen instanceof Refusal && stolen.reason, 'task_of_another');
});

test('a token without scopes opens nothing that asks for one', async () => {
  assert.deepEqual((await taskContext(send(await minted({ scopes: [] })))).task?.scopes, ['']);
});

test('what a token grants is read back as it was granted', async () => {
  const reader = { issuer, tokens: options.tokens, maxDepth: 4 };
  for (const more of [{}, { resources: null }, { scopes: [] }]) {
    const held = await heldToken(await minted(more), reader, callerOf({}), inventory, NOW);
    if (held instanceof ApiProblem) assert.fail(held.detail ?? '');
    assert.deepEqual(held.grant, { ...grant, ...more });
  }
  const another = await heldToken(await minted(), reader, callerOf({ caller: THIEF }), inventory, NOW);
  assert.match(another instanceof ApiProblem ? (another.detail ?? '') : '', /was issued to/);
});

const claims = claimsOf(grant, { issuer: ISSUER, audience: 'prod.example', jti: 'j1', now });
const strange: readonly (readonly [name: string, claims: object, detail: RegExp])[] = [
  ['names no issuer', { ...claims, iss: undefined }, /another issuer/],
  ['does not say when its task ends', { ...claims, task: { purpose: 'reconcile-invoices' } }, /when its task ends/],
  ['ends at a text', { ...claims, task: { purpose: 'reconcile-invoices', end: '9' } }, /when its task ends/],
  ['is about something else than resources', { ...claims, tctx: { resources: [{ host: 'x' }] } }, /resources/],
];
for (const [name, changed, detail] of strange) {
  test(`a token that was signed with a key of the service and ${name} is not exchanged`, async () => {
    const reader = { issuer, tokens: options.tokens, maxDepth: 4 };
    const held = await heldToken(await own.sign('txntoken+jwt', changed), reader, callerOf({}), inventory, NOW);
    assert.match(held instanceof ApiProblem ? (held.detail ?? '') : '', detail);
  });
}

test('what is no token at all is not exchanged', async () => {
  const held = await heldToken('x.y', { issuer, tokens: options.tokens, maxDepth: 4 }, callerOf({}), inventory, NOW);
  assert.match(held instanceof ApiProblem ? (held.detail ?? '') : '', /^subject_token: /);
});

test('jose takes every token that a sequence of exchanges grants', async () => {
  const jwks = createLocalJWKSet({ keys: own.jwks.keys.map((key) => ({ ...key })) } as Parameters<
    typeof createLocalJWKSet
  >[0]);
  const tokens: [string, number, Grant][] = [];
  for (let seed = 0; seed < 20; seed++) {
    const grants: [Grant, number][] = [];
    playExchanges(seed, (one, at) => grants.push([one, at]));
    for (const [one, at] of grants) tokens.push([await minted(one, at), at, one]);
  }
  assert.ok(tokens.length > 40);
  for (const [token, at, { chain, expiresAt }] of tokens) {
    const { payload, protectedHeader } = await jwtVerify(token, jwks, {
      typ: 'txntoken+jwt',
      audience: 'prod.example',
      issuer: ISSUER,
      algorithms: ['ES256'],
      requiredClaims: ['txn', 'sub', 'scope', 'req_wl', 'exp', 'iat'],
      currentDate: new Date(at * 1000),
    });
    assert.equal(protectedHeader.kid, own.jwks.keys[0]?.kid);
    assert.deepEqual([payload.req_wl, payload.exp], [chain.at(-1), expiresAt]);
  }
});

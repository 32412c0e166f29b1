import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AGENT,
  AUDIENCE,
  accessIssuer,
  agentAccess,
  agentSvid,
  agentTxn,
  CERTIFICATE,
  keys,
  NOW,
  ORIGIN,
  options,
  refusal,
  refuses,
  svidIssuer,
  THIEF,
  TTS,
  taskContext,
} from '../../test/support/task-world.ts';
import { type Mutation, mint, oidcToken } from '../../test/support/tokens.ts';
import { Refusal } from '../base/outcome.ts';
import { UnverifiedJws } from '../token/jws.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { KeySource } from '../token/key-source.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { verifyIssuedTask } from './task-token.ts';

const seconds = NOW / 1000;
const bearer = (token: string, more: object = {}) => ({ headers: { authorization: `Bearer ${token}` }, ...more });

test('an access token that names the caller states its task with assurance 2', async () => {
  const { task } = await taskContext(bearer(agentAccess({ claims: { scope: 'invoices' } })));
  assert.equal(task?.source, 'access-token');
  assert.equal(task?.id, 't-42');
  assert.equal(task?.purpose, 'reconcile-invoices');
  assert.deepEqual(task?.scopes, ['invoices']);
  assert.equal(task?.assurance, 2);
});

const mutations: readonly (readonly [name: string, mutation: Mutation, reason: string, detail?: RegExp])[] = [
  ['B29: without exp', { claims: { exp: undefined } }, 'task_token_expired'],
  ['expired, leeway included', { claims: { iat: seconds - 300, exp: seconds - 5 } }, 'task_token_expired'],
  ['B29: without aud', { claims: { aud: undefined } }, 'task_token_audience'],
  ['for another host', { claims: { aud: 'spiffe://prod.example/ns/other/sa/api' } }, 'task_token_audience'],
  ['longer than its issuer may grant', { claims: { exp: seconds + 601 } }, 'task_token_lifetime'],
  ['not valid yet', { claims: { nbf: seconds + 6 } }, 'task_token_not_yet_valid'],
  ['without iat', { claims: { iat: undefined } }, 'task_token_malformed', /iat/],
  ['without jti', { claims: { jti: undefined } }, 'task_token_malformed', /jti/],
  ['without client_id', { claims: { client_id: undefined } }, 'task_token_malformed', /client_id/],
  ['without sub', { claims: { sub: undefined } }, 'task_token_malformed', /sub/],
  ['without a task', { claims: { task: undefined } }, 'task_token_malformed', /task\/id/],
  ['with half a task', { claims: { task: { id: 't-42' } } }, 'task_token_malformed', /task\/purpose/],
  ['of the type of a Transaction Token', { header: { typ: 'txntoken+jwt' } }, 'task_token_type'],
  ['without a type', { header: { typ: undefined } }, 'task_token_type'],
  ['signed by somebody else', { signWith: keys.thief }, 'task_token_signature'],
  ['with a kid that nobody has', { header: { kid: 'as-9' } }, 'task_token_key_unknown'],
  ['with HS256', { header: { alg: 'HS256' } }, 'task_token_algorithm'],
  ['issued to another workload', { claims: { client_id: THIEF } }, 'task_of_another'],
];
for (const [name, mutation, reason, detail] of mutations) {
  test(`an access token ${name} is refused`, () => refuses(bearer(agentAccess(mutation)), reason, detail));
}

test('a scope counts once, and an empty claim is a scope that no resource asks for', async () => {
  const scopesOf = async (scope: string) =>
    (await taskContext(bearer(agentAccess({ claims: { scope } })))).task?.scopes;
  assert.deepEqual(await scopesOf('a b a'), ['a', 'b']);
  assert.deepEqual(await scopesOf(''), ['']);
  await refuses(bearer(agentAccess({ claims: { scope: ' ' } })), 'task_token_malformed', /list of scopes/);
});

test('a host without an audience takes no token of ours', () =>
  refuses(bearer(agentAccess(), { host: 'no-audience.internal', path: '/' }), 'task_token_audience'));

test('a client or a subject that the inventory maps is the workload that it names', async () => {
  const ofErp = { claims: { client_id: 'erp-sync', sub: 'erp-sync' } };
  const { task, chain } = await taskContext(bearer(agentAccess(ofErp), { caller: 'spiffe://prod.example/legacy/erp' }));
  assert.equal(task?.assurance, 2);
  assert.equal(chain.length, 1);
  await refuses(bearer(agentAccess(ofErp)), 'task_of_another', /legacy\/erp/);
});

test('a client that nobody knows names no workload, and leaves the word to nobody else', async () => {
  const unknown = { claims: { client_id: 'who', sub: AGENT } };
  await refuses(bearer(agentAccess(unknown)), 'task_unbound');
  const alsoBound = { claims: { ...unknown.claims, cnf: { 'x5t#S256': CERTIFICATE } } };
  assert.equal((await taskContext(bearer(agentAccess(alsoBound)))).task?.assurance, 2);
});

test('a refused access token is answered with the challenge of RFC 6750', async () => {
  const { headers } = await refusal(bearer(agentAccess({ claims: { aud: 'x' } })));
  assert.deepEqual(headers, [['www-authenticate', 'Bearer error="invalid_token"']]);
});

test('the challenge names the metadata of the resource where that is configured (RFC 9728)', async () => {
  const { headers } = await refusal(
    bearer(agentAccess({ claims: { aud: 'x' } }), { options: { resourceMetadata: true } }),
  );
  const metadata = `${ORIGIN}/.well-known/oauth-protected-resource`;
  assert.deepEqual(headers, [['www-authenticate', `Bearer error="invalid_token", resource_metadata="${metadata}"`]]);
});

test('the challenge for a token that is bound by DPoP is that of RFC 9449', async () => {
  const token = agentAccess({ claims: { aud: 'x', cnf: { jkt: 'A'.repeat(43) } } });
  const { headers } = await refusal(bearer(token));
  const algorithms = options.dpop.algorithms.join(' ');
  assert.deepEqual(headers, [['www-authenticate', `DPoP error="invalid_token", algs="${algorithms}"`]]);
});

test('a Transaction Token has no challenge, so its faults are 403 without one', async () => {
  assert.deepEqual((await refusal({ headers: { 'txn-token': agentTxn({ claims: { aud: 'x' } }) } })).headers, []);
});

test('a token of an identity issuer says who and never why', async () => {
  const token = oidcToken({ key: keys.as, now: NOW, iss: 'https://idp.example', sub: 'ci', aud: 'x' });
  assert.equal((await taskContext(bearer(token))).task, null);
});

test('a token of nobody known is refused where the header is ours, and left alone where it is the application’s', async () => {
  const token = agentAccess({ claims: { iss: 'https://elsewhere.example' } });
  await refuses(bearer(token), 'identity_token_issuer');
  const external = { host: 'api.partner.example', path: '/x' };
  assert.equal((await taskContext(bearer(token, external))).task, null);
  await refuses(bearer(agentAccess(), external), 'task_token_audience');
});

test('an issuer of Transaction Tokens makes no access tokens, whatever the type says', async () => {
  const token = mint(keys.tts, { typ: 'at+jwt' }, { iss: TTS, sub: 'x' });
  await refuses(bearer(token), 'task_token_type');
});

test('a JWT-SVID with a task beside the X.509-SVID of the same id has assurance 2', async () => {
  const { task } = await taskContext(bearer(agentSvid()));
  assert.equal(task?.source, 'jwt-svid');
  assert.equal(task?.issuer, 'spiffe://prod.example');
  assert.equal(task?.assurance, 2);
});

test('a JWT-SVID with a task and nothing beside it is bound to nobody', async () => {
  const alone = bearer(agentSvid(), { credential: 'jwt-svid' });
  await refuses(alone, 'task_unbound');
  const { task } = await taskContext({ ...alone, options: { issuers: [{ ...svidIssuer, unsafeBearer: true }] } });
  assert.equal(task?.assurance, 1);
});

test('a JWT-SVID without any task claim says who and never why; with half a task it is refused', async () => {
  assert.equal(
    (await taskContext(bearer(agentSvid({ claims: { task_id: undefined, task_purpose: undefined } })))).task,
    null,
  );
  await refuses(bearer(agentSvid({ claims: { task_purpose: undefined } })), 'task_token_malformed', /task_purpose/);
});

for (const [name, mutation, reason] of [
  ['expired', { claims: { iat: seconds - 300, exp: seconds - 5 } }, 'task_token_expired'],
  ['for another host', { claims: { aud: ['x'] } }, 'task_token_audience'],
  ['longer than tasks may live', { claims: { exp: seconds + 601 } }, 'task_token_lifetime'],
  ['signed by another trust domain', { signWith: keys.thief }, 'task_token_signature'],
  ['of another workload', { claims: { sub: THIEF } }, 'task_of_another'],
] as const satisfies readonly (readonly [string, Mutation, string])[]) {
  test(`a JWT-SVID with a task, ${name}, is refused`, () => refuses(bearer(agentSvid(mutation)), reason));
}

test('authorities that are not to be had refuse with their own reason', async () => {
  const authorities = { jwtKeys: () => new Refusal('identity_token_keys_stale', 'stale') };
  await refuses(
    bearer(agentSvid(), { options: { issuers: [{ ...svidIssuer, authorities }] } }),
    'identity_token_keys_stale',
  );
});

test('B33: an unknown key asks for a refresh in the background, and keys that are too old refuse', async () => {
  let refreshes = 0;
  const source = { ...accessIssuer.keys, refreshSoon: () => void refreshes++ };
  const from = (source: KeySource) => ({ options: { issuers: [{ ...accessIssuer, keys: source }] } });
  await refuses(bearer(agentAccess({ header: { kid: 'new' } }), from(source)), 'task_token_key_unknown');
  assert.equal(refreshes, 1);
  const stale = { ...source, current: () => new TokenFault('keys_stale', 'never read') };
  await refuses(bearer(agentAccess(), from(stale)), 'task_keys_stale');
});

test('the keys of an issuer verify its own tokens alone', async () => {
  const token = UnverifiedJws.decodeUnverified(agentAccess({ claims: { iss: 'https://other.example' } }));
  assert.ok(token instanceof UnverifiedJws);
  const outcome = await verifyIssuedTask(token, accessIssuer, AUDIENCE, new TokenVerifier(), NOW);
  assert.ok(outcome instanceof TokenFault && outcome.kind === 'issuer');
});

test('an issuer that also issues identity tokens is told by the type', async () => {
  const both = { options: { issuers: [accessIssuer], identityIssuers: new Set([accessIssuer.issuer]) } };
  assert.equal((await taskContext(bearer(agentAccess(), both))).task?.id, 't-42');
  assert.equal((await taskContext(bearer(agentAccess({ header: { typ: 'JWT' } }), both))).task, null);
});

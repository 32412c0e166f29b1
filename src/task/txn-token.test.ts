import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AGENT,
  AS,
  agentTxn,
  keys,
  NOW,
  ORCHESTRATOR,
  options,
  readWhy,
  refuses,
  sourceOf,
  THIEF,
  taskContext,
  txnIssuer,
} from '../../test/support/task-world.ts';
import { jwk, leftOverBits, type Mutation, makeKey, otherSignature } from '../../test/support/tokens.ts';
import { Refusal } from '../base/outcome.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { KeySet } from '../token/key-set.ts';
import type { TaskIssuer, TxnTokenIssuer } from './options.ts';

const seconds = NOW / 1000;
const scopes = (count: number) => Array.from({ length: count }, (_, n) => `s${n}`).join(' ');
const withIssuer = (changes: Partial<TxnTokenIssuer>) => ({
  issuers: [{ ...txnIssuer, ...changes }] as readonly TaskIssuer[],
});
const send = (token: string, more: object = {}) => ({ headers: { 'txn-token': token }, ...more });

test('a Transaction Token that names the caller states its task with assurance 2', async () => {
  const { task, chain, redemptions } = await taskContext(send(agentTxn()));
  assert.ok(task !== null);
  const { token, ...stated } = task;
  assert.match(token, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(stated, {
    source: 'txn-token',
    issuer: 'https://tts.prod.example',
    id: 't-42',
    purpose: 'reconcile-invoices',
    scopes: ['invoices'],
    resources: null,
    subject: 'user:4711',
    jti: null,
    assurance: 2,
    issuedAt: seconds,
    expiresAt: seconds + 300,
  });
  assert.deepEqual(
    chain.map(({ id }) => id.text),
    [AGENT],
  );
  assert.deepEqual(redemptions, []);
});

/** Each is one mutation of that token, which only the named check refuses. */
const mutations: readonly (readonly [name: string, mutation: Mutation, reason: string, detail?: RegExp])[] = [
  ['B29: without exp', { claims: { exp: undefined } }, 'task_txn_expired', /exp is missing/],
  ['expired, leeway included', { claims: { iat: seconds - 300, exp: seconds - 5 } }, 'task_txn_expired'],
  ['B29: without aud', { claims: { aud: undefined } }, 'task_txn_audience'],
  ['B29: with an empty aud', { claims: { aud: '' } }, 'task_txn_audience'],
  ['B29: for another trust domain', { claims: { aud: ['other'] } }, 'task_txn_audience'],
  ['longer than its issuer may grant', { claims: { exp: seconds + 601 } }, 'task_txn_lifetime'],
  ['issued in the future', { claims: { iat: seconds + 6, exp: seconds + 300 } }, 'task_txn_not_yet_valid'],
  ['not valid yet', { claims: { nbf: seconds + 6 } }, 'task_txn_not_yet_valid'],
  ['without iat', { claims: { iat: undefined } }, 'task_txn_malformed', /iat is missing/],
  ['without txn', { claims: { txn: undefined } }, 'task_txn_malformed', /txn/],
  ['without sub', { claims: { sub: undefined } }, 'task_txn_malformed', /sub/],
  ['without scope', { claims: { scope: undefined } }, 'task_txn_malformed', /scope/],
  ['without req_wl', { claims: { req_wl: undefined } }, 'task_txn_malformed', /req_wl/],
  ['with several requesting workloads', { claims: { req_wl: [AGENT] } }, 'task_txn_malformed', /req_wl/],
  ['with an id that is no identifier', { claims: { txn: 't 42' } }, 'task_txn_malformed', /txn is no identifier/],
  ['with more scopes than any task needs', { claims: { scope: scopes(65) } }, 'task_txn_malformed', /64 scopes/],
  ['with two spaces between scopes', { claims: { scope: 'a  b' } }, 'task_txn_malformed', /list of scopes/],
  ['without a purpose', { claims: { tctx: {} } }, 'task_txn_malformed', /states no purpose/],
  ['with a purpose that is a list', { claims: { tctx: { purpose: ['finance'] } } }, 'task_txn_malformed', /purpose/],
  [
    'with a purpose of nowhere',
    { claims: { tctx: { purpose: 'party' } } },
    'task_purpose',
    /no purpose of the inventory/,
  ],
  ['with a purpose beyond its issuer', { claims: { tctx: { purpose: 'support' } } }, 'task_purpose', /may not state/],
  ['with a name of an old draft beside the new one', { claims: { purp: 'finance' } }, 'task_txn_malformed', /purp/],
  ['from an issuer that is not configured', { claims: { iss: 'https://evil.example' } }, 'task_txn_issuer'],
  ['with an issuer that is no text', { claims: { iss: 7 } }, 'task_txn_issuer'],
  ['of the type of an access token', { header: { typ: 'at+jwt' } }, 'task_txn_type'],
  ['without a type', { header: { typ: undefined } }, 'task_txn_type'],
  ['signed by somebody else', { signWith: keys.thief }, 'task_txn_signature'],
  ['B32: with a kid that nobody has', { header: { kid: 'tts-9' } }, 'task_txn_key_unknown'],
  ['B31: with alg none', { header: { alg: 'none' }, signature: () => Buffer.alloc(0) }, 'task_txn_algorithm'],
  ['B31: with HS256', { header: { alg: 'HS256' } }, 'task_txn_algorithm'],
  ['B31: with crit', { header: { crit: ['x-bind'], 'x-bind': 1 } }, 'task_txn_malformed', /crit/],
  ['B31: with a key of its own', { header: { jwk: keys.thief.publicJwk }, signWith: keys.thief }, 'task_txn_malformed'],
  ['B31: with a link to keys', { header: { jku: 'http://127.0.0.1:1/' } }, 'task_txn_malformed', /jku/],
  ['S2: respelled with left-over bits', { respell: leftOverBits }, 'task_txn_malformed', /canonical/],
  ['S2: respelled with padding', { respell: (token) => `${token}==` }, 'task_txn_malformed', /canonical/],
  ['with a repeated member', { payloadText: '{"exp":1,"exp":2}' }, 'task_txn_malformed', /repeated/],
  ['that is no token', { respell: () => 'none' }, 'task_txn_malformed'],
];
for (const [name, mutation, reason, detail] of mutations) {
  test(`a Transaction Token ${name} is refused`, () => refuses(send(agentTxn(mutation)), reason, detail));
}

test('B29: an audience in a list is an audience', async () => {
  assert.equal((await taskContext(send(agentTxn({ claims: { aud: ['prod.example', 'x'] } })))).task?.assurance, 2);
});

test('a token lasts as long as it says, and not longer', async () => {
  const token = send(agentTxn());
  assert.equal((await taskContext({ ...token, now: NOW + 304_999 })).task?.id, 't-42');
  await refuses({ ...token, now: NOW + 305_000 }, 'task_txn_expired');
});

test('S2: the other form of an ECDSA signature makes no other token', async () => {
  const token = agentTxn();
  const other = await taskContext(send(otherSignature(token)));
  assert.notEqual(otherSignature(token), token);
  assert.equal(other.task?.token, (await taskContext(send(token))).task?.token);
});

test('the type is looked at before the issuer, and an issuer of other tokens is none of these', async () => {
  await refuses(
    send(agentTxn({ header: { typ: 'at+jwt' }, claims: { iss: 'https://evil.example' } })),
    'task_txn_type',
  );
  await refuses(send(agentTxn({ claims: { iss: AS }, signWith: keys.as })), 'task_txn_issuer');
});

test('two Transaction Tokens are refused, and so is one that is no clean text', async () => {
  await refuses({ headers: { 'txn-token': [agentTxn(), agentTxn()] } }, 'request_header_repeated');
  await refuses({ headers: { 'txn-token': `${agentTxn()}\ufffd` } }, 'request_header_unclean');
});

test('a Transaction Token in Authorization is in the wrong header', () =>
  refuses({ headers: { authorization: `Bearer ${agentTxn()}` } }, 'task_token_type'));

test('without iss the only issuer with that audience is meant; with two there is no telling', async () => {
  const token = agentTxn({ claims: { iss: undefined } });
  assert.equal((await taskContext(send(token))).task?.issuer, txnIssuer.issuer);
  const issuers = [txnIssuer, { ...txnIssuer, issuer: 'https://other.example' }];
  await refuses(send(token, { options: { issuers } }), 'task_txn_issuer');
});

test('where no purpose claim is configured, the only scope is the purpose and no scope', async () => {
  const issuer = withIssuer({ purposeClaim: null });
  const { task } = await taskContext(send(agentTxn({ claims: { scope: 'reconcile-invoices' } }), { options: issuer }));
  assert.equal(task?.purpose, 'reconcile-invoices');
  assert.deepEqual(task?.scopes, []);
  const two = agentTxn({ claims: { scope: 'reconcile-invoices finance' } });
  await refuses(send(two, { options: issuer }), 'task_txn_malformed', /exactly one/);
});

test('names of old drafts are read where the issuer is marked, and never beside the new ones', async () => {
  const old = { tctx: undefined, scope: undefined, azd: { purpose: 'reconcile-invoices' }, purp: 'invoices' };
  await refuses(send(agentTxn({ claims: old })), 'task_txn_malformed', /earlier draft/);
  const marked = { options: withIssuer({ legacyClaimNames: true }) };
  const { task } = await taskContext(send(agentTxn({ claims: old }), marked));
  assert.equal(task?.purpose, 'reconcile-invoices');
  assert.deepEqual(task?.scopes, ['invoices']);
  const both = agentTxn({ claims: { purp: 'invoices' } });
  await refuses(send(both, marked), 'task_txn_malformed', /beside/);
});

test('an issuer states the purposes that it may, with all below them', async () => {
  for (const [purposes, good] of [
    [['finance'], true],
    [['reconcile-invoices'], true],
    [['support'], false],
  ] as const) {
    const outcome = await readWhy(send(agentTxn(), { options: withIssuer({ purposes }) }));
    assert.equal(outcome instanceof Refusal, !good, purposes.join());
  }
});

test('an issuer speaks of workloads of its trust domains alone', () =>
  refuses(send(agentTxn(), { options: withIssuer({ trustDomains: ['partner.example'] }) }), 'task_issuer_scope'));

test('no token is worth more than its issuer', async () => {
  const { task } = await taskContext(send(agentTxn(), { options: withIssuer({ maxAssurance: 1 }) }));
  assert.equal(task?.assurance, 1);
});

test('B33: an unknown key asks for a refresh in the background, and keys that are too old refuse', async () => {
  let refreshes = 0;
  const source = { ...sourceOf(keys.tts), refreshSoon: () => void refreshes++ };
  const issuer = { options: withIssuer({ keys: source }) };
  await refuses(send(agentTxn({ header: { kid: 'new' } }), issuer), 'task_txn_key_unknown');
  await taskContext(send(agentTxn(), issuer));
  assert.equal(refreshes, 1);
  const stale = { ...source, current: () => new TokenFault('keys_stale', 'never read') };
  await refuses(send(agentTxn(), { options: withIssuer({ keys: stale }) }), 'task_keys_stale');
});

test('B32: of two keys without kid in the token, each that fits is tried', async () => {
  const set = KeySet.of([jwk(makeKey()) as JsonValue, jwk(keys.tts) as JsonValue], 'jwks');
  const options = withIssuer({ keys: { current: () => set, refreshSoon: () => {} } });
  assert.equal((await taskContext(send(agentTxn({ header: { kid: undefined } }), { options }))).task?.id, 't-42');
});

test('an algorithm that the issuer is not configured for is refused', () =>
  refuses(send(agentTxn(), { options: withIssuer({ algorithms: ['RS256'] }) }), 'task_txn_algorithm'));

test('a token that is there is never taken for no task', async () => {
  await refuses(send(agentTxn(), { options: { ...options, issuers: [] } }), 'task_txn_issuer');
  await refuses(send(agentTxn(), { caller: THIEF }), 'task_of_another');
  await refuses(send(agentTxn({ claims: { req_wl: ORCHESTRATOR } })), 'task_of_another');
});

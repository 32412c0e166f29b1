import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targetOf } from '../../test/support/inventory.ts';
import {
  AGENT,
  agentAccess,
  agentTxn,
  inventory,
  keys,
  NOW,
  ORCHESTRATOR,
  options,
  readWhy,
  refuses,
  TARGET_URI,
  taskContext,
} from '../../test/support/task-world.ts';
import { dpopProof, thumbprint } from '../../test/support/tokens.ts';
import { Refusal } from '../base/outcome.ts';
import { taskReader } from './read-task.ts';
import { askForScope } from './scopes.ts';

const said = { 'x-task-id': 't-42', 'x-task-purpose': 'reconcile-invoices' };

test('a declared task is declared, and no task', async () => {
  const { task, declared, chain } = await taskContext({ headers: said });
  assert.equal(task, null);
  assert.deepEqual(declared, { id: 't-42', purpose: 'reconcile-invoices' });
  assert.deepEqual(
    chain.map(({ id }) => id.text),
    [AGENT],
  );
  assert.equal((await taskContext()).declared, null);
});

test('a declared task that can be read in two ways, or in none, refuses', async () => {
  await refuses({ headers: { 'x-task-id': 't-42' } }, 'task_declared_malformed', /x-task-purpose is missing/);
  await refuses({ headers: { 'x-task-purpose': 'p' } }, 'task_declared_malformed', /x-task-id is missing/);
  await refuses({ headers: { ...said, 'x-task-id': ['t-1', 't-1'] } }, 'request_header_repeated');
  await refuses({ headers: { ...said, 'x-task-purpose': ['p', 'p'] } }, 'request_header_repeated');
  for (const id of ['', ' t', 't,u', 't u', '"t"', 'ä', 'x'.repeat(257), '-t'])
    await refuses({ headers: { ...said, 'x-task-id': id } }, 'task_declared_malformed', /x-task-id is no identifier/);
});

test('B03: a declared task that is no clean text refuses', () =>
  refuses({ headers: { ...said, 'x-task-id': 't-1\ufffd' } }, 'request_header_unclean'));

test('the headers have other names, or none are read', async () => {
  const headers = { 'x-job': 'j-1', 'x-why': 'finance' };
  const renamed = { options: { headers: { id: 'x-job', purpose: 'x-why' } } };
  assert.deepEqual((await taskContext({ headers, ...renamed })).declared, { id: 'j-1', purpose: 'finance' });
  assert.equal((await taskContext({ headers: said, options: { headers: null } })).declared, null);
  assert.equal((await taskContext({ headers: { 'x-task-id': 'half' }, options: { headers: null } })).declared, null);
});

test('what is declared beside a token agrees with it', async () => {
  const token = { 'txn-token': agentTxn() };
  const { task, declared } = await taskContext({ headers: { ...said, ...token } });
  assert.equal(task?.id, declared?.id);
  await refuses({ headers: { ...said, ...token, 'x-task-id': 't-43' } }, 'task_conflict');
  await refuses({ headers: { ...said, ...token, 'x-task-purpose': 'finance' } }, 'task_conflict');
});

const two = (txn: object, access: object) => ({
  headers: {
    'txn-token': agentTxn({ claims: { ...txn } }),
    authorization: `Bearer ${agentAccess({ claims: { ...access } })}`,
  },
});

test('two tokens agree in id, purpose and chain, or they refuse', async () => {
  assert.equal((await taskContext(two({}, {}))).backing.length, 2);
  await refuses(two({}, { task: { id: 't-43', purpose: 'reconcile-invoices' } }), 'task_conflict', /id/);
  await refuses(two({}, { task: { id: 't-42', purpose: 'finance' } }), 'task_conflict', /purpose/);
  await refuses(two({ act: { sub: AGENT, act: { sub: ORCHESTRATOR } } }, {}), 'task_conflict', /chain/);
});

test('two tokens are no stronger than the weaker', async () => {
  const { task } = await taskContext(two({ scope: 'invoices ledger' }, { scope: 'ledger', exp: NOW / 1000 + 100 }));
  assert.equal(task?.source, 'txn-token');
  assert.deepEqual(task?.scopes, ['ledger']);
  assert.equal(task?.expiresAt, NOW / 1000 + 100);
  assert.deepEqual((await taskContext(two({ scope: 'invoices' }, {}))).task?.scopes, ['invoices']);
  await refuses(two({ scope: 'invoices' }, { scope: 'ledger' }), 'task_conflict', /scope/);
});

test('a proof raises the token that it is over, and no other one', async () => {
  const access = agentAccess({ claims: { cnf: { jkt: thumbprint(keys.agent) } } });
  const dpop = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: access });
  const headers = { authorization: `DPoP ${access}`, dpop };
  assert.equal((await taskContext({ headers })).task?.assurance, 3);
  assert.equal((await taskContext({ headers: { ...headers, 'txn-token': agentTxn() } })).task?.assurance, 2);
  const txn = agentTxn({ claims: { cnf: { jkt: thumbprint(keys.agent) } } });
  const over = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: txn });
  const beside = { 'txn-token': txn, dpop: over };
  assert.equal((await taskContext({ headers: beside })).task?.assurance, 3);
  assert.equal(
    (await taskContext({ headers: { ...beside, authorization: `Bearer ${agentAccess()}` } })).task?.assurance,
    2,
  );
});

test('a second task that is bad refuses, however good the first is', async () => {
  const bad = { authorization: `Bearer ${agentAccess({ claims: { aud: 'x' } })}` };
  await refuses({ headers: { 'txn-token': agentTxn(), ...bad } }, 'task_token_audience');
});

test('without any issuer, Authorization is not read for tasks', async () => {
  const outcome = await readWhy({ headers: { authorization: 'Bearer whatever' }, options: { issuers: [] } });
  assert.ok(!(outcome instanceof Refusal));
});

test('a denial for want of a scope asks for the scopes of the resource, under its guardrail alone', async () => {
  const target = targetOf(inventory, 'GET payments.internal/api/invoices/42');
  const denial = new Refusal('policy_forbidden', 'forbidden');
  const found = await taskContext({
    headers: { authorization: `Bearer ${agentAccess({ claims: { scope: 'other' } })}` },
  });
  const guardrail = 'scoped-tokens-stay-in-their-scopes';
  assert.deepEqual(askForScope(denial, found, target, [guardrail]).headers, [
    ['www-authenticate', 'Bearer error="insufficient_scope", scope="invoices ledger"'],
  ]);
  assert.equal(askForScope(denial, found, target, ['another']), denial);
  assert.equal(askForScope(denial, await taskContext(), target, [guardrail]), denial);
  const handedOn = await taskContext({ headers: { 'txn-token': agentTxn({ claims: { scope: 'other' } }) } });
  assert.equal(askForScope(denial, handedOn, target, [guardrail]), denial);
  const unnamed = askForScope(denial, found, targetOf(inventory, 'GET payments.internal/other'), [guardrail]);
  assert.deepEqual(unnamed.headers, [['www-authenticate', 'Bearer error="insufficient_scope"']]);
});

test('B29: options by which nothing could be accepted do not start', () => {
  const [txn, access, svid] = options.issuers;
  assert.doesNotThrow(() => taskReader(options));
  assert.doesNotThrow(() => taskReader({ headers: null, history: () => ({ id: '', sinceMs: 0 }) }));
  for (const [change, problem] of [
    [{ issuers: [{ ...txn!, audience: '' }] }, /audience is empty/],
    [{ issuers: [{ ...txn!, trustDomains: [] }] }, /trustDomains/],
    [{ issuers: [{ ...txn!, purposes: [''] }] }, /purposes/],
    [{ issuers: [{ ...txn!, algorithms: [] }] }, /algorithms/],
    [{ issuers: [{ ...txn!, issuer: '' }] }, /issuer is empty/],
    [{ issuers: [{ ...txn!, purposeClaim: [] }] }, /purposeClaim/],
    [{ issuers: [{ ...access!, idClaim: [] }] }, /idClaim/],
    [{ issuers: [{ ...access!, maxLifetimeSeconds: 0 }] }, /maxLifetime/],
    [{ issuers: [{ ...access!, maxLifetimeSeconds: Number.NaN }] }, /maxLifetime/],
    [{ issuers: [txn!, txn!] }, /twice/],
    [{ issuers: [svid!, svid!] }, /jwt-svid prod\.example stands there twice/],
    [{ headers: { id: 'x', purpose: 'x' } }, /one header/],
    [{ maxDepth: 0 }, /maxDepth/],
    [{ dpop: { ...options.dpop, algorithms: [] } }, /dpop: algorithms/],
    [{ dpop: { ...options.dpop, maxAgeSeconds: Number.POSITIVE_INFINITY } }, /maxAge/],
    [{ dpop: { ...options.dpop, nonce: { ...options.dpop.nonce, secrets: () => [Buffer.alloc(31)] } } }, /secret/],
    [{ dpop: { ...options.dpop, nonce: { ...options.dpop.nonce, lifetimeSeconds: 0 } } }, /nonces/],
    [{ wimse: { ...options.wimse, algorithms: [] } }, /wimse: algorithms/],
    [{ wimse: { ...options.wimse, maxWitLifetimeSeconds: 0 } }, /maxWitLifetime/],
    [{ wimse: { ...options.wimse, maxProofLifetimeSeconds: 0 } }, /maxProofLifetime/],
  ] as const) {
    assert.throws(() => taskReader({ ...options, ...(change as object) }), problem);
  }
});

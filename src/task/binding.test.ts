import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AGENT,
  accessIssuer,
  agentAccess,
  agentTxn,
  CERTIFICATE,
  keys,
  NOW,
  ORCHESTRATOR,
  PARTNER,
  refuses,
  TARGET_URI,
  THIEF,
  taskContext,
  txnIssuer,
} from '../../test/support/task-world.ts';
import { dpopProof, sha256, thumbprint } from '../../test/support/tokens.ts';
import type { TxnTokenIssuer } from './options.ts';

const txn = (claims: object, more: object = {}) => ({
  headers: { 'txn-token': agentTxn({ claims: { ...claims } }) },
  ...more,
});
const withIssuer = (changes: Partial<TxnTokenIssuer>) => ({ options: { issuers: [{ ...txnIssuer, ...changes }] } });
const ids = async (situation: object) => (await taskContext(situation)).chain.map(({ id }) => id.text);
const assurance = async (situation: object) => (await taskContext(situation)).task?.assurance;
const forwarded = withIssuer({ propagation: 'forwarded' });
const bearer = withIssuer({ unsafeBearer: true });
const opaque = { req_wl: 'somebody' };
/** Two actors: the agent now, the orchestrator before it. */
const act = { sub: AGENT, act: { sub: ORCHESTRATOR } };

// Names.

test('a task of another workload is refused, and is not one for a thief who shows his own certificate', async () => {
  assert.equal(await assurance(txn({})), 2);
  await refuses(txn({}, { caller: THIEF }), 'task_of_another', /billing-agent/);
  await refuses(txn({}, { caller: THIEF, ...bearer }), 'task_of_another');
});

test('every workload that is named counts, in whatever claim it stands', async () => {
  await refuses(txn({ sub: THIEF }), 'task_of_another', /thief/);
  await refuses(txn({ client_id: THIEF }), 'task_of_another', /thief/);
  await refuses(txn({ act, client_id: THIEF }), 'task_of_another', /thief/);
  assert.deepEqual(await ids(txn({ sub: AGENT, client_id: AGENT })), [AGENT]);
});

test('what looks like a SPIFFE ID must be one', async () => {
  await refuses(txn({ req_wl: `${AGENT}/` }), 'chain_malformed');
  await refuses(txn({ sub: 'SPIFFE://prod.example/x' }), 'chain_malformed');
  await refuses(txn({ req_wl: 'spiffe://prod.example' }), 'chain_malformed', /trust domain/);
  await refuses(txn({ client_id: 7 }), 'chain_malformed', /client_id/);
});

test('a token that names no workload is bound to nobody', async () => {
  await refuses(txn(opaque), 'task_unbound', /names no workload/);
  assert.equal(await assurance(txn(opaque, bearer)), 1);
});

test('a name binds only a caller who proved possession', async () => {
  for (const credential of ['jwt-svid', 'oidc'] as const) {
    await refuses(txn({}, { credential }), 'task_unbound', /no possession/);
    assert.equal(await assurance(txn({}, { credential, ...bearer })), 1);
  }
});

test('a legacy credential carries no task, whatever its token is bound to, and where a bearer would', async () => {
  const credential = 'api-key';
  const cnf = { 'x5t#S256': CERTIFICATE };
  for (const claims of [{}, opaque, { cnf }])
    await refuses(txn(claims, { credential, ...bearer }), 'task_unbound', /legacy credential/);
  assert.equal(await assurance(txn({}, { credential: 'oidc', ...bearer })), 1);
});

// Confirmation.

test('B35: a token that is bound to a certificate is of use with that certificate alone', async () => {
  const cnf = { 'x5t#S256': CERTIFICATE };
  assert.equal(await assurance(txn({ cnf })), 2);
  assert.equal(await assurance(txn({ ...opaque, cnf })), 2);
  const rotated = sha256('the next certificate of the agent');
  await refuses(txn({ cnf }, { thumbprint: rotated }), 'task_txn_binding', /another certificate/);
  await refuses(txn({ cnf }, { credential: 'jwt-svid', ...bearer }), 'task_txn_binding', /showed none/);
  await refuses(txn({ cnf, ...opaque }, { thumbprint: rotated, ...bearer }), 'task_txn_binding');
});

test('a token that is bound by name outlives the rotation of the SVID', async () => {
  assert.equal(await assurance(txn({}, { thumbprint: sha256('the next certificate of the agent') })), 2);
});

test('members of cnf that are not understood are passed over where one that is binds the token', async () => {
  const foreign = { kid: 'k', 'kc-jkt-type': 'DPoP', '': null, osc: {} };
  const bound = txn({ cnf: { ...foreign, 'x5t#S256': CERTIFICATE } });
  assert.equal(await assurance(bound), 2);
  await refuses({ ...bound, thumbprint: sha256('other') }, 'task_txn_binding', /another certificate/);
  const token = agentAccess({ claims: { cnf: { ...foreign, jkt: thumbprint(keys.agent) } } });
  const dpop = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: token });
  assert.equal(await assurance({ headers: { authorization: `DPoP ${token}`, dpop } }), 3);
  await refuses({ headers: { authorization: `Bearer ${token}`, dpop } }, 'task_token_binding', /scheme Bearer/);
});

test('B35: a cnf without a member that is understood refuses, whatever else holds', async () => {
  for (const [cnf, detail] of [
    [{ kid: 'k' }, /no member that is understood/],
    [{ osc: {} }, /no member that is understood/],
    [{}, /no member that is understood/],
    [{ 'x5t#S256': null }, /no SHA-256/],
    [[], /no(t an)? object/],
    ['x', /not an object/],
    [{ 'x5t#S256': `${CERTIFICATE}=` }, /no SHA-256/],
    [{ jkt: 7 }, /no SHA-256/],
    [{ jwk: { kty: 'oct', k: 'AA' } }, /cnf\.jwk: .*private/],
    [{ jwk: { ...keys.agent.publicJwk, d: 'AA' } }, /cnf\.jwk: .*private/],
  ] as const) {
    await refuses(txn({ cnf }), 'task_txn_binding', detail);
    await refuses(txn({ cnf }, bearer), 'task_txn_binding', detail);
    const authorization = `Bearer ${agentAccess({ claims: { cnf } })}`;
    await refuses({ headers: { authorization } }, 'task_token_binding', detail);
  }
});

test('B35: a token that is bound to a key is refused without a proof, under the scheme Bearer too', async () => {
  const cnf = { jkt: thumbprint(keys.agent) };
  await refuses(txn({ cnf }), 'task_txn_binding', /no proof/);
  const authorization = `Bearer ${agentAccess({ claims: { cnf } })}`;
  await refuses({ headers: { authorization } }, 'task_token_binding', /scheme Bearer/);
});

test('B35: under the scheme Bearer a bound token is refused even with its proof beside it', async () => {
  const token = agentAccess({ claims: { cnf: { jkt: thumbprint(keys.agent) } } });
  const dpop = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: token });
  assert.equal(await assurance({ headers: { authorization: `DPoP ${token}`, dpop } }), 3);
  await refuses({ headers: { authorization: `Bearer ${token}`, dpop } }, 'task_token_binding', /scheme Bearer/);
});

test('a key alone binds nobody: the proof may be as captured as the token', async () => {
  for (const cnf of [{ jkt: thumbprint(keys.agent) }, { jwk: keys.agent.publicJwk }]) {
    const token = agentTxn({ claims: { ...opaque, cnf } });
    const dpop = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: token });
    assert.equal(await assurance({ headers: { 'txn-token': token, dpop } }), 1);
  }
});

test('all members of cnf hold, not one of them', async () => {
  const cnf = { jkt: thumbprint(keys.agent), 'x5t#S256': CERTIFICATE };
  const token = agentTxn({ claims: { cnf } });
  const dpop = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: token });
  assert.equal(await assurance({ headers: { 'txn-token': token, dpop } }), 3);
  await refuses({ headers: { 'txn-token': token } }, 'task_txn_binding');
  await refuses({ headers: { 'txn-token': token, dpop }, thumbprint: sha256('other') }, 'task_txn_binding');
});

// Chains.

test('nested actors make the chain: originator first, caller last', async () => {
  assert.deepEqual(await ids(txn({ act })), [ORCHESTRATOR, AGENT]);
  assert.equal(await assurance(txn({ act })), 2);
});

test('a workload in sub beside act is the originator', async () => {
  assert.deepEqual(await ids(txn({ act: { sub: AGENT }, sub: ORCHESTRATOR })), [ORCHESTRATOR, AGENT]);
  assert.deepEqual(await ids(txn({ act: { sub: AGENT }, sub: AGENT })), [AGENT]);
  await refuses(txn({ act, sub: AGENT }), 'chain_cycle');
});

test('the caller is the outermost actor, and nobody further in', () =>
  refuses(txn({ act }, { caller: ORCHESTRATOR }), 'task_of_another', /billing-agent/));

test('a hop that the inventory does not know refuses, by whatever name', async () => {
  await refuses(txn({ act: { sub: AGENT, act: { sub: 'spiffe://prod.example/who' } } }), 'chain_unregistered');
  await refuses(txn({ act: { sub: AGENT, act: { sub: 'who' } } }), 'chain_unregistered');
  await refuses(txn({ act: { sub: AGENT }, sub: 'spiffe://prod.example/who' }), 'chain_unregistered');
});

test('an actor with an issuer of its own is looked up by both', async () => {
  const erp = { sub: 'erp-sync', iss: 'https://as.prod.example' };
  assert.deepEqual(await ids(txn({ act: { sub: AGENT, act: erp } })), ['spiffe://prod.example/legacy/erp', AGENT]);
  await refuses(txn({ act: { sub: AGENT, act: { ...erp, iss: 'https://other.example' } } }), 'chain_unregistered');
  await refuses(txn({ act: { sub: AGENT, act: { sub: 'erp-sync' } } }), 'chain_unregistered');
});

test('an actor that can be read in two ways refuses', async () => {
  for (const [inner, detail] of [
    [{ sub: ORCHESTRATOR, exp: 1 }, /"exp"/],
    [{ sub: ORCHESTRATOR, client_id: 'x' }, /"client_id"/],
    [{ sub: ORCHESTRATOR, iss: 'https://as.prod.example' }, /both an iss and a SPIFFE ID/],
    [{ sub: 'erp-sync', iss: 7 }, /iss/],
    [{ sub: ['a'] }, /sub/],
    [{ sub: 'spiffe://prod.example/a/' }, /SPIFFE ID/],
    [{}, /sub/],
    [[], /not an object/],
    [null, /not an object/],
    ['x', /not an object/],
  ] as const) {
    await refuses(txn({ act: { sub: AGENT, act: inner } }), 'chain_malformed', detail);
  }
});

test('a chain is no longer than it may be, counted in workloads', async () => {
  const two = { options: { maxDepth: 2 } };
  assert.deepEqual(await ids(txn({ act }, two)), [ORCHESTRATOR, AGENT]);
  await refuses(txn({ act, sub: 'spiffe://prod.example/legacy/erp' }, two), 'chain_too_deep', /3 workloads/);
  await refuses(txn({ act }, { options: { maxDepth: 1 } }), 'chain_too_deep', /more than 1 actors/);
});

test('a workload that stands in the chain twice refuses', () =>
  refuses(txn({ act: { sub: AGENT, act: { sub: ORCHESTRATOR, act: { sub: AGENT } } } }), 'chain_cycle'));

test('the issuer speaks of every hop, or of none', async () => {
  const partner = { act: { sub: AGENT, act: { sub: PARTNER } } };
  await refuses(txn(partner), 'task_issuer_scope', /partner\.example/);
  const wider = withIssuer({ trustDomains: ['prod.example', 'partner.example'] });
  assert.deepEqual(await ids(txn(partner, wider)), [PARTNER, AGENT]);
});

// Forwarding.

test('a token that travels on names who forwarded it last, with assurance 1', async () => {
  const sent = txn({ req_wl: ORCHESTRATOR }, forwarded);
  assert.deepEqual(await ids(sent), [ORCHESTRATOR, AGENT]);
  assert.equal(await assurance(sent), 1);
  await refuses(txn({ req_wl: ORCHESTRATOR }), 'task_of_another');
});

test('the one that it was issued to holds it as ever', async () => {
  assert.equal(await assurance(txn({}, forwarded)), 2);
});

test('no proof raises a forwarded token, and a certificate keeps it with its holder', async () => {
  const cnf = { jwk: keys.agent.publicJwk };
  const token = agentTxn({ claims: { req_wl: ORCHESTRATOR, cnf } });
  const dpop = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: token });
  assert.equal(await assurance({ headers: { 'txn-token': token, dpop }, ...forwarded }), 1);
  const bound = { req_wl: ORCHESTRATOR, cnf: { 'x5t#S256': CERTIFICATE } };
  await refuses(txn(bound, { ...forwarded, thumbprint: sha256('other') }), 'task_txn_binding');
});

test('forwarded to somebody who stands in the chain already, it is a circle', () =>
  refuses(txn({ act: { sub: ORCHESTRATOR, act: { sub: AGENT } } }, forwarded), 'chain_cycle'));

test('a forwarded token stays where its issuer has a say, and binds only a caller with a certificate', async () => {
  await refuses(txn({ req_wl: ORCHESTRATOR }, { ...forwarded, caller: PARTNER }), 'task_issuer_scope');
  await refuses(txn({ req_wl: ORCHESTRATOR }, { ...forwarded, credential: 'oidc' }), 'task_unbound');
});

test('an access token of a client that is no workload is bound by its certificate', async () => {
  const claims = { client_id: 'some-client', cnf: { 'x5t#S256': CERTIFICATE } };
  const sent = { headers: { authorization: `Bearer ${agentAccess({ claims })}` } };
  assert.equal(await assurance(sent), 2);
  await refuses({ ...sent, caller: THIEF, thumbprint: sha256('thief') }, 'task_token_binding');
  assert.equal(accessIssuer.unsafeBearer, false);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AGENT,
  agentAccess,
  agentTxn,
  inventory,
  keySetOf,
  keys,
  NOW,
  options,
  refusal,
  refuses,
  type Situation,
  TARGET_URI,
  THIEF,
  taskContext,
} from '../../test/support/task-world.ts';
import {
  leftOverBits,
  type Mutation,
  makeKey,
  mint,
  otherSignature,
  sha256,
  thumbprint,
  wit,
  wpt,
} from '../../test/support/tokens.ts';
import { reasons } from '../base/outcome.ts';

const seconds = NOW / 1000;
const txn = agentTxn();
const identity = wit({ key: keys.wit, now: NOW, sub: AGENT, holder: keys.agent });
const agentJwk = { ...keys.agent.publicJwk, alg: 'ES256' };
const many = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`x-${n}`, sha256('x')]));
const frame = { key: keys.agent, now: NOW, uri: TARGET_URI, wit: identity, txnToken: txn };
const proof = (mutation: Mutation = {}) => wpt(frame, mutation);

const send = (
  change: Record<string, string | readonly string[] | undefined> = {},
  more: Situation = {},
): Situation => ({
  ...more,
  headers: { 'txn-token': txn, 'workload-identity-token': identity, 'workload-proof-token': proof(), ...change },
});
const withProof = (mutation: Mutation, more: Situation = {}) => send({ 'workload-proof-token': proof(mutation) }, more);
const withWit = (mutation: Mutation) => {
  const changed = wit({ key: keys.wit, now: NOW, sub: AGENT, holder: keys.agent }, mutation);
  return send({ 'workload-identity-token': changed, 'workload-proof-token': wpt({ ...frame, wit: changed }) });
};

test('a good pair raises a bound task to assurance 3, and is to be used up', async () => {
  const { task, redemptions, consumed } = await taskContext(send());
  assert.deepEqual(consumed, ['txn-token', 'workload-identity-token', 'workload-proof-token']);
  assert.equal(task?.assurance, 3);
  assert.equal(redemptions.length, 1);
  assert.equal(redemptions[0]?.until, NOW + 65_000);
  assert.equal(redemptions[0]?.ifUsed.reason, 'task_wpt_replayed');
  assert.equal((await taskContext({ headers: { 'txn-token': txn } })).task?.assurance, 2);
});

/** Each is one mutation of the good proof, which that check alone refuses. */
const checks: readonly (readonly [name: string, mutation: Mutation, reason: string, detail: RegExp])[] = [
  ['not a JWT', { respell: (text) => text.slice(0, text.lastIndexOf('.')) }, 'task_wpt_malformed', /compact JWS/],
  ['of another typ', { header: { typ: 'JWT' } }, 'task_wpt_malformed', /typ/],
  ['with another alg than cnf.jwk', { header: { alg: 'ES384' } }, 'task_wpt_malformed', /alg/],
  ['with a key of its own', { header: { jwk: keys.agent.publicJwk } }, 'task_wpt_malformed', /key of its own/],
  ['signed with another key', { signWith: keys.thief }, 'task_wpt_signature', /signature/],
  ['without aud', { claims: { aud: undefined } }, 'task_wpt_target', /one text/],
  ['with two targets', { claims: { aud: [TARGET_URI, 'https://x.example/'] } }, 'task_wpt_target', /one text/],
  ['for another target', { claims: { aud: 'https://api.example/api/invoices/43' } }, 'task_wpt_target', /another/],
  ['for the origin alone', { claims: { aud: 'https://api.example' } }, 'task_wpt_target', /another/],
  ['without exp', { claims: { exp: undefined } }, 'task_wpt_malformed', /exp/],
  ['with an exp in words', { claims: { exp: String(seconds + 60) } }, 'task_wpt_malformed', /exp/],
  ['expired', { claims: { exp: seconds - 5 } }, 'task_wpt_expired', /passed/],
  ['that lives too long', { claims: { exp: seconds + 66 } }, 'task_wpt_expired', /too far/],
  ['without jti', { claims: { jti: undefined } }, 'task_wpt_malformed', /jti/],
  ['with a jti that is no identifier', { claims: { jti: 'x'.repeat(257) } }, 'task_wpt_malformed', /jti/],
  ['without wth', { claims: { wth: undefined } }, 'task_wpt_token', /wth/],
  ['over another WIT', { claims: { wth: sha256('another') } }, 'task_wpt_token', /wth/],
  ['that leaves out the Transaction Token', { claims: { tth: undefined } }, 'task_wpt_token', /tth/],
  ['over another Transaction Token', { claims: { tth: sha256('another') } }, 'task_wpt_token', /tth/],
  ['over an access token that is not there', { claims: { ath: sha256('another') } }, 'task_wpt_token', /ath/],
  ['with oth that is no object', { claims: { oth: 'x' } }, 'task_wpt_malformed', /oth/],
  ['with oth of a header that is not there', { claims: { oth: { 'x-token': sha256('x') } } }, 'task_wpt_token', /oth/],
  ['with oth in upper case', { claims: { oth: { 'Txn-Token': sha256(txn) } } }, 'task_wpt_token', /oth/],
  ['with oth of too many headers', { claims: { oth: many } }, 'task_wpt_malformed', /more than 8/],
  ['S2: respelled', { respell: leftOverBits }, 'task_wpt_malformed', /canonical/],
];
for (const [name, mutation, reason, detail] of checks) {
  test(`a WPT ${name} is refused`, () => refuses(withProof(mutation), reason, detail));
}

const witChecks: readonly (readonly [name: string, mutation: Mutation, detail: RegExp])[] = [
  ['not a JWT', { respell: () => 'x' }, /compact JWS/],
  ['of another typ', { header: { typ: 'JWT' } }, /typ/],
  ['with alg none', { header: { alg: 'none' }, signature: () => Buffer.alloc(0) }, /alg/],
  ['signed by the workload itself', { signWith: keys.agent }, /signature/],
  [
    'of a trust domain that is not configured',
    { claims: { sub: 'spiffe://partner.example/x' } },
    /no such trust domain/,
  ],
  ['without sub', { claims: { sub: undefined } }, /sub/],
  ['of a trust domain', { claims: { sub: 'spiffe://prod.example' } }, /sub/],
  ['without exp', { claims: { exp: undefined } }, /exp/],
  ['expired', { claims: { iat: seconds - 100, exp: seconds - 5 } }, /expired/],
  ['that lives too long', { claims: { exp: seconds + 86_401 } }, /lives/],
  ['without cnf', { claims: { cnf: undefined } }, /cnf/],
  ['with no key in cnf', { claims: { cnf: { jkt: thumbprint(keys.agent) } } }, /no jwk/],
  ['with two keys in cnf', { claims: { cnf: { jwk: agentJwk, jkt: thumbprint(keys.thief) } } }, /another key/],
  ['bound to another certificate', { claims: { cnf: { jwk: agentJwk, 'x5t#S256': sha256('x') } } }, /certificate/],
  ['with a key without alg', { claims: { cnf: { jwk: keys.agent.publicJwk } } }, /alg/],
  ['with a private key', { claims: { cnf: { jwk: { ...keys.agent.publicJwk, alg: 'ES256', d: 'AA' } } } }, /private/],
];
for (const [name, mutation, detail] of witChecks) {
  test(`a WIT ${name} is refused`, () => refuses(withWit(mutation), 'task_wit_invalid', detail));
}

test('members of cnf that are not understood are passed over beside the key of a WIT', async () => {
  assert.equal(
    (await taskContext(withWit({ claims: { cnf: { jwk: agentJwk, kid: 'x', more: {} } } }))).task?.assurance,
    3,
  );
});

test('a WIT is of use only beside the certificate of its workload', async () => {
  const ofThief = wit({ key: keys.wit, now: NOW, sub: THIEF, holder: keys.thief });
  const own = wpt({ ...frame, key: keys.thief, wit: ofThief });
  const theft = send({ 'workload-identity-token': ofThief, 'workload-proof-token': own });
  await refuses(theft, 'task_wit_of_another');
  await refuses({ ...theft, caller: THIEF }, 'task_of_another');
  await refuses(send({}, { caller: THIEF }), 'task_wit_of_another');
  await refuses(send({}, { credential: 'jwt-svid' }), 'task_wit_of_another');
});

test('a WIT is no bearer token, and a WPT needs its WIT', async () => {
  await refuses(send({ 'workload-proof-token': undefined }), 'task_wpt_missing');
  await refuses(send({ 'workload-identity-token': undefined }), 'task_wit_invalid', /without a WIT/);
  await refuses(send({ 'workload-identity-token': [identity, identity] }), 'request_header_repeated');
  await refuses(send({ 'workload-proof-token': [proof(), proof()] }), 'request_header_repeated');
});

test('a proof covers the token in Authorization, whoever it is for', async () => {
  const access = agentAccess();
  const authorization = `Bearer ${access}`;
  const both = wpt({ ...frame, accessToken: access });
  assert.equal((await taskContext(send({ authorization, 'workload-proof-token': both }))).task?.assurance, 3);
  await refuses(send({ authorization }), 'task_wpt_token', /ath/);
  const external = { host: 'api.partner.example', path: '/x', options: { headers: null } };
  const there = { ...frame, uri: 'https://api.partner.example/x' };
  const without = send({ authorization: 'Bearer app-token', 'workload-proof-token': wpt(there) }, external);
  await refuses(without, 'task_wpt_token', /ath/);
  const with_ = wpt({ ...there, accessToken: 'app-token' });
  assert.equal(
    (await taskContext(send({ authorization: 'Bearer app-token', 'workload-proof-token': with_ }, external))).task
      ?.assurance,
    3,
  );
});

test('a proof covers a credential of any scheme in Authorization', async () => {
  const external = { host: 'api.partner.example', path: '/x', options: { headers: null } };
  const there = { ...frame, uri: 'https://api.partner.example/x' };
  for (const [authorization, credential] of [
    ['Basic dXNlcjpzZWNyZXQ=', 'dXNlcjpzZWNyZXQ='],
    ['Token  abc', 'abc'],
    ['Digest username="a", uri="/x"', 'username="a", uri="/x"'],
    ['Bearer  app-token', 'app-token'],
    ['abc', 'abc'],
  ] as const) {
    await refuses(send({ authorization, 'workload-proof-token': wpt(there) }, external), 'task_wpt_token', /ath/);
    const covering = wpt({ ...there, accessToken: credential });
    const covered = await taskContext(send({ authorization, 'workload-proof-token': covering }, external));
    assert.equal(covered.task?.assurance, 3);
  }
});

test('a proof that may have been used before the process started is refused, with the time after which a new one holds', async () => {
  const at = (exp: number, startedAtMs: number) =>
    withProof({ claims: { exp } }, { options: { history: () => ({ id: '', sinceMs: startedAtMs }) } });
  // The longest life is 60 s, the leeway 5 s: this one could have been used from now less 5 s on.
  assert.equal((await taskContext(at(seconds + 60, NOW - 5001))).task?.assurance, 3);
  await refuses(at(seconds + 60, NOW - 5000), 'task_wpt_before_start');
  const { reason, headers } = await refusal(at(seconds + 30, NOW - 2500));
  assert.equal(reasons[reason].http, 503);
  const [[name, wait] = ['', '']] = headers;
  assert.equal(name, 'retry-after');
  const later = { now: NOW + Number(wait) * 1000, options: { history: () => ({ id: '', sinceMs: NOW - 2500 }) } };
  const again = withProof({ claims: { exp: seconds + Number(wait) + 30 } }, later);
  assert.equal((await taskContext(again)).task?.assurance, 3);
  const tooSoon = withProof({ claims: { exp: seconds + Number(wait) + 29 } }, later);
  await refuses(tooSoon, 'task_wpt_before_start');
});

test('other tokens are covered by their headers', async () => {
  const others = { 'x-token': sha256('abc') };
  const covered = { 'x-token': ' abc ', 'workload-proof-token': wpt({ ...frame, others }) };
  assert.equal((await taskContext(send(covered))).task?.assurance, 3);
  await refuses(send({ ...covered, 'x-token': 'abd' }), 'task_wpt_token', /oth/);
  await refuses(send({ ...covered, 'x-token': ['abc', 'abc'] }), 'task_wpt_token', /oth/);
});

test('a proof without a task states none, and is used up all the same', async () => {
  const { txnToken: _, ...withoutTask } = frame;
  const sent = send({ 'txn-token': undefined, 'workload-proof-token': wpt(withoutTask) });
  const { task, redemptions } = await taskContext(sent);
  assert.equal(task, null);
  assert.equal(redemptions.length, 1);
});

test('a key that a token names is proven by a WPT too', async () => {
  const token = agentTxn({ claims: { cnf: { jwk: keys.agent.publicJwk } } });
  const covering = wpt({ ...frame, txnToken: token });
  assert.equal((await taskContext(send({ 'txn-token': token, 'workload-proof-token': covering }))).task?.assurance, 3);
  const ofAnother = agentTxn({ claims: { cnf: { jwk: keys.thief.publicJwk } } });
  const overIt = wpt({ ...frame, txnToken: ofAnother });
  await refuses(send({ 'txn-token': ofAnother, 'workload-proof-token': overIt }), 'task_txn_binding');
});

test('S2: a proof with the other form of its signature is the same proof', async () => {
  const text = proof();
  const [first] = (await taskContext(send({ 'workload-proof-token': text }))).redemptions;
  const [second] = (await taskContext(send({ 'workload-proof-token': otherSignature(text) }))).redemptions;
  assert.equal(first?.key, second?.key);
});

test('where no trust domain is configured, and at a host without an origin, no pair is good', async () => {
  await refuses(send({}, { options: { wimse: null } }), 'task_wit_invalid', /configured/);
  await refuses(send({}, { host: 'no-origin.internal', path: '/x' }), 'task_wpt_target', /no origin/);
});

test('the algorithms of WITs are configured', async () => {
  const signer = makeKey('EdDSA', 'wit-ed');
  const text = wit({ key: signer, now: NOW, sub: AGENT, holder: keys.agent });
  const sent = { 'workload-identity-token': text, 'workload-proof-token': wpt({ ...frame, wit: text }) };
  const wimse = { ...options.wimse, witKeys: () => keySetOf(signer) };
  await refuses(send(sent, { options: { wimse } }), 'task_wit_invalid', /alg/);
  const admitted = { ...wimse, algorithms: ['EdDSA'] as const };
  assert.equal((await taskContext(send(sent, { options: { wimse: admitted } }))).task?.assurance, 3);
});

test('a bad WPT is answered with 400 and without a challenge, as WIMSE asks', async () => {
  const { reason, headers } = await refusal(withProof({ claims: { exp: seconds - 5 } }));
  assert.equal(reasons[reason].http, 400);
  assert.deepEqual(headers, []);
});

test('a WIT in Authorization is refused', async () => {
  const text = mint(keys.wit, { typ: 'wit+jwt' }, { iss: 'https://as.prod.example', sub: AGENT });
  await refuses({ headers: { authorization: `Bearer ${text}` } }, 'task_token_type');
  assert.ok(inventory.known.hosts.has('payments.internal'));
});

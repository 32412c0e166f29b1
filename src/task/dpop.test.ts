import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AGENT,
  agentAccess,
  keys,
  NOW,
  ORIGIN,
  options,
  readWhy,
  refusal,
  refuses,
  type Situation,
  TARGET_URI,
  THIEF,
  taskContext,
} from '../../test/support/task-world.ts';
import {
  dpopProof,
  leftOverBits,
  type Mutation,
  makeKey,
  otherSignature,
  sha256,
  thumbprint,
} from '../../test/support/tokens.ts';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { judgeNonce, makeNonce, readNonceSecrets } from './dpop-nonce.ts';
import type { DpopOptions } from './options.ts';
import { hashOf } from './proof.ts';

const seconds = NOW / 1000;
const token = agentAccess({ claims: { cnf: { jkt: thumbprint(keys.agent) } } });
const proof = (mutation: Mutation = {}, nonce?: string) =>
  dpopProof(
    {
      key: keys.agent,
      now: NOW,
      method: 'GET',
      uri: TARGET_URI,
      accessToken: token,
      ...(nonce === undefined ? {} : { nonce }),
    },
    mutation,
  );
const send = (dpop: string | readonly string[] | undefined, more: Situation = {}): Situation => ({
  ...more,
  headers: { authorization: `DPoP ${token}`, dpop },
});
const dpopOptions = (changes: Partial<DpopOptions>) => ({ options: { dpop: { ...options.dpop, ...changes } } });
const required = dpopOptions({ nonce: { ...options.dpop.nonce, required: true } });
const challenge = (error: string) => [
  'www-authenticate',
  `DPoP error="${error}", algs="${options.dpop.algorithms.join(' ')}"`,
];

test('a good proof raises a bound task to assurance 3, and is to be used up', async () => {
  const { task, redemptions, responseHeaders, consumed } = await taskContext(send(proof()));
  assert.deepEqual(consumed, ['authorization', 'dpop']);
  assert.equal(task?.assurance, 3);
  assert.equal(redemptions.length, 1);
  assert.equal(redemptions[0]?.until, NOW + 65_000);
  assert.equal(redemptions[0]?.ifUsed.reason, 'task_proof_replayed');
  assert.deepEqual(redemptions[0]?.ifUsed.headers, [challenge('invalid_dpop_proof')]);
  assert.deepEqual(responseHeaders, []);
});

test('the digests of RFC 9449 come out', () => {
  assert.equal(hashOf('Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'), 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo');
  const example = {
    kty: 'EC',
    x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
    y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
    crv: 'P-256',
  };
  const { kid, algorithm, privateKey } = keys.agent;
  assert.equal(
    thumbprint({ kid, algorithm, privateKey, publicJwk: example }),
    '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
  );
});

/** The twelve checks of RFC 9449 section 4.3: each is one mutation of the good proof, which that check alone refuses. */
const checks: readonly (readonly [name: string, mutation: Mutation, reason: string, detail: RegExp])[] = [
  ['2: not a JWT', { respell: (text) => text.slice(0, text.lastIndexOf('.')) }, 'task_proof_malformed', /compact JWS/],
  ['3: without jti', { claims: { jti: undefined } }, 'task_proof_malformed', /jti/],
  ['3: without htm', { claims: { htm: undefined } }, 'task_proof_malformed', /htm/],
  ['3: without htu', { claims: { htu: undefined } }, 'task_proof_malformed', /htu/],
  ['3: without iat', { claims: { iat: undefined } }, 'task_proof_malformed', /iat/],
  ['4: of another typ', { header: { typ: 'JWT' } }, 'task_proof_malformed', /typ/],
  ['5: with alg none', { header: { alg: 'none' }, signature: () => Buffer.alloc(0) }, 'task_proof_malformed', /alg/],
  ['5: with HS256', { header: { alg: 'HS256' } }, 'task_proof_malformed', /alg/],
  ['6: signed with another key', { signWith: keys.thief }, 'task_proof_signature', /signature/],
  [
    '7: with the private key in it',
    { header: { jwk: { ...keys.agent.publicJwk, d: 'AA' } } },
    'task_proof_malformed',
    /private member d/,
  ],
  ['7: without a key', { header: { jwk: undefined } }, 'task_proof_malformed', /key in the header|no key/],
  ['8: for another method', { claims: { htm: 'POST' } }, 'task_proof_method', /htm/],
  ['8: for the method in lower case', { claims: { htm: 'get' } }, 'task_proof_method', /htm/],
  ['9: for another path', { claims: { htu: `${TARGET_URI}/` } }, 'task_proof_target', /another target/],
  [
    '9: for the internal host',
    { claims: { htu: 'https://payments.internal/api/invoices/42' } },
    'task_proof_target',
    /another target/,
  ],
  ['9: for no URI', { claims: { htu: '/api/invoices/42' } }, 'task_proof_target', /another target/],
  ['10: with a nonce that is no text', { claims: { nonce: 7 } }, 'task_proof_nonce', /nonce/],
  ['10: with a nonce that is not ours', { claims: { nonce: 'mine' } }, 'task_proof_nonce', /nonce/],
  ['11: too old', { claims: { iat: seconds - 66 } }, 'task_proof_expired', /long ago/],
  ['11: B36: from the future', { claims: { iat: seconds + 20 } }, 'task_proof_expired', /future/],
  ['11: expired by its own word', { claims: { exp: seconds - 5 } }, 'task_proof_expired', /exp/],
  ['11: not valid yet by its own word', { claims: { nbf: seconds + 6 } }, 'task_proof_expired', /nbf/],
  ['12: B36: without ath', { claims: { ath: undefined } }, 'task_proof_token', /ath/],
  ['12: over another token', { claims: { ath: sha256('another') } }, 'task_proof_token', /ath/],
];
for (const [name, mutation, reason, detail] of checks) {
  test(`DPoP check ${name}`, async () => {
    await taskContext(send(proof()));
    await refuses(send(proof(mutation)), reason, detail);
  });
}

test('DPoP check 1: two proofs are refused', () => refuses(send([proof(), proof()]), 'request_header_repeated'));

test('DPoP check 5: an algorithm that is not configured is refused', () =>
  refuses(send(proof(), dpopOptions({ algorithms: ['RS256'] })), 'task_proof_malformed', /alg/));

test('DPoP check 12: a thief’s own proof over a token is refused', async () => {
  const own = dpopProof({ key: keys.thief, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: token });
  await refuses(send(own), 'task_proof_key', /not bound/);
  await refuses(send(own, { caller: THIEF }), 'task_proof_key');
  await refuses(send(proof(), { caller: THIEF }), 'task_of_another');
});

test('B36: a jti is short, of any form, and one client’s jti is not another’s', async () => {
  const one = { claims: { jti: '1' } };
  await refuses(send(proof({ claims: { jti: 'x'.repeat(257) } })), 'task_proof_malformed', /jti/);
  await refuses(send(proof({ claims: { jti: 'x'.repeat(1_048_576) } })), 'task_proof_malformed');
  const other = makeKey();
  const otherToken = agentAccess({ claims: { cnf: { jkt: thumbprint(other) } } });
  const frame = { key: other, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: otherToken };
  await refuses(send(proof({ claims: { jti: '' } })), 'task_proof_malformed', /jti/);
  const [mine] = (await taskContext(send(proof(one)))).redemptions;
  const [next] = (await taskContext(send(proof({ claims: { jti: '2' } })))).redemptions;
  assert.notEqual(mine?.key, next?.key);
  const [theirs] = (
    await taskContext({ headers: { authorization: `DPoP ${otherToken}`, dpop: dpopProof(frame, one) } })
  ).redemptions;
  assert.notEqual(mine?.key, theirs?.key);
});

test('S2: a proof in another spelling is the same proof, or none', async () => {
  const text = proof();
  const [first] = (await taskContext(send(text))).redemptions;
  const [second] = (await taskContext(send(otherSignature(text)))).redemptions;
  assert.equal(first?.key, second?.key);
  await refuses(send(leftOverBits(text)), 'task_proof_malformed', /canonical/);
});

test('an iat that is no whole number is refused', async () => {
  for (const iat of [seconds + 0.5, String(seconds), null, 2 ** 53])
    await refuses(send(proof({ claims: { iat } })), 'task_proof_malformed');
});

test('a host without an origin takes no proof: the host that the caller wrote is no origin', async () => {
  const htu = 'https://no-origin.internal/x';
  await refuses(
    send(proof({ claims: { htu } }), { host: 'no-origin.internal', path: '/x' }),
    'task_proof_target',
    /no origin/,
  );
});

test('a path that has no normal form is no target, however the proof spells it', async () => {
  const path = '/api/a|b';
  const htu = `https://api.example${path}`;
  await refuses(send(proof({ claims: { htu } }), { path }), 'task_proof_target', /no origin/);
});

test('the scheme DPoP without a proof, a proof without a token, a token that is bound to no key: refused', async () => {
  await refuses(send(undefined), 'task_proof_missing');
  await refuses({ headers: { dpop: proof() } }, 'task_proof_token', /without a token/);
  const free = agentAccess();
  await refuses({ headers: { authorization: `Bearer ${free}`, dpop: proof() } }, 'task_proof_token', /without a token/);
  const over = dpopProof({ key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: free });
  await refuses({ headers: { authorization: `DPoP ${free}`, dpop: over } }, 'task_proof_key');
});

test('where Authorization is the application’s, so is the proof', async () => {
  const theirs = { authorization: 'DPoP abc', dpop: 'whatever' };
  const found = await taskContext({ host: 'api.partner.example', path: '/', headers: theirs });
  assert.equal(found.task, null);
  assert.deepEqual(found.consumed, []);
});

test('every refusal of a proof is answered with the challenge of RFC 9449', async () => {
  assert.deepEqual((await refusal(send(proof({ claims: { htm: 'POST' } })))).headers, [
    challenge('invalid_dpop_proof'),
  ]);
  assert.deepEqual((await refusal(send(undefined))).headers, [challenge('invalid_dpop_proof')]);
});

// Nonces.

const nonceOf = (headers: readonly (readonly [string, string])[]) =>
  headers.find(([name]) => name === 'dpop-nonce')?.[1];

test('where nonces are required, a proof without one is told one, and is good with it', async () => {
  const told = await refusal(send(proof(), required));
  assert.equal(told.reason, 'task_proof_nonce');
  assert.deepEqual(told.headers[0], challenge('use_dpop_nonce'));
  const nonce = nonceOf(told.headers);
  assert.ok(nonce !== undefined);
  assert.equal((await taskContext(send(proof({}, nonce), required))).task?.assurance, 3);
});

test('a nonce is of use to the workload that it was made for, at its origin, unchanged', async () => {
  const owner = { caller: AGENT, origin: ORIGIN, history: '' };
  const nonce = makeNonce(owner, options.dpop, NOW);
  const [time, tag = ''] = nonce.split('.');
  const judged = (text: string, changes = {}, rules: DpopOptions = options.dpop) =>
    judgeNonce(text, { ...owner, ...changes }, rules, NOW);
  assert.equal(judged(nonce), 'good');
  assert.equal(judged(nonce, { caller: THIEF }), 'bad');
  assert.equal(judged(nonce, { origin: 'https://other.example' }), 'bad');
  assert.equal(judged(nonce, { history: 'another' }), 'bad');
  assert.equal(judged(`${Number(time) + 1}.${tag}`), 'bad');
  assert.equal(judged(`${time}.${tag.startsWith('A') ? 'B' : 'A'}${tag.slice(1)}`), 'bad');
  assert.equal(judged(makeNonce(owner, options.dpop, NOW + 6000)), 'bad');
  const otherSecret = { ...options.dpop, nonce: { ...options.dpop.nonce, secrets: () => [Buffer.alloc(32, 8)] } };
  assert.equal(judged(nonce, {}, otherSecret), 'bad');
  await refuses(send(proof({}, makeNonce({ ...owner, caller: THIEF }, options.dpop, NOW))), 'task_proof_nonce');
});

test('of several secrets the first makes nonces, and each verifies them', () => {
  const owner = { caller: AGENT, origin: ORIGIN, history: '' };
  const having = (...bytes: number[]): DpopOptions => ({
    ...options.dpop,
    nonce: { ...options.dpop.nonce, secrets: () => bytes.map((byte) => Buffer.alloc(32, byte)) },
  });
  const nonce = makeNonce(owner, having(1, 2), NOW);
  assert.equal(judgeNonce(nonce, owner, having(1), NOW), 'good');
  assert.equal(judgeNonce(nonce, owner, having(3, 1), NOW), 'good');
  assert.equal(judgeNonce(nonce, owner, having(2, 3), NOW), 'bad');
});

test('secrets are read from lines of base64 of either alphabet', () => {
  const [one, two] = [Buffer.alloc(32, 0xfb), Buffer.alloc(48, 0xff)];
  const text = `${one.toString('base64')}\r\n\n${two.toString('base64url')}\n`;
  assert.deepEqual(readNonceSecrets(text), [one, two]);
  for (const [wrong, detail] of [
    ['', /holds no secret/],
    [`${one.toString('base64')}\n${Buffer.alloc(31).toString('base64')}`, /secret 2 is no base64, or too short/],
    ['not base64, though it is long enough for a secret!', /secret 1 is no base64/],
    [`${one.toString('base64')}\n`.repeat(5), /more than 4 secrets/],
  ] as const) {
    const read = readNonceSecrets(wrong);
    assert.ok(read instanceof Fault);
    assert.match(read.detail, detail);
  }
});

test('a nonce ends, and before that the next one comes with an allow', async () => {
  const brief = dpopOptions({ nonce: { ...options.dpop.nonce, required: true, lifetimeSeconds: 20 } });
  const nonce = nonceOf((await refusal(send(proof(), brief))).headers) ?? '';
  const at = (s: number) => send(proof({ claims: { iat: seconds + s } }, nonce), { ...brief, now: NOW + s * 1000 });
  assert.deepEqual((await taskContext(at(10))).responseHeaders, []);
  const { responseHeaders } = await taskContext(at(11));
  const next = nonceOf(responseHeaders);
  assert.ok(next !== undefined && next !== nonce);
  assert.equal((await taskContext(at(20))).task?.assurance, 3);
  await refuses(at(21), 'task_proof_nonce');
});

// Proofs from before the start.

const startedAt = (startedAtMs: number, more: Situation = {}): Situation => ({
  ...more,
  options: { history: () => ({ id: '', sinceMs: startedAtMs }), ...more.options },
});

test('a proof that may have been used before the process started is asked for a nonce, and good with it', async () => {
  assert.equal((await taskContext(send(proof(), startedAt(NOW - 5001)))).task?.assurance, 3);
  const young = startedAt(NOW - 5000);
  const asked = await refusal(send(proof(), young));
  assert.equal(asked.reason, 'task_proof_nonce');
  assert.match(asked.detail, /before what the store remembers/);
  assert.deepEqual(asked.headers[0], challenge('use_dpop_nonce'));
  const nonce = nonceOf(asked.headers);
  assert.ok(nonce !== undefined);
  assert.equal((await taskContext(send(proof({}, nonce), young))).task?.assurance, 3);
});

test('a nonce of the process before does not show that a proof was made after the start', async () => {
  const owner = { caller: AGENT, origin: ORIGIN, history: '' };
  const before = { ...options.dpop, nonce: { ...options.dpop.nonce, secrets: () => [Buffer.alloc(32, 8)] } };
  const nonce = makeNonce(owner, before, NOW - 10_000);
  await refuses(send(proof({}, nonce), startedAt(NOW - 5000)), 'task_proof_nonce', /not ours/);
});

test('what is wrong with a proof is said before it is asked for a nonce because of the start', async () => {
  const young = startedAt(NOW);
  await refuses(send(proof({ claims: { ath: sha256('another') } }), young), 'task_proof_token');
  await refuses(send(proof({ claims: { iat: seconds - 3600 } }), young), 'task_proof_expired');
});

test('no proof without a nonce that one process accepted is accepted by the next', async () => {
  const offset = fc.integer({ min: -80_000, max: 80_000 });
  await fc.assert(
    fc.asyncProperty(offset, fc.nat(80_000), fc.nat(80_000), async (made, firstRun, pause) => {
      const text = proof({ claims: { iat: seconds + Math.round(made / 1000) } });
      // It is used in a process that has run for an hour and ends at once; the next one starts, and sees it later.
      const usedAt = NOW + firstRun;
      const first = await readWhy(
        send(text, { now: usedAt, options: { history: () => ({ id: '', sinceMs: NOW - 3_600_000 }) } }),
      );
      const second = await readWhy(
        send(text, { now: usedAt + pause, options: { history: () => ({ id: '', sinceMs: usedAt }) } }),
      );
      assert.ok(first instanceof Refusal || second instanceof Refusal);
    }),
    { numRuns: 300 },
  );
});

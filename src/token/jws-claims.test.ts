import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../base/strict-json.ts';
import { checkAudience, checkBearer, checkTimes, requireText } from './jws-claims.ts';
import { TokenFault, type TokenFaultKind } from './jws-fault.ts';

const START = 1_767_225_600;
const good = { iat: START, exp: START + 300 };
const times = (claims: JsonObject, second = START, maxLifetimeSeconds = 3600) =>
  checkTimes(claims, { now: second * 1000, maxLifetimeSeconds });
const kindOf = (result: unknown): string => (result instanceof TokenFault ? result.kind : 'good');

test('five seconds of leeway at both ends, to the millisecond', () => {
  const at = (milliseconds: number) => kindOf(checkTimes(good, { now: milliseconds, maxLifetimeSeconds: 3600 }));
  assert.equal(at((START - 5) * 1000), 'good');
  assert.equal(at((START - 5) * 1000 - 1), 'not_yet_valid');
  assert.equal(at((START + 305) * 1000 - 1), 'good');
  assert.equal(at((START + 305) * 1000), 'expired');
});

const cases: readonly [string, TokenFaultKind | 'good', JsonObject][] = [
  ['a good token', 'good', good],
  ['B29: without exp', 'expired', { iat: START }],
  ['exp as text', 'malformed', { ...good, exp: String(START + 300) }],
  ['exp with a fraction', 'malformed', { ...good, exp: START + 300.5 }],
  ['exp null', 'malformed', { ...good, exp: null }],
  ['exp beyond the safe range', 'malformed', { ...good, exp: 1e300 }],
  ['nbf in the past', 'good', { ...good, nbf: START - 1 }],
  ['nbf in the future', 'not_yet_valid', { ...good, nbf: START + 60 }],
  ['nbf as text', 'malformed', { ...good, nbf: '0' }],
  ['iat in the future', 'not_yet_valid', { iat: START + 60, exp: START + 300 }],
  ['iat as text', 'malformed', { ...good, iat: '0' }],
  ['exp before iat', 'lifetime', { iat: START + 4, exp: START + 3 }],
  ['a life of the maximum', 'good', { iat: START, exp: START + 3600 }],
  ['a life of a second more', 'lifetime', { iat: START, exp: START + 3601 }],
  ['an old token of a long life, near its end', 'lifetime', { iat: START - 3600, exp: START + 60 }],
  ['no iat, and a near end', 'good', { exp: START + 3600 }],
  ['no iat, and a far end', 'lifetime', { exp: START + 3601 }],
];
for (const [what, kind, claims] of cases)
  test(`times: ${what} is ${kind}`, () => assert.equal(kindOf(times(claims)), kind));

test('the issue time is never younger than the token can be', () => {
  assert.deepEqual(times(good), { issuedAt: START, expiresAt: START + 300 });
  assert.deepEqual(times({ exp: START + 300, nbf: START - 60 }), { issuedAt: START - 60, expiresAt: START + 300 });
  assert.deepEqual(times({ exp: START + 300 }), { issuedAt: START - 3300, expiresAt: START + 300 });
});

test('a maximum that is no number admits nothing', () => {
  assert.equal(kindOf(times(good, START, Number.NaN)), 'lifetime');
});

test('B29: the audience must be ours, and ours must be configured', () => {
  const fits = (aud: JsonObject[string] | undefined, ours = 'me') =>
    checkAudience(aud === undefined ? {} : { aud }, ours) === null;
  assert.ok(fits('me') && fits(['me']) && fits(['other', 'me']));
  for (const aud of [
    undefined,
    '',
    [],
    [''],
    'other',
    ['other'],
    ['me', ''],
    ['me', 7],
    { me: true },
    null,
    'ME',
    'me ',
  ])
    assert.ok(!fits(aud), JSON.stringify(aud));
  for (const aud of ['', [''], [], undefined]) assert.ok(!fits(aud, ''), JSON.stringify(aud));
});

test('a token that is bound to a key is no bearer token', () => {
  const kind = (cnf: JsonObject[string], certificate: string | null) => kindOf(checkBearer({ cnf }, certificate) ?? 1);
  assert.equal(checkBearer({}, null), null);
  assert.equal(kind({ 'x5t#S256': 'abc' }, 'abc'), 'good');
  assert.equal(kind({ 'x5t#S256': 'abc' }, 'abd'), 'bound');
  assert.equal(kind({ 'x5t#S256': 'abc' }, null), 'bound');
  assert.equal(kind({ jkt: 'abc' }, 'abc'), 'bound');
  assert.equal(kind({ 'x5t#S256': 'abc', jkt: 'abc' }, 'abc'), 'bound');
  assert.equal(kind({ 'x5t#S256': 'abc', jwk: {} }, 'abc'), 'bound');
  assert.equal(kind({ 'x5t#S256': 'abc', 'not-understood': 'x' }, 'abc'), 'good');
  assert.equal(kind({ 'not-understood': 'x' }, 'abc'), 'bound');
  assert.equal(kind({}, 'abc'), 'bound');
  assert.equal(kind('abc', 'abc'), 'bound');
  assert.equal(kind(null, 'abc'), 'bound');
});

test('a required claim is a non-empty string', () => {
  assert.equal(requireText({ sub: 'x' }, 'sub', 'subject'), 'x');
  for (const claims of [{}, { sub: '' }, { sub: 7 }, { sub: ['x'] }])
    assert.equal(kindOf(requireText(claims, 'sub', 'subject')), 'subject');
});

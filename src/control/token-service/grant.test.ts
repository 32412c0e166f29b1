import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playExchanges, widened } from '../../../test/support/exchanges.ts';
import { ApiProblem } from '../http/problem.ts';
import { exchangeGrant, type Grant, type GrantRules, startGrant } from './grant.ts';
import { readTokenRequest, TOKEN_EXCHANGE, type TokenRequest, tokenType } from './request.ts';

const A = 'spiffe://prod.example/a';
const B = 'spiffe://prod.example/b';
const NOW = 1_795_600_800;
const rules: GrantRules = {
  audience: 'prod.example',
  maxTokenSeconds: 600,
  maxTaskSeconds: 7200,
  maxDepth: 2,
  widerPurposes: (purpose) => ({ finance: [], invoices: ['finance'] })[purpose] ?? null,
};

function asked(details: object, more: Readonly<Record<string, string>> = {}): TokenRequest {
  const request = readTokenRequest({
    grant_type: TOKEN_EXCHANGE,
    requested_token_type: tokenType('txn_token'),
    subject_token_type: tokenType('unsigned_json'),
    subject_token: '{"sub":"a"}',
    audience: 'prod.example',
    request_details: JSON.stringify(details),
    ...more,
  });
  if (request instanceof ApiProblem) assert.fail(request.detail ?? request.code);
  return request;
}

function granted(outcome: Grant | ApiProblem): Grant {
  if (outcome instanceof ApiProblem) assert.fail(outcome.detail ?? outcome.code);
  return outcome;
}

const start = (details: object, more = {}, now = NOW) =>
  startGrant(asked({ purpose: 'finance', ...details }, more), { id: 't', starting: [A] }, rules, now);
const first = granted(start({ lifetime: 3600, resources: [{ api: 'h/x' }] }, { scope: 'read write' }));

test('a task starts with what was asked for, and a token of it lives as long as tokens may', () => {
  assert.deepEqual(first, {
    id: 't',
    chain: [A],
    purpose: 'finance',
    scopes: ['read', 'write'],
    endsAt: NOW + 3600,
    expiresAt: NOW + 600,
    resources: [{ api: 'h/x', parameters: {} }],
  });
  assert.equal(granted(start({ lifetime: 60 })).expiresAt, NOW + 60);
  assert.equal(granted(start({})).endsAt, NOW + 7200);
});

test('no exchange of a sequence widens anything: task, purpose, scope, end, audience, resources, chain, depth', () => {
  let [granted, refused] = [0, 0];
  for (let seed = 0; seed < 2000; seed++) {
    const played = playExchanges(seed);
    assert.equal(played.widened, null);
    granted += played.granted;
    refused += played.refused;
  }
  assert.ok(granted > 4000 && refused > 4000, `${granted} granted, ${refused} refused: little was tried`);
});

test('what is wider is seen to be', () => {
  const wider: readonly (readonly [string, Partial<Grant>])[] = [
    ['purpose', { purpose: 'all' }],
    ['scope', { scopes: ['read', 'ledger'] }],
    ['end', { endsAt: first.endsAt + 1 }],
    ['lifetime', { expiresAt: first.expiresAt + 1 }],
    ['resources', { resources: null }],
    ['chain', { chain: [B] }],
    ['hop twice', { chain: [A, A] }],
    ['task', { id: 'u' }],
  ];
  for (const [name, change] of wider) assert.equal(widened(first, { ...first, ...change }, true), name);
});

const MUTATIONS: readonly (readonly [
  name: string,
  details: object,
  more: Readonly<Record<string, string>>,
  code: string,
])[] = [
  ['another trust domain', {}, { audience: 'other.example' }, 'target_invalid'],
  ['a scope more', {}, { scope: 'read ledger' }, 'scope_exceeded'],
  ['a wider purpose', { purpose: 'party' }, {}, 'token_request_invalid'],
  ['other resources', { resources: [{ api: 'h/y' }] }, {}, 'token_request_invalid'],
  ['a lease again', { lease: 60 }, {}, 'token_request_invalid'],
  ['budgets again', { budgets: { calls: 9 } }, {}, 'token_request_invalid'],
  ['an actor of the chain', {}, { actor: A }, 'token_request_invalid'],
];
for (const [name, details, more, code] of MUTATIONS) {
  test(`an exchange for ${name} is refused`, () => {
    granted(exchangeGrant(asked({}, { scope: 'read' }), first, A, rules, NOW));
    const outcome = exchangeGrant(asked(details, more), first, A, rules, NOW);
    assert.ok(outcome instanceof ApiProblem);
    assert.equal(outcome.code, code);
  });
}

test('only the last actor exchanges a token, and only while it is valid', () => {
  const second = granted(exchangeGrant(asked({}, { actor: B }), first, A, rules, NOW + 10));
  assert.deepEqual(second.chain, [A, B]);
  assert.equal(second.expiresAt, first.expiresAt);
  for (const [caller, now] of [
    [A, NOW + 20],
    [B, NOW + 600],
  ] as const)
    assert.ok(exchangeGrant(asked({}), second, caller, rules, now) instanceof ApiProblem);
  const refreshed = granted(exchangeGrant(asked({}), second, B, rules, NOW + 599));
  assert.equal(refreshed.expiresAt, NOW + 599 + 600);
});

test('the chain has its bound, and a task its end, however often it is refreshed', () => {
  const second = granted(exchangeGrant(asked({ lifetime: 100 }, { actor: B }), first, A, rules, NOW));
  assert.equal(second.endsAt, NOW + 100);
  assert.equal(granted(exchangeGrant(asked({ lifetime: 900 }), second, B, rules, NOW + 50)).endsAt, NOW + 100);
  const third = exchangeGrant(asked({}, { actor: 'spiffe://prod.example/c' }), second, B, rules, NOW);
  assert.match(third instanceof ApiProblem ? (third.detail ?? '') : '', /more than 2 workloads/);
});

test('a task needs a purpose, and a lifetime within the limit', () => {
  for (const [details, why] of [
    [{ purpose: undefined }, /states no purpose/],
    [{ lifetime: 7201 }, /longer than 7200 s/],
  ] as const) {
    const outcome = start(details);
    assert.match(outcome instanceof ApiProblem ? (outcome.detail ?? '') : '', why);
  }
});

test('a scope that is not asked for is not given, by no exchange either', () => {
  assert.deepEqual(granted(start({})).scopes, []);
  assert.deepEqual(granted(exchangeGrant(asked({}), first, A, rules, NOW)).scopes, []);
  assert.deepEqual(granted(exchangeGrant(asked({}, { scope: 'write' }), first, A, rules, NOW)).scopes, ['write']);
});

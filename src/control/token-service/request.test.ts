import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../base/fault.ts';
import { readForm } from '../../http/form.ts';
import { ApiProblem } from '../http/problem.ts';
import { readTokenRequest } from './request.ts';

const read = (text: string) => readForm(Buffer.from(text));

test('a form is read as RFC 6749 appendix B has it: plus is a space, and what has no value is left out', () => {
  assert.deepEqual(read('scope=a+b%20c&x=%C3%A4&empty=&bare&__proto__=1'), {
    scope: 'a b c',
    x: 'ä',
    ['__proto__']: '1',
  });
  assert.deepEqual(read(''), {});
});

test('a form that could be read in two ways is a fault', () => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ['a=1&a=2', /a is repeated/],
    ['a=1&%61=', /a is repeated/],
    ['a=%', /percent/],
    ['%ff=1', /percent/],
    ['a=\u00e4', /characters that a form encodes/],
    ['a=1\r\nb=2', /characters/],
    [Array.from({ length: 33 }, (_, at) => `p${at}=1`).join('&'), /more than 32/],
    [`${'&'.repeat(5000)}a=1&a=2`, /repeated/],
  ];
  for (const [text, fault] of faults) {
    const outcome = read(text);
    assert.ok(outcome instanceof Fault, text);
    assert.match(outcome.detail, fault);
  }
});

const good = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  requested_token_type: 'urn:ietf:params:oauth:token-type:txn_token',
  audience: 'prod.example',
  scope: 'invoices ledger invoices',
  subject_token: '{"sub":"spiffe://prod.example/a"}',
  subject_token_type: 'urn:ietf:params:oauth:token-type:unsigned_json',
  actor: 'spiffe://prod.example/b',
  request_details: '{"purpose":"finance","lifetime":60,"lease":30,"budgets":{"calls":5},"resources":[{"api":"h/x"}]}',
};

test('a good request is read whole, and a parameter that is not known is ignored', () => {
  const request = readTokenRequest({ ...good, whatever: 'x' });
  if (request instanceof ApiProblem) assert.fail(request.detail ?? '');
  const { actor, ...rest } = request;
  assert.equal(actor?.text, 'spiffe://prod.example/b');
  assert.deepEqual(rest, {
    subject: { kind: 'named', subject: 'spiffe://prod.example/a' },
    audience: 'prod.example',
    scopes: ['invoices', 'ledger'],
    purpose: 'finance',
    lifetimeSeconds: 60,
    leaseSeconds: 30,
    budgets: { calls: 5, writes: null, resources: null },
    resources: [{ api: 'h/x', parameters: {} }],
  });
});

const list = (count: number) => Array.from({ length: count }, (_, at) => at);
const mutations: readonly (readonly [
  name: keyof typeof good | 'resource' | 'client_secret',
  value: unknown,
  code: string,
])[] = [
  ['request_details', '[]', 'token_request_invalid'],
  ['request_details', '{"purpose":"a b"}', 'token_request_invalid'],
  ['request_details', '{"purpose":"finance","purpose":"all"}', 'token_request_invalid'],
  ['request_details', '{"limits":1}', 'token_request_invalid'],
  ['request_details', '{"lifetime":0}', 'token_request_invalid'],
  ['request_details', '{"resources":[{"api":"h/x","parameters":{"id":"1","__proto__":"2"}}]}', 'token_request_invalid'],
  ['request_details', '{"lifetime":1.5}', 'token_request_invalid'],
  ['request_details', `{"resources":${JSON.stringify(list(17).map(() => ({ api: 'h/x' })))}}`, 'token_request_invalid'],
  ['subject_token', undefined, 'token_request_invalid'],
  ['subject_token', '{"sub":5}', 'token_request_invalid'],
  ['scope', list(65).join(' '), 'scope_exceeded'],
  ['scope', 'a"b', 'scope_exceeded'],
  ['scope', 'x'.repeat(257), 'scope_exceeded'],
  ['actor', 'spiffe://prod.example', 'token_request_invalid'],
  ['actor', 'billing', 'token_request_invalid'],
  ['resource', 'https://payments.internal', 'target_invalid'],
  ['client_secret', 's', 'token_request_invalid'],
];
for (const [name, value, code] of mutations) {
  test(`a request with ${name} ${String(value).slice(0, 40)} has the problem ${code}`, () => {
    const outcome = readTokenRequest({ ...good, [name]: value } as Record<string, string>);
    assert.equal(outcome instanceof ApiProblem ? outcome.code : 'read', code);
  });
}

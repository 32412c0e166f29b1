import assert from 'node:assert/strict';
import { test } from 'node:test';
import { received, requestOptions } from '../../test/support/check-request.ts';
import { loaded, workload } from '../../test/support/policy.ts';
import { Refusal } from '../base/outcome.ts';
import { readRequest } from '../envoy/request.ts';
import type { Caller } from '../identity/caller.ts';
import { unsuppliedFacts } from '../policy/decide/facts.ts';
import type { TaskContext } from '../task/model.ts';
import { plainNumber, recall } from './recall.ts';

const none = { task: null } as TaskContext;

test('B42: only plain decimal digits inside the safe range are a number', () => {
  for (const [text, number] of [
    ['0', 0],
    ['7', 7],
    ['100', 100],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const) {
    assert.equal(plainNumber(text), number, text);
  }
  for (const text of ['', ' ', '0x10', '1e1', '12abc', '-0', '-1', '+1', '01', '1.0', ' 7', '9007199254740993', '١']) {
    assert.equal(plainNumber(text), null, JSON.stringify(text));
  }
});

test('what is not recalled is absent or empty in every request', () => {
  const { snapshot } = loaded({ 'a.cedar': '@id("a") permit (principal, action, resource);' });
  const input = readRequest(received(), { checkPeer: null }, requestOptions);
  assert.ok(!(input instanceof Refusal));
  const caller = {
    workload: workload(snapshot.inventory, 'spiffe://prod.example/ns/payments/sa/api'),
    proxy: null,
    issuedAt: null,
  } as unknown as Caller;
  const facts = recall(caller, none, input, [], 0);
  assert.ok(!(facts instanceof Refusal));
  const { approvals, risk, signals } = facts;
  assert.deepEqual(
    { approvals: [...approvals], risk, signals: [...signals] },
    { approvals: [], risk: null, signals: [] },
  );
  assert.deepEqual(unsuppliedFacts.toSorted(), ['risk', 'signals']);
});

test('the headers that policies read are bounded together', () => {
  const declared = ['x-a', 'x-b'].map((name) => ({ name, type: 'string' as const }));
  const caller = { proxy: null, issuedAt: null, workload: { networks: null } } as unknown as Caller;
  const facts = (a: number, b: number) => {
    const headers = { 'x-a': 'a'.repeat(a), 'x-b': 'b'.repeat(b), 'x-other': 'c'.repeat(20_000) };
    const input = readRequest(received({ headers }), { checkPeer: null }, requestOptions);
    assert.ok(!(input instanceof Refusal));
    return recall(caller, none, input, declared, 0);
  };
  assert.ok(!(facts(4096, 4096) instanceof Refusal));
  const refused = facts(4096, 4097);
  assert.ok(refused instanceof Refusal && refused.reason === 'request_headers_too_large');
});

test('a header that policies read comes once, clean, and a number where it is declared as one', () => {
  const caller = { proxy: null, issuedAt: null, workload: { networks: null } } as unknown as Caller;
  const outcome = (value: string | Buffer | readonly string[]) => {
    const input = readRequest(received({ headers: { 'x-count': value } }), { checkPeer: null }, requestOptions);
    assert.ok(!(input instanceof Refusal));
    const facts = recall(caller, none, input, [{ name: 'x-count', type: 'long' }], 0);
    return facts instanceof Refusal ? facts.reason : facts.numbers.get('x-count');
  };
  assert.equal(outcome('7'), 7);
  assert.equal(outcome(['7', '7']), 'request_header_repeated');
  assert.equal(outcome(Buffer.from([0x37, 0xf1])), 'request_header_unclean');
  assert.equal(outcome('7.5'), 'request_header_not_a_number');
});

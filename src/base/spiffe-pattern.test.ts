import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from './fault.ts';
import { SpiffeId } from './spiffe-id.ts';
import { SpiffePattern } from './spiffe-pattern.ts';

const pattern = (text: string): SpiffePattern => {
  const parsed = SpiffePattern.parse(text);
  if (parsed instanceof Fault) assert.fail(parsed.detail);
  return parsed;
};
const matches = (text: string, id: string): boolean => pattern(text).matches(SpiffeId.parse(id) as SpiffeId);

const ENVOYS = 'spiffe://prod.example/ns/*/sa/envoy';
for (const [id, does] of [
  ['spiffe://prod.example/ns/payments/sa/envoy', true],
  ['spiffe://prod.example/ns/a.b-c_D/sa/envoy', true],
  ['spiffe://prod.example/ns/payments/x/sa/envoy', false],
  ['spiffe://prod.example/ns/sa/envoy', false],
  ['spiffe://prod.example/ns/payments/sa/envoy2', false],
  ['spiffe://prod.example/ns/payments/sa/envoy/x', false],
  ['spiffe://prod.example/ns/payments/sa', false],
  ['spiffe://prod.example/NS/payments/sa/envoy', false],
  ['spiffe://prod.example.evil.example/ns/payments/sa/envoy', false],
  ['spiffe://partner.example/ns/payments/sa/envoy', false],
] as const) {
  test(`'*' stands for exactly one segment: ${id} is ${does ? '' : 'not '}meant`, () => {
    assert.equal(matches(ENVOYS, id), does);
  });
}

test("several segments may be '*', the last one too; without any it is one workload", () => {
  assert.equal(matches('spiffe://prod.example/*/payments/*', 'spiffe://prod.example/ns/payments/envoy'), true);
  assert.equal(matches('spiffe://prod.example/*/payments/*', 'spiffe://prod.example/ns/payments'), false);
  assert.equal(matches('spiffe://prod.example/envoy', 'spiffe://prod.example/envoy'), true);
  assert.equal(matches('spiffe://prod.example/envoy', 'spiffe://prod.example/any'), false);
});

for (const [text, why] of [
  ['spiffe://prod.example/ns/pay*/sa/envoy', /^holds '\*' inside a segment; '\*' stands for a whole one/],
  ['spiffe://prod.example/ns/*x*/sa/envoy', /^holds '\*' inside a segment/],
  ['spiffe://prod.example/ns/**/sa/envoy', /^holds '\*\*'; write one '\*' for each segment/],
  ['spiffe://prod.example/**', /^holds '\*\*'/],
  ['spiffe://*.example/envoy', /^holds '\*' in its trust domain; write the trust domain out/],
  ['spiffe://*/envoy', /^holds '\*' in its trust domain/],
  ['spiffe://prod.example', /^names a whole trust domain/],
  ['spiffe://prod.example/ns//sa', /^is not a SPIFFE ID \(a path segment is empty\)/],
  ['spiffe://prod.example/*/', /^is not a SPIFFE ID \(a path segment is empty\)/],
  ['spiffe://prod.example/../*', /^is not a SPIFFE ID \(a path segment is a dot segment\)/],
  ['spiffe://Prod.example/*', /^is not a SPIFFE ID/],
  ['https://prod.example/*', /^is not a SPIFFE ID \(does not begin with spiffe:/],
  ['*', /^is not a SPIFFE ID|inside a segment/],
  ['', /^is not a SPIFFE ID/],
  [`spiffe://prod.example/${'a/'.repeat(1100)}*`, /longer than 2048 bytes/],
] as const) {
  test(`'${text.slice(0, 60)}' is no pattern, and the fault says what to write`, () => {
    pattern(ENVOYS);
    const parsed = SpiffePattern.parse(text);
    assert.ok(parsed instanceof Fault);
    assert.match(parsed.detail, why);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const GOOD = `00-${TRACE}-${SPAN}-01`;
const parent = (sampled: boolean) => ({ traceId: TRACE, spanId: SPAN, sampled });

test('a traceparent is read by W3C Trace Context, of a later version the part that is known', () => {
  assert.deepEqual(readTraceparent([GOOD]), parent(true));
  assert.deepEqual(readTraceparent([`00-${TRACE}-${SPAN}-00`]), parent(false));
  assert.deepEqual(readTraceparent([`00-${TRACE}-${SPAN}-fe`]), parent(false), 'other flags say nothing');
  assert.deepEqual(readTraceparent([`cc-${TRACE}-${SPAN}-01`]), parent(true));
  assert.deepEqual(readTraceparent([`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`]), parent(true));
});

for (const [what, values] of Object.entries({
  absent: [],
  empty: [''],
  repeated: [GOOD, GOOD],
  'two in one': [`${GOOD},${GOOD}`],
  'all-zero trace id': [`00-${'0'.repeat(32)}-${SPAN}-01`],
  'all-zero span id': [`00-${TRACE}-${'0'.repeat(16)}-01`],
  'upper case': [GOOD.toUpperCase()],
  'version ff': [`ff-${TRACE}-${SPAN}-01`],
  'version 00 with more': [`${GOOD}-more`],
  'a later version with more and no dash': [`cc-${TRACE}-${SPAN}-01more`],
  'short trace id': [`00-${TRACE.slice(1)}-${SPAN}-01`],
  'no flags': [`00-${TRACE}-${SPAN}`],
  'blank before it': [` ${GOOD}`],
  'line feed behind it': [`${GOOD}\n`],
  'a long one': [`cc-${TRACE}-${SPAN}-01-${'a'.repeat(8192)}`],
  bytes: [Buffer.from(GOOD)],
}))
  test(`no traceparent: ${what}`, () => assert.equal(readTraceparent(values), null));

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { received } from '../../test/support/check-request.ts';
import { decodeCheck } from './messages.ts';
import { rawRequestSummary } from './raw-request-summary.ts';

const nothing = { id: null, from: null, method: null, host: null, path: null };

test('what a request says of itself is told as it came, but for the query', () => {
  const source = { address: { socket_address: { address: '::ffff:10.0.0.9', port_value: 1 } } };
  const message = received({ method: 'get', path: '/a/..%2fb?token=secret', attributes: { source } });
  assert.deepEqual(rawRequestSummary(message), {
    id: '1',
    from: '10.0.0.9',
    method: 'get',
    host: 'payments.internal',
    path: '/a/..%2fb',
  });
});

test('a message that says nothing tells nothing', () => {
  assert.deepEqual(rawRequestSummary(decodeCheck(Buffer.from([0xff, 0xff]))), nothing);
  assert.deepEqual(rawRequestSummary(decodeCheck(new Uint8Array())), nothing);
});

test('a text is cut to what a line can hold, and stays well formed', () => {
  const { path } = rawRequestSummary(received({ path: `/${'a'.repeat(2046)}\u{1f600}` }));
  assert.equal(path?.length, 2048);
  assert.ok(path.isWellFormed());
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cachedProveTools } from '../support/prove-tools.ts';
import { proveShipped, readProved } from '../support/proved.ts';

const tools = cachedProveTools();

test('every shipped claim is proved again, by the tools that cedar/claims/proved.json names', {
  skip: tools === null ? 'the tools are not in the cache: npm run tools -- prove' : false,
}, async () => {
  const { document } = await proveShipped(tools!, () => {});
  assert.deepEqual(document, readProved());
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newInstance } from '../policy/decide/engine.ts';
import { readsUnknown } from './unknown.ts';

const cedar = newInstance();

function reads(clause: string): boolean {
  const parsed = cedar.policyToJson(`permit (principal, action, resource) when { ${clause} };`);
  assert.ok(parsed.type === 'success', clause);
  const body = parsed.json.conditions[0]?.body;
  assert.ok(body !== undefined);
  return readsUnknown(body, ['query']);
}

test('a label is known, a parameter is not, and a computed name may be either', () => {
  assert.equal(reads('resource.hasTag("tier")'), false);
  assert.equal(reads('resource.hasTag("param.invoice")'), true);
  assert.equal(reads('resource.hasTag(if principal.relay then "tier" else "param.invoice")'), true);
  assert.equal(reads('resource.hasTag(resource.host)'), true);
  assert.equal(reads('context.query == "x"'), true);
  assert.equal(reads('context.chain.depth < 2'), false);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { newInstance, type PolicyJson } from '../decide/engine.ts';
import { validate } from '../load/validate.ts';
import { pathNotes } from './paths.ts';

const cedar = newInstance();
const permit = (clause: string): string => `@id("p") permit (principal, action, resource) when { ${clause} };`;

function problems(clause: string): string[] {
  const verdict = validate(sourcesOf({ 'a.cedar': permit(clause) }), cedar, 0);
  return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
}

function notes(clause: string): string[] {
  const parsed = cedar.policyToJson(permit(clause)) as { readonly json: PolicyJson };
  return pathNotes(parsed.json);
}

test('a text or pattern that no path can be is a problem: paths begin with a slash and end with none', () => {
  for (const clause of [
    'resource.path == "/api/refunds/"',
    'resource.path != "api/refunds"',
    '["/a", "/api/refunds/"].contains(resource.path)',
    '(if principal.relay then "/a" else "/b/") == resource.path',
    'resource.path like "/api/*/"',
    'resource.path like "api/*"',
    'resource.path == ""',
  ]) {
    const [problem = '', ...more] = problems(clause);
    assert.match(problem, /^a\.cedar:1:\d+: no path is '.*': resource\.path begins with a slash/, clause);
    assert.deepEqual(more, [], clause);
  }
  for (const clause of [
    'resource.path == "/"',
    'resource.path == "/api/refunds"',
    '["/a", "/b/c"].contains(resource.path)',
    'resource.path like "/api/*/lines"',
    'resource.path like "*/lines"',
    'resource.path like "*"',
  ]) {
    assert.deepEqual(problems(clause), [], clause);
  }
});

test('a pattern that ends in /* is noted: it leaves out the path itself', () => {
  assert.match(notes('resource.path like "/api/*"').join(), /^'\/api\/\*' leaves out '\/api' itself, .*Mesh::Path/);
  assert.match(notes('!(resource.path like "/a/*/b/*")').join(), /leaves out '\/a\/\*\/b' itself/);
  for (const pattern of ['/*', '*', '/api*', '/api/*/lines'])
    assert.deepEqual(notes(`resource.path like "${pattern}"`), []);
});

test('an endpoint is named without a trailing slash', () => {
  const [problem = ''] = problems('resource == Mesh::Endpoint::"payments.internal/api/refunds/"');
  assert.match(problem, /is not canonical; write 'payments\.internal\/api\/refunds'/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newInstance } from '../../policy/decide/engine.ts';
import { concerns, environmentsOf } from './environments.ts';

const cedar = newInstance();
const schema = `namespace N {
  entity P; entity Q; entity R;
  action read;
  action get in [read] appliesTo { principal: [P, Q], resource: [R] };
  action put appliesTo { principal: [P], resource: [R] };
}`;

function environments() {
  const resolved = cedar.schemaToJsonWithResolvedTypes(schema);
  assert.equal(resolved.type, 'success');
  return environmentsOf(resolved.json);
}

test('each action has an environment for each kind of principal and resource', () => {
  const found = environments().map(({ principal, action, resource }) => `${principal} ${action} ${resource}`);
  assert.deepEqual(found.toSorted(), [
    'N::P N::Action::"get" N::R',
    'N::P N::Action::"put" N::R',
    'N::Q N::Action::"get" N::R',
  ]);
});

test('a scope that cannot hold in an environment is told by its types and its action', () => {
  const about = (text: string): number => {
    const answer = cedar.policyToJson(text);
    assert.equal(answer.type, 'success');
    return environments().filter((environment) => concerns(answer.json, environment)).length;
  };
  assert.equal(about('permit (principal, action, resource);'), 3);
  assert.equal(about('permit (principal is N::Q, action, resource);'), 1);
  assert.equal(about('permit (principal == N::P::"a", action, resource);'), 2);
  assert.equal(about('permit (principal, action in N::Action::"read", resource);'), 2);
  assert.equal(about('permit (principal, action == N::Action::"read", resource);'), 0);
  assert.equal(about('permit (principal, action in [N::Action::"put"], resource is N::R);'), 1);
  assert.equal(about('permit (principal, action, resource is N::P);'), 0);
});

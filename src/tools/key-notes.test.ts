import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { sourcesOf } from '../../test/support/policy.ts';
import { newInstance } from '../policy/decide/engine.ts';
import { keyNotes } from './key-notes.ts';
import { readPolicies } from './read-policies.ts';

const cedar = newInstance();

const notes = (condition: string): readonly string[] => {
  const text = `@id("p") permit (principal, action, resource) when { ${condition} };`;
  const { policies, guardrails, ...rest } = sourcesOf({ 'a.cedar': text });
  return keyNotes(readPolicies({ ...rest, policies, guardrails: [] }, cedar)).map(({ message }) => message);
};

suite('what policy check says of values that a policy is evaluated anew for', () => {
  const told: readonly (readonly [condition: string, values: string])[] = [
    ['context has query && context.query like "*page=1*"', 'context.query'],
    ['resource.path like "/api/*"', 'resource.path'],
    ['resource == Mesh::Endpoint::"payments.internal/api"', 'resource'],
    ['resource.hasTag("param.invoice") && resource.getTag("param.invoice") == "7"', 'resource.getTag("param.invoice")'],
    ['context.headers.hasTag("x-a") && context.headers.getTag("x-a") == "b"', 'context.headers.getTag("x-a")'],
    ['context has task && context.task.id == "t"', 'context.task.id'],
    ['context has task && context.task.secondsLeft * 2 > 10', 'context.task.secondsLeft'],
    [
      'context has query && context.query == "a" && context has task && context.task has subject && context.task.subject == "s"',
      'context.query, context.task.subject',
    ],
  ];
  for (const [condition, values] of told) {
    test(condition, () => assert.deepEqual(notes(condition), [`it is evaluated anew for each value of ${values}`]));
  }

  const silent = [
    'context has task && context.task.secondsLeft < 5',
    'context.now > datetime("2026-01-01T00:00:00Z")',
    'context has credentialAge && context.credentialAge < 3600',
    'context has query',
    'resource.sensitivity < 2 && context.credential == Mesh::Credential::"x509-svid"',
    'principal in Mesh::Group::"finance-agents"',
  ];
  for (const condition of silent) test(`nothing of ${condition}`, () => assert.deepEqual(notes(condition), []));
});

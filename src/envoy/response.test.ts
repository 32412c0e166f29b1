import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../base/outcome.ts';
import { type Answer, refused } from '../check/answer.ts';
import { encodeAnswer } from './response.ts';

const reference = { decision: 'd', seq: 7, hash: 'sha256:00' };

test('an answer that cannot be encoded becomes a denial, and is reported', () => {
  const denial = { decided: refused(new Refusal('policy_no_permit', 'nobody permits')), reference };
  assert.equal(encodeAnswer(denial, assert.fail).status.message, 'policy_no_permit');
  const bugs: unknown[] = [];
  const broken = { reference, decided: { ...denial.decided, mutations: null } } as unknown as Answer;
  const response = encodeAnswer(broken, (error, decision) => bugs.push(decision, String(error)));
  assert.deepEqual([response.status.message, response.denied_response?.status?.code], ['internal', 503]);
  assert.equal(response.ok_response, undefined);
  assert.deepEqual([bugs[0], bugs.length], ['d', 2]);
});

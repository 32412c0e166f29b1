import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loaded, settings } from '../../../test/support/policy.ts';
import { differentialEstate, policyFile, questions } from '../../../test/support/policy-arbitraries.ts';
import { newInstance, type PolicyJson } from '../decide/engine.ts';
import type { Question } from '../decide/question.ts';
import { splitPolicies } from '../text/split-policies.ts';
import { factsThatOpenByAbsence } from './presence.ts';

const cedar = newInstance();
const inventory = { file: 'inventory.yaml', text: differentialEstate };

/** How a question looks without a fact, by the name that `@allows_missing` has for it. */
const without: Readonly<Record<string, (question: Question) => Question>> = {
  task: (question) => ({ ...question, task: null }),
  declared: (question) => ({ ...question, declared: null }),
  query: (question) => ({ ...question, query: null }),
  client: (question) => ({ ...question, client: null }),
  inNetworks: (question) => ({ ...question, inNetworks: null }),
  credentialAge: (question) => ({ ...question, credentialAge: null }),
  risk: (question) => ({ ...question, risk: null }),
  'headers.x-data-class': (question) => ({ ...question, headers: new Map() }),
  'numbers.x-amount': (question) => ({ ...question, numbers: new Map() }),
  'task.subject': (question) =>
    question.task === null ? question : { ...question, task: { ...question.task, subject: null } },
  'task.coversResource': (question) =>
    question.task === null ? question : { ...question, task: { ...question.task, resources: null } },
};

function policiesOf(text: string): Map<string, PolicyJson> {
  const { policies } = splitPolicies({ file: 'a.cedar', text });
  return new Map(
    policies.flatMap(({ id, text: policy }) => {
      const parsed = cedar.policyToJson(policy);
      return parsed.type === 'success' ? [[id, parsed.json] as const] : [];
    }),
  );
}

test('a forbid that is not found to open holds still when a fact is left out', () => {
  const { snapshot: any } = loaded({ 'a.cedar': '@id("a") permit (principal, action, resource);' }, { inventory });
  const asked = fc.array(questions(any.inventory), { minLength: 5, maxLength: 5 });
  let held = 0;
  fc.assert(
    fc.property(policyFile, asked, (text, list) => {
      const { snapshot } = loaded({ 'a.cedar': text }, { inventory, settings: { ...settings, allowWarnings: true } });
      const opened = new Map([...policiesOf(text)].map(([id, json]) => [id, factsThatOpenByAbsence(json)]));
      for (const question of list) {
        const { forbids } = snapshot.decide(question);
        for (const [fact, drop] of forbids.length === 0 ? [] : Object.entries(without)) {
          const later = snapshot.decide(drop(question));
          const kept = new Set([...later.forbids, ...later.errors.map(({ policy }) => policy)]);
          for (const id of forbids.filter((one) => !opened.get(one)?.includes(fact))) {
            held++;
            assert.ok(kept.has(id), `${id} does not hold without ${fact}: ${text}`);
          }
        }
      }
    }),
    { numRuns: 30 },
  );
  assert.ok(held > 50);
});

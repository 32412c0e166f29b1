import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import type { SourceFile } from '../src/policy/place.ts';
import { testCases } from './support/cases.ts';
import { loaded } from './support/policy.ts';

const folder = join(import.meta.dirname, '..', 'cedar', 'guardrails');

function read(sub: string, name: string): SourceFile {
  return { file: name, text: readFileSync(join(folder, sub, name), 'utf8') };
}

/** The guardrails over an estate in which all is permitted: whatever is denied, a guardrail denied. */
const { snapshot, unload } = await loaded(
  { 'all.cedar': '@id("all") permit (principal, action, resource);' },
  {
    guardrails: readdirSync(folder)
      .filter((name) => name.endsWith('.cedar'))
      .map((name) => read('.', name)),
    inventory: read('tests', 'inventory.yaml'),
  },
);
after(unload);

const guardrails = snapshot.policies.filter(({ guardrail }) => guardrail);
const files = readdirSync(join(folder, 'tests')).filter((name) => name !== 'inventory.yaml');

suite('guardrails', () => {
  test('each is a forbid, and each has a file of cases of its name', () => {
    assert.ok(guardrails.length > 0);
    assert.ok(guardrails.every(({ effect }) => effect === 'forbid'));
    assert.deepEqual(files.toSorted(), guardrails.map(({ id }) => `${id}.yaml`).toSorted());
  });

  for (const name of files) {
    const id = name.replace(/\.yaml$/, '');
    const results = testCases(read('tests', name), snapshot);
    test(`${id} is seen firing by itself, and not firing`, () => {
      assert.ok(results.some(({ by }) => by.join() === id));
      assert.ok(results.some(({ result }) => result === 'allow'));
    });
  }
});

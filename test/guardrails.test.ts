import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { formatProblem } from '../src/inventory/problem.ts';
import { difference, type PolicyCase, readCases, runCase } from '../src/policy/cases.ts';
import type { SourceFile } from '../src/policy/place.ts';
import { loaded, settings } from './support/policy.ts';

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

/** The cases of a file, all of which can be read. */
function casesOf(name: string): PolicyCase[] {
  return readCases(read('tests', name), snapshot.inventory, settings.headers).map((item) =>
    'expected' in item ? item : assert.fail(formatProblem(item)),
  );
}

suite('guardrails', () => {
  test('each is a forbid, and each has a file of cases of its name', () => {
    assert.ok(guardrails.length > 0);
    assert.ok(guardrails.every(({ effect }) => effect === 'forbid'));
    assert.deepEqual(files.toSorted(), guardrails.map(({ id }) => `${id}.yaml`).toSorted());
  });

  for (const name of files) {
    const id = name.replace(/\.yaml$/, '');
    const played = casesOf(name).map((item) => ({ item, result: runCase(item, (asked) => snapshot.decide(asked)) }));
    for (const { item, result } of played) {
      test(`${id}: ${item.name}`, () => {
        assert.equal(difference(item, result), null);
      });
    }
    test(`${id} is seen firing by itself, and not firing`, () => {
      assert.ok(played.some(({ result }) => result.by.join() === id));
      assert.ok(played.some(({ result }) => result.result === 'allow'));
    });
  }
});

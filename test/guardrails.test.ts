import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { newInstance } from '../src/policy/decide/engine.ts';
import { validate } from '../src/policy/load/validate.ts';
import { CONTROL_GUARDRAILS, RELEASE_GUARDRAILS } from '../src/policy/text/guardrails.ts';
import type { SourceFile } from '../src/policy/text/source-file.ts';
import { formatProblem } from '../src/source/problem.ts';
import { testCases } from './support/cases.ts';
import { controlSources } from './support/control-policies.ts';
import { loaded, settings, sourcesOf } from './support/policy.ts';

const folder = join(import.meta.dirname, '..', 'cedar', 'guardrails');

function read(sub: string, name: string): SourceFile {
  return { file: name, text: readFileSync(join(folder, sub, name), 'utf8') };
}

const permit = { 'all.cedar': '@id("all") permit (principal, action, resource);' };

/** The guardrails over an estate in which all is permitted: whatever is denied, a guardrail denied. */
const { snapshot } = loaded(permit, {
  guardrails: readdirSync(folder)
    .filter((name) => name.endsWith('.cedar'))
    .map((name) => read('.', name)),
  inventory: read('tests', 'inventory.yaml'),
});

const guardrails = snapshot.policies.filter(({ guardrail }) => guardrail);
const files = readdirSync(join(folder, 'tests')).filter((name) => name !== 'inventory.yaml');

suite('guardrails', () => {
  test('those that must be there are those of the release', () => {
    assert.deepEqual(guardrails.map(({ id }) => id).toSorted(), RELEASE_GUARDRAILS);
  });

  const must = { ...settings, requiredGuardrails: RELEASE_GUARDRAILS };
  const shipped = readdirSync(folder)
    .filter((file) => file.endsWith('.cedar'))
    .map((file) => ({ file: `guardrails/${file}`, text: readFileSync(join(folder, file), 'utf8') }));
  const judge = (found: typeof shipped, ids: readonly string[] = []) => {
    const disabledGuardrails = ids.map((id) => ({ id, because: 'a reason', untilMs: Number.POSITIVE_INFINITY }));
    const verdict = validate(
      sourcesOf(permit, { guardrails: found, settings: { ...must, disabledGuardrails } }),
      newInstance(),
      0,
    );
    return Array.isArray(verdict) ? verdict.map(formatProblem).join('\n') : 'good';
  };

  test('an empty folder of them is a problem, unless each is disabled', () => {
    assert.equal(judge(shipped), 'good');
    assert.match(judge([]), /^guardrails:1:1: no guardrail \(\*\.cedar\) is here; put back/);
    assert.equal(judge([], RELEASE_GUARDRAILS), 'good');
  });

  test('one that is missing, or in shadow, is a problem, unless it is disabled', () => {
    const [id] = ['risk-falls-as-sensitivity-rises'];
    const lost = shipped.map(({ file, text }) => ({ file, text: text.replace(`@id("${id}")`, '@id("mine")') }));
    assert.match(judge(lost), /^guardrails:1:1: 'risk-falls-as-sensitivity-rises' is missing; put back/);
    assert.equal(judge(lost, [id!]), 'good');
    const shadowed = shipped.map(({ file, text }) => ({
      file,
      text: text.replace(`@id("${id}")`, `@id("${id}") @mode("shadow")`),
    }));
    assert.match(judge(shadowed), /'risk-falls-as-sensitivity-rises' is in shadow; disable it/);
    assert.equal(judge(shadowed, [id!]), 'good');
  });

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

suite('guardrails of the control API', () => {
  const shippedControl = controlSources({
    'control/all.cedar': '@id("everybody") permit (principal, action, resource);',
  });
  const tests = readdirSync(join(folder, 'control', 'tests'));

  test('each has a file of cases of its name', () => {
    assert.deepEqual(tests.toSorted(), CONTROL_GUARDRAILS.map((id) => `${id}.yaml`).toSorted());
  });

  for (const id of CONTROL_GUARDRAILS) {
    const others = CONTROL_GUARDRAILS.filter((other) => other !== id);
    const { snapshot: alone } = loaded(permit, {
      inventory: read('tests', 'inventory.yaml'),
      control: shippedControl,
      settings: {
        ...settings,
        disabledGuardrails: others.map((other) => ({
          id: other,
          because: 'a test',
          untilMs: Number.POSITIVE_INFINITY,
        })),
      },
    });
    const results = testCases(read('control/tests', `${id}.yaml`), alone);
    test(`${id} is seen firing by itself, and not firing`, () => {
      assert.ok(alone.control?.facts.some((policy) => policy.id === id && policy.effect === 'forbid'));
      assert.ok(results.some(({ by }) => by.join() === id));
      assert.ok(results.some(({ result }) => result === 'allow'));
    });
  }
});

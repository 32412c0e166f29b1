import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Engine } from '../src/policy/decide/engine.ts';
import { loadSnapshot } from '../src/policy/load/load.ts';
import { readSources } from '../src/policy/load/read.ts';
import { CONTROL_GUARDRAILS, RELEASE_GUARDRAILS } from '../src/policy/text/guardrails.ts';
import { formatProblem } from '../src/source/problem.ts';
import { testCases } from './support/cases.ts';

const example = join(import.meta.dirname, '..', 'cedar', 'example');

const { sources } = await readSources(
  { folder: join(example, 'policies'), inventory: join(example, 'inventory.yaml') },
  {
    headers: [],
    disabledGuardrails: [],
    requiredGuardrails: [...RELEASE_GUARDRAILS, ...CONTROL_GUARDRAILS],
    trustDomains: ['prod.example'],
    ownTrustDomains: ['prod.example'],
    allowWarnings: false,
  },
);
if (Array.isArray(sources)) assert.fail(sources.map(formatProblem).join('\n'));
const loaded = await loadSnapshot(new Engine(), sources);
if ('problems' in loaded) assert.fail(loaded.problems.map(formatProblem).join('\n'));
const { snapshot } = loaded;

suite('the example estate', () => {
  test('loads with the shipped guardrails and without a warning', () => {
    assert.deepEqual(loaded.warnings, []);
  });

  test('has twelve workload entries of all four kinds, and three hosts', () => {
    const { hosts } = snapshot.inventory;
    const entries = [...snapshot.inventory.entries()];
    assert.equal(entries.length, 12);
    assert.deepEqual(new Set(entries.map(({ kind }) => kind)), new Set(['agent', 'service', 'job', 'legacy']));
    assert.equal(hosts.size, 3);
  });

  const deciding = new Set(sources.tests.flatMap((file) => testCases(file, snapshot).flatMap(({ by }) => by)));

  test('shows each of its own policies deciding', () => {
    const own = [...snapshot.policies, ...(snapshot.control?.facts ?? [])]
      .filter(({ guardrail }) => !guardrail)
      .map(({ id }) => id);
    assert.deepEqual(
      own.filter((id) => !deciding.has(id)),
      [],
    );
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { newInstance } from '../src/policy/decide/engine.ts';
import { CONTROL_GUARDRAILS, RELEASE_GUARDRAILS } from '../src/policy/text/guardrails.ts';
import { readRule } from '../src/tools/prove/rules.ts';
import { tryFacts } from './support/fact-calls.ts';
import { digestsNow, provedClaims, readProved, shippedFacts } from './support/proved.ts';

suite('claims', () => {
  test('cedar/claims/proved.json is of these texts (npm run prove)', () => {
    assert.deepEqual(readProved().digests, digestsNow());
  });

  test('every shipped claim is proved, and is about guardrails that are there; none is about none', async () => {
    const claims = await provedClaims();
    const named = new Set(claims.flatMap(({ by }) => by ?? []));
    assert.deepEqual([...named].toSorted(), [...RELEASE_GUARDRAILS, ...CONTROL_GUARDRAILS].toSorted());
    assert.deepEqual(readProved().claims, Object.fromEntries(claims.map(({ id }) => [id, 'proved'])));
  });

  test('docs/controls.md has the sentence of every claim, and no other', async () => {
    const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'controls.md'), 'utf8');
    const table = page.split('### What is proved')[1]?.split('### ')[0] ?? '';
    const rows = table.split('\n').filter((line) => line.endsWith('` |'));
    const claims = await provedClaims();
    assert.deepEqual(
      rows,
      claims.map(
        ({ id, by, sentence }) => `| ${sentence} | \`${id}\` | ${by?.map((one) => `\`${one}\``).join(', ')} |`,
      ),
    );
  });
});

suite('facts', () => {
  test('calls that the product makes satisfy every fact', async () => {
    const { calls, faults } = await tryFacts(await shippedFacts(), 1, 400);
    assert.deepEqual(faults, []);
    assert.ok(calls >= 400);
  });

  test('one that some call breaks is found', async () => {
    const wrong =
      '@id("no-agents") forbid (principal, action, resource) when { principal.kind == Mesh::Kind::"agent" };';
    const { faults } = await tryFacts([readRule('no-agents', wrong, newInstance())], 1, 400);
    assert.match(faults[0] ?? '', /^seed \d+: no-agents: /);
  });
});

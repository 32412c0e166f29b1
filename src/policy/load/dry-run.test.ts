import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlSources } from '../../../test/support/control-policies.ts';
import { sourcesOf } from '../../../test/support/policy.ts';
import { loadInventory, restoreInventory } from '../../inventory/load.ts';
import { newInstance } from '../decide/engine.ts';
import type { ParsedPolicy } from '../lint/parsed.ts';
import { splitPolicies } from '../text/split-policies.ts';
import { dryRun } from './dry-run.ts';
import { validate } from './validate.ts';

const estates: [what: string, workloads: string, methods: string][] = [
  ['one workload, any method', 'id: spiffe://prod.example/ns/api', ''],
  ['nothing but a prefix', 'under: spiffe://prod.example/ns', ''],
  ['nothing but a trust domain', 'under: spiffe://prod.example', ''],
  [
    'apis that only take DELETE',
    'id: spiffe://prod.example/ns/api',
    ', apis: [{ name: a, path: /, methods: [DELETE] }]',
  ],
];
for (const [what, workload, apis] of estates) {
  test(`what breaks the engine is found in an estate of ${what}`, () => {
    const text = `teams: [a]
workloads: [{ ${workload}, owner: a }]
resources: [{ host: h${apis} }]
`;
    const inventory = loadInventory(text, 'inventory.yaml', { ownTrustDomains: new Set(['prod.example']) });
    assert.ok(!Array.isArray(inventory));
    const sources = sourcesOf({ 'a.cedar': '@id("a") permit (principal, action, resource) when { true };' });
    const validated = validate(sources, newInstance(), 0);
    assert.ok(!Array.isArray(validated));
    const clause = Array(2000).fill('principal.relay').join(' || ');
    const [policy] = parsed(
      `@id("a") permit (principal, action in [Mesh::Action::"GET"], resource) when { ${clause} };`,
    );
    assert.ok(policy !== undefined);
    assert.match(
      dryRun({ ...sources, tests: [] }, inventory, validated, [policy], 2)[0]?.message ?? '',
      /these policies crash the Cedar engine/,
    );
  });
}

test('a control policy that breaks the engine is found too', () => {
  const control = controlSources({ 'control/a.cedar': '@id("p") permit (principal, action, resource) when { true };' });
  const sources = sourcesOf({ 'a.cedar': '@id("a") permit (principal, action, resource);' }, { control });
  const validated = validate(sources, newInstance(), 0);
  assert.ok(!Array.isArray(validated));
  const inventory = restoreInventory(validated.inventory);
  assert.ok(inventory !== null);
  const report = (terms: number) => {
    const clause = Array(terms).fill('context.proof == Control::Proof::"svid"').join(' && ');
    const [policy] = parsed(
      `@id("p") permit (principal is Control::Workload, action == Control::Action::"lift", resource) when { ${clause} };`,
    );
    assert.ok(policy !== undefined);
    return dryRun(sources, inventory, validated, [], 16, [policy])[0]?.message ?? '';
  };
  assert.equal(report(2), '');
  assert.match(report(2000), /these policies crash the Cedar engine/);
});

function parsed(text: string): ParsedPolicy[] {
  return splitPolicies({ file: 'a.cedar', text }).policies.map((policy) => {
    const answer = newInstance().policyToJson(policy.text);
    assert.ok(answer.type === 'success');
    return { ...policy, json: answer.json, guardrail: false };
  });
}

const largest: [what: string, clause: string][] = [
  ['64 operators in a row', Array(65).fill('principal.relay').join(' || ')],
  ['64 choices', `${'if principal.relay then true else '.repeat(64)}principal.relay`],
  [
    '31 brackets and 63 operators',
    Array(31)
      .fill(0)
      .reduce((inner: string) => `(principal.relay || principal.external && ${inner})`, 'principal.relay'),
  ],
];
for (const [what, clause] of largest) {
  test(`a policy at the limit passes, with ${what}`, () => {
    const text = `@id("a") @description("permit (") permit (principal, action, resource) when { ${clause} };`;
    const verdict = validate(sourcesOf({ 'a.cedar': text }), newInstance(), 4);
    assert.ok(!Array.isArray(verdict), JSON.stringify(verdict));
  });
}

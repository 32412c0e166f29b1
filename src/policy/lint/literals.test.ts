import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { loaded, question, sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { newInstance } from '../decide/engine.ts';
import { validate } from '../load/validate.ts';
import { splitPolicies } from '../text/split-policies.ts';
import { readingProblems } from './literals.ts';

const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const ORCHESTRATOR = 'spiffe://prod.example/ns/agents/sa/orchestrator';
const cedar = newInstance();

const forbid = (rest: string): string =>
  `@id("all") permit (principal, action, resource);\n@id("no") forbid (principal, action, resource)${rest}`;

function forbids(rest: string): readonly string[] {
  const { snapshot } = loaded({ 'a.cedar': forbid(rest) });
  const verdict = snapshot.decide(question(snapshot.inventory, AGENT, 'GET payments.internal/api/invoices/7'));
  return verdict.forbids;
}

function problems(condition: string): readonly string[] {
  const validated = validate(sourcesOf({ 'a.cedar': forbid(` when { ${condition} };`) }), cedar, 0);
  return Array.isArray(validated) ? validated.map(formatProblem) : [];
}

suite('one text, two readers', () => {
  const hidden: [what: string, rest: string][] = [
    ['plain', ' when { principal in Mesh::Group::"finance-agents" };'],
    ['behind a comment that a carriage return ends', '//\r when { principal in Mesh::Group::"finance-agents" }\n;'],
    ['with an underscore in an escape', ' when { principal in Mesh::Group::"finance\\u{0_0_2_d}agents" };'],
    ['with escapes', ' when { principal in Mesh::Group::"\\x66inance\\u{2d}agents" };'],
    ['torn apart by comments', ' when { principal in Mesh // :: "x"\n :: // "y"\r\n Group::// z\r"finance-agents" };'],
  ];
  for (const [what, rest] of hidden) {
    test(`a forbid holds whose group is written ${what}`, () => {
      assert.deepEqual(forbids(rest), ['no']);
    });
  }

  test('a policy that we read otherwise than Cedar is refused', () => {
    const [policy] = splitPolicies({
      file: 'a.cedar',
      text: '@id("a") permit (principal, action, resource);',
    }).policies;
    const read = cedar.policyToJson('@id("a") permit (principal == Mesh::Workload::"w", action, resource);');
    const named = cedar.policyToJson('@id("b") permit (principal, action, resource);');
    if (policy === undefined || read.type === 'failure' || named.type === 'failure') throw new Error('unreadable');
    const said = (json: typeof read.json) =>
      readingProblems({ ...policy, json, guardrail: false }).map((problem) => problem.message);
    assert.match(said(read.json).join(), /^Mesh::Workload::"w" can be read in two ways/);
    assert.match(said(named.json).join(), /^@id\("a"\) can be read in two ways/);
  });
});

suite('a literal stands for its name alone', () => {
  const refused: [condition: string, offender: string][] = [
    [`Mesh::Workload::"${ORCHESTRATOR}" in Mesh::Team::"platform"`, ORCHESTRATOR],
    ['Mesh::Purpose::"reconcile-invoices" in Mesh::Purpose::"finance"', 'reconcile-invoices'],
    ['Mesh::Path::"payments.internal/api" in Mesh::Host::"payments.internal"', 'payments.internal/api'],
    [`Mesh::Workload::"${ORCHESTRATOR}".relay`, ORCHESTRATOR],
    [`Mesh::Workload::"${ORCHESTRATOR}".hasTag("pci")`, ORCHESTRATOR],
    [`Mesh::Endpoint::"payments.internal/api/refunds" has owner`, 'payments.internal/api/refunds'],
    [`(if principal.relay then principal else Mesh::Workload::"${ORCHESTRATOR}") in principal.owner`, ORCHESTRATOR],
    [`{ who: { it: Mesh::Workload::"${ORCHESTRATOR}" } }.who.it in principal.owner`, ORCHESTRATOR],
  ];
  for (const [condition, offender] of refused) {
    test(`refused: ${condition}`, () => {
      const said = problems(condition);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0] ?? '', /^a\.cedar:2:\d+: nothing is known of Mesh::\w+::"[^"]+" here but its name; ask of/);
      assert.ok(said[0]?.includes(`"${offender}"`));
    });
  }

  const fine = [
    `principal == Mesh::Workload::"${ORCHESTRATOR}"`,
    `[Mesh::Workload::"${ORCHESTRATOR}"].contains(principal)`,
    `(if principal == Mesh::Workload::"${ORCHESTRATOR}" then principal else context.chain.originator).relay`,
    'principal in [Mesh::Team::"platform", Mesh::Team::"support"]',
    'action in Mesh::Action::"read"',
    'Mesh::Action::"GET" in Mesh::Action::"read"',
    '!(context has task && context.task.purpose in Mesh::Purpose::"finance")',
  ];
  for (const condition of fine) {
    test(`passes: ${condition}`, () => {
      assert.deepEqual(problems(condition), []);
    });
  }
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Files, sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { newInstance } from '../decide/engine.ts';
import { validate } from './validate.ts';

const cedar = newInstance();
const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';

const policies = `
@id("finance-reads") @trusts_issuer_chain
permit (principal, action in Mesh::Action::"read", resource)
when { context has task && context.task.purpose in Mesh::Purpose::"finance" };
@id("docs") permit (principal, action, resource in Mesh::Host::"docs.internal");
@id("big-writes") @approval("resource-owner") @allows_missing("numbers.x-amount")
forbid (principal, action in Mesh::Action::"write", resource)
when { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") > 100 }
unless { context.approvals.contains("resource-owner") };
@id("relays-handed-on") forbid (principal, action, resource) when { principal.relay && context.role == Mesh::Role::"originator" && resource.sensitivity > 1 };
`;

function report(tests: string, more: Files = {}): string[] {
  const verdict = validate(sourcesOf({ 'a.cedar': policies, 'tests/a.yaml': tests, ...more }), cedar, 0);
  return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
}

const GOOD = `given:
  caller: ${AGENT}
  request: GET payments.internal/api/invoices/7?page=2
cases:
  - name: the agent reads invoices within its task
    task: { purpose: reconcile-invoices }
    expect: allow
    by: [finance-reads]
  - name: it reads nothing without one
    expect: deny
    by: []
    reason: policy_no_permit
  - name: a big write needs a person
    request: POST docs.internal/x
    headers: { x-amount: 101 }
    expect: deny
    by: [big-writes]
    reason: approval_required
  - name: who said yes
    request: POST docs.internal/x
    headers: { x-amount: 101 }
    approvals: [resource-owner]
    expect: allow
    by: [docs]
  - name: every hop is judged
    through: [spiffe://prod.example/ns/agents/sa/orchestrator]
    task: { purpose: finance }
    expect: deny
    by: [relays-handed-on]
  - name: what the inventory refuses is denied by its reason
    request: GET payments.internal/api/refunds
    expect: deny
    reason: request_method_not_allowed
`;

suite('policy tests', () => {
  test('cases that hold pass', () => {
    assert.deepEqual(report(GOOD), []);
  });

  test('a request is read as a check reads it', () => {
    const cases = [
      ['GET docs.internal/a%2fb', 'request_path_ambiguous'],
      ['GET docs.internal/a;b', 'request_path_ambiguous'],
      ['GET docs.internal/a//b', 'request_path_ambiguous'],
      ['GET docs.internal/a/../b', 'request_path_ambiguous'],
      ['GET docs.internal/%zz', 'request_path_malformed'],
      ['GET docs.internal/caf\u00e9', 'request_path_malformed'],
      ['GET docs..internal/a', 'request_host_malformed'],
      ['CONNECT docs.internal/a', 'request_connect'],
    ].map(([request, reason]) => `  - { name: a, request: "${request}", expect: deny, reason: ${reason} }`);
    const spelled =
      '  - { name: b, request: "GET Docs.Internal.:443/%E4%B8%AD/x%3By?z=%2f", expect: allow, by: [docs] }';
    assert.deepEqual(report(['given:', `  caller: ${AGENT}`, 'cases:', ...cases, spelled].join('\n')), []);
  });

  test('a chain that comes back to its begin is refused, as a check refuses it', () => {
    const text = `  - { name: a, through: ["${AGENT}"], request: GET docs.internal/x, expect: deny, reason: chain_cycle }`;
    assert.deepEqual(report(['given:', `  caller: ${AGENT}`, 'cases:', text].join('\n')), []);
  });

  const wrong: [what: string, from: string, to: string, place: string, says: string][] = [
    [
      'result',
      'expect: allow\n    by: [finance-reads]',
      'expect: deny',
      '5:5',
      'expected deny, got allow by finance-reads',
    ],
    [
      'deciding policies',
      'by: [finance-reads]',
      'by: [docs]',
      '5:5',
      'expected allow by docs, got allow by finance-reads',
    ],
    [
      'reason',
      'reason: policy_no_permit',
      'reason: policy_forbidden',
      '9:5',
      'expected deny (policy_forbidden), got deny (policy_no_permit)',
    ],
    ['key', 'approvals: [resource-owner]', 'approval: [resource-owner]', '22:5', 'cases[3].approval: no such key'],
    ['purpose', 'purpose: finance }', 'purpose: finanse }', '25:5', "no purpose is called 'finanse'"],
    [
      'workload',
      'agents/sa/orchestrator',
      'agents/sa/orchestrater',
      '25:5',
      "the inventory knows no 'spiffe://prod.example/ns/agents/sa/orchestrater'",
    ],
    ['SPIFFE ID', 'agents/sa/orchestrator', 'agents//sa/orchestrator', '25:5', 'is no SPIFFE ID'],
    [
      'header',
      'headers: { x-amount: 101 }',
      'headers: { x-amout: 101 }',
      '13:5',
      "the config lets no header 'x-amout' through",
    ],
    [
      'kind of header',
      'headers: { x-amount: 101 }',
      'headers: { x-amount: "101" }',
      '13:5',
      "the header 'x-amount' is declared as long",
    ],
    ['request', 'POST docs.internal/x', 'POST docs.internal', '13:5', "'POST docs.internal' is no request"],
  ];
  for (const [what, from, to, place, says] of wrong) {
    test(`a wrong ${what} refuses the folder, at its place`, () => {
      assert.ok(GOOD.includes(from));
      const problems = report(GOOD.replace(from, to));
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.ok(problems[0]?.startsWith(`tests/a.yaml:${place}: `), problems[0]);
      assert.ok(problems[0]?.includes(says), problems[0]);
    });
  }

  test('a case without a caller or a request says which', () => {
    const only = (given: string): string[] => report(`given: ${given}\ncases: [{ name: a, expect: deny }]\n`);
    const request = 'request: GET docs.internal/x';
    assert.deepEqual(only(`{ caller: "${AGENT}", ${request} }`).length, 1);
    assert.match(only(`{ ${request} }`).join('\n'), /^tests\/a\.yaml:2:9: a: no caller; state the SPIFFE ID/);
    assert.match(only(`{ caller: "${AGENT}" }`).join('\n'), /^tests\/a\.yaml:2:9: a: no request; write it like GET/);
  });

  test('a folder whose policies changed under its tests is refused', () => {
    const problems = report(GOOD, { 'b.cedar': '@id("stop") forbid (principal, action, resource);' });
    assert.equal(problems.length, 5, problems.join('\n'));
  });

  test('files that are no tests are refused', () => {
    for (const text of [
      '',
      'cases: []',
      'a',
      'cases:\n  - name: x\n',
      '- 1',
      'cases: [{ name: x, expect: maybe }]',
      '\t',
    ]) {
      assert.ok(report(text).length > 0, text);
    }
  });
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlSources } from '../../../test/support/control-policies.ts';
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

suite('cases of the control API', () => {
  const RESPONDER = 'spiffe://prod.example/ns/agents/sa/orchestrator';
  const control = controlSources({
    'control/a.cedar': `
@id("responder-revokes")
permit (principal == Control::Workload::"${RESPONDER}", action == Control::Action::"revoke", resource)
when { context.dryRun || context.seconds <= 3600 };
@id("responder-reads") permit (principal == Control::Workload::"${RESPONDER}", action in Control::Action::"reads", resource);
@id("responder-lifts") permit (principal == Control::Workload::"${RESPONDER}", action == Control::Action::"lift", resource)
when { context.now.toTime() >= duration("10h") };
@id("responder-starts") permit (principal == Control::Workload::"${RESPONDER}", action in [Control::Action::"start", Control::Action::"handOn"], resource)
when { context.purpose in Control::Purpose::"finance" && context.seconds <= 3600 && ["a", "b"].containsAll(context.scopes) };
@id("approvers") permit (principal is Control::Person, action == Control::Action::"grant", resource);
@id("carriers") permit (principal is Control::Workload, action in [Control::Action::"extend", Control::Action::"end"], resource)
when { resource has workloads && resource.workloads.contains(principal) };
`,
  });
  const said = (cases: string, given = `{ caller: ${RESPONDER} }`): string[] => {
    const text = `given: ${given}\ncases:\n${cases}`;
    const verdict = validate(sourcesOf({ 'a.cedar': policies, 'control/tests/a.yaml': text }, { control }), cedar, 0);
    return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
  };
  const one = (facts: string, expect = 'expect: allow') => `  - { name: a case, ${facts}, ${expect} }\n`;

  test('state what is asked in place of a request, and who decides', () => {
    const asked = [
      ...['everything', 'trust-domain prod.example', 'team payments', 'path spiffe://prod.example/ns/agents'],
      ...[`workload ${AGENT}`, 'task https://tts.example t-1', 'token https://idp.example 7'],
      ...['subject https://idp.example erp', 'key abc', 'certificate sha256:00'],
    ];
    const cases = asked.map((about) => one(`control: revoke ${about}`, 'expect: allow, by: [responder-revokes]'));
    assert.deepEqual(said(cases.join('')), []);
  });

  test('state the proof, the length and the time', () => {
    const cases = [
      one('control: revoke team payments, seconds: 3601', 'expect: deny, by: []'),
      one('control: revoke team payments, seconds: 3601, dryRun: true'),
      one('control: revoke team payments, proof: bearer'),
      one('control: explain everything, proof: bearer', 'expect: deny, by: [bearers-only-view-and-revoke]'),
      one('control: lift team payments'),
      one("control: lift team payments, at: '2026-11-25T09:59:59Z'", 'expect: deny'),
      one(`control: view team payments, caller: ${AGENT}`, 'expect: deny'),
    ];
    assert.deepEqual(said(cases.join('')), []);
  });

  test('state what is started and handed on, and what is registered of a task', () => {
    const started = 'expect: allow, by: [responder-starts]';
    const start = `control: start workload ${AGENT}`;
    const own = `{ workloads: [${AGENT}, ${RESPONDER}], owner: platform, purpose: finance, startedBy: ${AGENT} }`;
    const cases = [
      one(`${start}, purpose: reconcile-invoices, scopes: [a], issuer: https://tts.example, dryRun: true`, started),
      one(`${start}, purpose: finance, parent: ${own}`, started),
      one(
        `${start}, purpose: finance, parent: { owner: platform }`,
        'expect: deny, by: [children-only-of-ones-own-tasks]',
      ),
      one(`${start}, purpose: support`, 'expect: deny, by: []'),
      one(`${start}, purpose: finance, scopes: [a, c]`, 'expect: deny, by: []'),
      one(`control: handOn workload ${AGENT}, purpose: finance, depth: 3, seconds: 3600`, started),
      one(`control: handOn workload ${AGENT}, purpose: finance, seconds: 3601`, 'expect: deny, by: []'),
      one(`control: extend task https://tts.example t-1, registered: ${own}`, 'expect: allow, by: [carriers]'),
      one('control: end task https://tts.example t-1', 'expect: deny, by: []'),
      one(`control: view task https://tts.example t-1, registered: ${own}`, 'expect: allow, by: [responder-reads]'),
    ];
    assert.deepEqual(said(cases.join('')), []);
  });

  test('share a file with requests: what is given counts where it means something', () => {
    const given = `{ caller: ${AGENT}, task: { purpose: finance }, request: GET payments.internal/api/invoices/7, proof: bearer }`;
    const cases = `${one('approvals: []')}${one(`control: view everything, caller: ${RESPONDER}`)}`;
    assert.deepEqual(said(cases, given), []);
    const asked = `{ caller: ${RESPONDER}, control: view everything }`;
    const request = `caller: ${AGENT}, task: { purpose: finance }, request: GET payments.internal/api/invoices/7`;
    assert.deepEqual(said(`${one('proof: bearer')}${one(request)}`, asked), []);
  });

  test('tell how they differ', () => {
    assert.deepEqual(said(one('control: lift everything, proof: bearer', 'expect: allow, by: [responder-lifts]')), [
      'control/tests/a.yaml:3:5: a case: expected allow by responder-lifts, got deny by bearers-only-view-and-revoke, opening-needs-a-certificate-or-a-person: forbidden by bearers-only-view-and-revoke, opening-needs-a-certificate-or-a-person; correct the policies, or the case',
    ]);
    assert.match(
      said(one(`control: view everything, caller: ${AGENT}`)).join(),
      /got deny: no control policy permits it;/,
    );
  });

  const wrong: readonly (readonly [facts: string, message: RegExp])[] = [
    ['control: revoke', /: '' is nothing to ask about; write everything, trust-domain, team/],
    [
      'control: remove team payments',
      /'remove' is nothing that the control API does; write view, explain, revoke, lift/,
    ],
    ['control: revoke everything else', /: write everything;?$/m],
    ['control: revoke team', /: write team NAME$/m],
    ['control: revoke task t-1', /: write task ISSUER ID$/m],
    ["control: 'revoke team  payments'", /: write team NAME$/m],
    ['control: revoke toString x', /'toString' is nothing to ask about/],
    ['control: revoke team paiments', /no team is called 'paiments'/],
    ['control: revoke trust-domain x.example', /no trust domain is called 'x\.example'/],
    ['control: revoke workload spiffe://prod.example/x', /the inventory knows no 'spiffe:\/\/prod\.example\/x'/],
    [
      'control: revoke path spiffe://prod.example/x',
      /no workload of the inventory is 'spiffe:\/\/prod\.example\/x' or below/,
    ],
    ['control: revoke path spiffe://prod.example', /is a trust domain; write trust-domain prod\.example/],
    ['control: revoke path x', /'x' is no SPIFFE ID/],
    ['control: start everything', /what is asked of start is a workload; write start workload ID/],
    ['control: end team payments', /what is asked of end is a task; write end task ISSUER ID/],
    [`control: start workload ${AGENT}`, /no purpose; state what is to be done, as purpose/],
    [`control: start workload ${AGENT}, purpose: finanse`, /no purpose is called 'finanse'/],
    [`control: start workload ${AGENT}, purpose: finance, depth: 2`, /depth says nothing of start; leave it out/],
    [`control: handOn workload ${AGENT}, purpose: finance, parent: {}`, /parent says nothing of handOn/],
    ['control: extend task https://tts.example t-1, seconds: 5', /seconds says nothing of extend/],
    [`control: start workload ${AGENT}, purpose: finance, parent: { owner: x }`, /no team is called 'x'/],
    ['control: end task a b, registered: { purpose: x }', /no purpose is called 'x'/],
    ['control: end task a b, registered: { workloads: [x] }', /'x' is no SPIFFE ID/],
    ['control: end task a b, registered: { startedBy: x }', /'x' is no SPIFFE ID/],
    ['control: view everything, registered: {}', /only a task has what is registered of it; leave it out/],
    ['control: view everything, purpose: finance', /purpose says nothing of view; leave it out/],
    ['control: lift everything, seconds: 5', /seconds says nothing of lift; leave it out/],
    [
      'control: view everything, request: GET docs.internal/x',
      /request says nothing of a control question; leave it out/,
    ],
    ['control: view everything, credential: oidc', /credential says nothing of a control question/],
    ['control: view everything, reason: policy_no_permit', /reason says nothing of a control question/],
    ['request: GET docs.internal/x, proof: svid', /proof says nothing of a request; leave it out/],
    [
      'control: view everything, caller: spiffe://prod.example/x',
      /the inventory knows no 'spiffe:\/\/prod\.example\/x'/,
    ],
    ['control: view everything, proof: card', /proof/],
  ];
  for (const [facts, message] of wrong)
    test(`${facts} is refused`, () => assert.match(said(one(facts)).join('\n'), message));
});

test('where there are no control policies, a case sees that nobody may', () => {
  const text = `cases: [{ name: a case, caller: ${AGENT}, control: view everything, expect: allow }]`;
  assert.match(report(text).join(), /expected allow, got deny: no control policy permits it/);
});

suite('cases of persons', () => {
  const control = controlSources({
    'control/a.cedar': `
@id("approvers") permit (principal in Control::PersonGroup::"approvers", action in [Control::Action::"grant", Control::Action::"refuse"], resource is Control::Approval)
when {
  resource.name == "resource-owner" && resource.host == "payments.internal" && resource.caller in Control::Group::"finance-agents" &&
  principal has acr && principal.acr == "mfa" && (if context has uses then context.uses <= 2 && context.seconds <= 3600 else true)
};
@id("emergency") permit (principal in Control::PersonGroup::"emergency", action == Control::Action::"breakGlass", resource);
@id("reviewers") permit (principal in Control::PersonGroup::"reviewers", action == Control::Action::"review", resource);
`,
  });
  const said = (...cases: readonly string[]): string[] => {
    const text = `given: { caller: ${AGENT} }\ncases:\n${cases.map((one) => `  - { name: a case, ${one} }\n`).join('')}`;
    const verdict = validate(sourcesOf({ 'a.cedar': policies, 'control/tests/a.yaml': text }, { control }), cedar, 16);
    return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
  };
  const ann = 'person: { groups: [approvers], acr: mfa }';
  const of = (group: string) => `person: { groups: [${group}] }`;
  const asking = `asking: { caller: ${AGENT}, host: payments.internal }`;

  test('state who signed in, what was asked for, and how much is granted', () => {
    const grant = `control: grant approval resource-owner, ${asking}`;
    assert.deepEqual(
      said(
        `${grant}, ${ann}, expect: allow, by: [approvers]`,
        `${grant}, ${ann}, uses: 2, seconds: 3600, expect: allow`,
        `${grant}, ${ann}, uses: 3, expect: deny, by: []`,
        `${grant}, ${ann}, seconds: 3601, expect: deny`,
        `${grant}, person: { groups: [approvers] }, expect: deny`,
        `${grant}, person: { groups: [others], acr: mfa }, expect: deny`,
        `${grant}, expect: deny`,
        `control: refuse approval resource-owner, ${asking}, ${ann}, expect: allow`,
        `control: withdraw approval resource-owner, ${asking}, ${ann}, expect: deny`,
        `control: breakGlass approval resource-owner, ${asking}, ${ann}, expect: deny`,
        `control: breakGlass approval resource-owner, ${asking}, ${of('emergency')}, expect: allow, by: [emergency]`,
        `control: review approval resource-owner, ${asking}, ${of('emergency')}, expect: deny`,
        `control: review approval resource-owner, ${asking}, ${of('reviewers')}, expect: allow, by: [reviewers]`,
        `control: review everything, ${of('reviewers')}, expect: allow`,
        `control: breakGlass approval resource-owner, ${asking}, expect: deny`,
        `control: grant approval resource-owner, asking: { caller: ${AGENT} }, ${ann}, expect: deny`,
      ),
      [],
    );
  });

  test('are refused where they say what means nothing', () => {
    for (const [facts, told] of [
      [`control: grant approval resource-owner, ${ann}`, /nobody asks for the approval/],
      [`control: grant approval other, ${asking}, ${ann}`, /no approval is called 'other'/],
      [`control: grant everything, ${ann}`, /what is asked of grant is an approval/],
      [`control: refuse approval resource-owner, ${asking}, ${ann}, uses: 2`, /uses says nothing of refuse/],
      [`control: view everything, ${asking}, ${ann}`, /nobody asks for an approval here/],
      [`control: view everything, caller: ${AGENT}, ${ann}`, /leave out caller and proof/],
    ] as const)
      assert.match(said(`${facts}, expect: deny`).join('\n'), told);
  });
});

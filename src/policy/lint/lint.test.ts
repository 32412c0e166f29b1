import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Files, sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { newInstance } from '../decide/engine.ts';
import { validate } from '../load/validate.ts';
import type { Sources } from '../text/sources.ts';

const cedar = newInstance();

/** What is reported of a folder with these files; empty when they pass. */
function report(files: Files, parts: Partial<Sources> = {}): string[] {
  const verdict = validate(sourcesOf(files, parts), cedar, 0);
  return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
}

/** Everything that a policy may name and say, spelt right. Each bad policy below is one change of it. */
const GOOD = `// the positive control
@id("good")
@control("NHI-03") @description("what it is for")
permit (
  principal in Mesh::Group::"finance-agents",
  action in Mesh::Action::"read",
  resource in Mesh::Path::"payments.internal/api/invoices"
) when {
  principal in Mesh::SpiffePath::"spiffe://prod.example/ns/agents" &&
  principal.trustDomain == Mesh::TrustDomain::"prod.example" &&
  principal != Mesh::Workload::"spiffe://prod.example/ns/agents/sa/orchestrator" &&
  principal.hasTag("pci") && principal.getTag("pci") == "true" &&
  resource in Mesh::Host::"payments.internal" && resource in Mesh::Api::"payments.internal/invoices" &&
  resource in Mesh::Team::"payments" && resource != Mesh::Endpoint::"payments.internal/api/invoices/7" &&
  resource.hasTag("tier") && resource.hasTag("param.invoice") && resource.scopes.contains("invoices") &&
  context.headers.hasTag("x-data-class") && context.numbers.hasTag("x-amount") &&
  context has task && context.task.purpose in Mesh::Purpose::"finance" && context.task.scopes.contains("invoices") &&
  !context.signals.contains("burst") && context.approvals.contains("resource-owner") && context.chain.depth < 3
};
`;

const permit = (clause: string): string => `@id("p") permit (principal, action, resource) when { ${clause} };`;

suite('lint', () => {
  test('a policy that spells everything right passes', () => {
    assert.deepEqual(report({ 'good.cedar': GOOD }), []);
  });

  const misspelt: [what: string, from: string, to: string, place: string, says: string][] = [
    ['group', '"finance-agents"', '"finance-agent"', '5:16', "no group is called 'finance-agent'"],
    [
      'path on an unknown host',
      'Mesh::Path::"payments.internal',
      'Mesh::Path::"payment.internal',
      '7:15',
      "no host is called 'payment.internal'",
    ],
    ['path with a trailing slash', 'api/invoices"\n', 'api/invoices/"\n', '7:15', 'is not canonical'],
    ['path with a dot segment', 'api/invoices"\n', 'api/../invoices"\n', '7:15', 'is not canonical'],
    ['path with percent-encoding', 'api/invoices"\n', 'api/%69nvoices"\n', '7:15', 'is not canonical'],
    [
      'path that is a host',
      'Path::"payments.internal/api/invoices"',
      'Path::"payments.internal"',
      '7:15',
      'is a host; write Mesh::Host::"payments.internal"',
    ],
    [
      'path with the parameter of a template',
      'api/invoices"\n',
      'api/invoices/{invoice}"\n',
      '7:15',
      `'{invoice}' is no pattern in a path; write Mesh::Api::"payments.internal/NAME"`,
    ],
    ['path with an asterisk', 'api/invoices"\n', 'api/*"\n', '7:15', "'*' is no pattern in a path"],
    [
      'path in another case than the host reads',
      'Path::"payments.internal/api/invoices"',
      'Path::"docs.internal/Guide"',
      '7:15',
      "write 'docs.internal/guide'",
    ],
    ['SPIFFE path', 'prod.example/ns/agents"', 'prod.example/ns/agent"', '9:16', 'no workload of the inventory'],
    [
      'SPIFFE path that is no whole segment',
      'prod.example/ns/agents"',
      'prod.example/ns/agents/sa/billing"',
      '9:16',
      'no workload of the inventory',
    ],
    [
      'SPIFFE path in an unknown trust domain',
      'spiffe://prod.example/ns/agents"',
      'spiffe://prd.example/ns/agents"',
      '9:16',
      "no trust domain is called 'prd.example'",
    ],
    [
      'SPIFFE path with a trailing slash',
      'prod.example/ns/agents"',
      'prod.example/ns/agents/"',
      '9:16',
      'is not canonical',
    ],
    [
      'SPIFFE path that is a trust domain',
      'prod.example/ns/agents"',
      'prod.example"',
      '9:16',
      'write Mesh::TrustDomain::"prod.example"',
    ],
    [
      'trust domain',
      'TrustDomain::"prod.example"',
      'TrustDomain::"prod.exampel"',
      '10:28',
      "no trust domain is called 'prod.exampel'",
    ],
    ['workload', 'sa/orchestrator"', 'sa/orchestrater"', '11:16', 'no workload entry'],
    [
      'workload in upper case',
      '"spiffe://prod.example/ns/agents/sa/orchestrator"',
      '"spiffe://PROD.example/ns/agents/sa/orchestrator"',
      '11:16',
      'is not canonical',
    ],
    [
      'label of a workload',
      'hasTag("pci") && principal.getTag("pci")',
      'hasTag("pcj") && principal.getTag("pcj")',
      '12:20',
      "no label of a workload is called 'pcj'",
    ],
    [
      'host',
      'Host::"payments.internal"',
      'Host::"Payments.internal"',
      '13:15',
      "no host is called 'Payments.internal'",
    ],
    [
      'api',
      'Api::"payments.internal/invoices"',
      'Api::"payments.internal/invoice"',
      '13:62',
      "no api is called 'payments.internal/invoice'",
    ],
    ['team', 'Team::"payments"', 'Team::"payment"', '14:15', "no team is called 'payment'"],
    [
      'endpoint on an unknown host',
      'Endpoint::"payments.internal',
      'Endpoint::"payments.external',
      '14:53',
      "no host is called 'payments.external'",
    ],
    ['label of a resource', '"tier"', '"teir"', '15:19', "no label or parameter of a resource is called 'teir'"],
    [
      'parameter of a route',
      '"param.invoice"',
      '"param.invoce"',
      '15:46',
      "no label or parameter of a resource is called 'param.invoce'",
    ],
    [
      'scope of a resource',
      'resource.scopes.contains("invoices")',
      'resource.scopes.contains("invoice")',
      '15:91',
      "no scope is called 'invoice'",
    ],
    ['header', '"x-data-class"', '"x-data-clas"', '16:26', "lets no text header 'x-data-clas' through"],
    ['number read as a text', '"x-data-class"', '"x-amount"', '16:26', "lets no text header 'x-amount' through"],
    [
      'number',
      'numbers.hasTag("x-amount")',
      'numbers.hasTag("x-amont")',
      '16:68',
      "lets no number header 'x-amont' through",
    ],
    ['purpose', 'Purpose::"finance"', 'Purpose::"finanse"', '17:47', "no purpose is called 'finanse'"],
    [
      'scope of a task',
      'task.scopes.contains("invoices")',
      'task.scopes.containsAny(["invoice"])',
      '17:108',
      "no scope is called 'invoice'",
    ],
    ['signal', '"burst"', '"bursts"', '18:29', "no signal is called 'bursts'"],
    [
      'approval',
      'contains("resource-owner")',
      'containsAll(["resource-owners"])',
      '18:72',
      "no approval is called 'resource-owners'",
    ],
  ];
  for (const [what, from, to, place, says] of misspelt) {
    test(`a misspelt ${what} is refused at its place`, () => {
      assert.ok(GOOD.includes(from));
      const problems = report({ 'good.cedar': GOOD.replace(from, to) });
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.ok(problems[0]?.startsWith(`good.cedar:${place}: `), problems[0]);
      assert.ok(problems[0]?.includes(says), problems[0]);
    });
  }

  const hidden: [clause: string, says: RegExp][] = [
    ['principal.hasTag(if principal.relay then "pcj" else "pci")', /no label of a workload is called 'pcj'/],
    ['principal.hasTag({ a: "pcj" }.a)', /no label of a workload is called 'pcj'/],
    ['(if principal.relay then principal else principal).hasTag("pcj")', /whose tags these are is hidden/],
    ['{ a: context.headers }.a.hasTag("x-nope")', /whose tags these are is hidden/],
    [
      'context.approvals.contains(if principal.relay then "typo" else "resource-owner")',
      /no approval is called 'typo'/,
    ],
    ['context.signals.containsAny(if principal.relay then ["typo"] else ["burst"])', /no signal is called 'typo'/],
    ['(if principal.relay then context.approvals else ["x"]).contains("typo")', /context\.approvals is compared/],
    ['(if principal.relay then resource else resource).scopes.contains("typo")', /scopes is compared/],
    ['[context.approvals].contains(["typo"])', /context\.approvals is compared/],
    ['{ a: context.signals } == { a: ["typo"] }', /context\.signals is compared/],
    ['context has task && { t: context.task }.t.scopes.contains("typo")', /is compared/],
    ['resource.host == "payment.internal"', /no host is called 'payment.internal'/],
    ['["payment.internal"].contains(resource.host)', /no host is called 'payment.internal'/],
  ];
  for (const [clause, says] of hidden) {
    test(`a misspelt name is found where it is hidden: ${clause}`, () => {
      assert.match(report({ 'a.cedar': permit(clause) }).join('\n'), says);
    });
  }

  const computed = [
    'principal.getTag("pci") == resource.host',
    'principal.hasTag(resource.getTag("param.invoice"))',
    'context.headers.hasTag("x-data-class") && principal.hasTag(context.headers.getTag("x-data-class"))',
    'resource.host == "payments.internal" || ["docs.internal"].contains(resource.host)',
    'context has task && context.task.scopes.containsAny(resource.scopes) && !context.task.scopes.isEmpty()',
    'context has task && context.task has subject && [context.task.subject].contains("anybody")',
  ];
  for (const clause of computed) {
    test(`names that are computed, or spelt right, pass: ${clause}`, () => {
      const guarded = `principal.hasTag("pci") && resource.hasTag("param.invoice") && (${clause})`;
      assert.deepEqual(report({ 'a.cedar': permit(guarded) }), []);
    });
  }

  const annotations: [text: string, says: string][] = [
    ['@mode("shadows")', 'write @mode("shadow")'],
    ['@mode', 'write @mode("shadow")'],
    ['@modes("shadow")', '@modes is no annotation that is known here'],
    ['@approval("resource-owner")', '@approval on a permit asks for nothing'],
    ['@control', '@control needs a value'],
    ['@trusts_issuer_chain("yes")', '@trusts_issuer_chain takes no value'],
  ];
  for (const [text, says] of annotations) {
    test(`${text} on a permit is refused`, () => {
      const problems = report({ 'a.cedar': `@id("a") ${text} permit (principal, action, resource);` });
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', /^a\.cedar:1:10: /);
      assert.ok(problems[0]?.includes(says), problems[0]);
    });
  }

  test('an approval that nobody can give is refused', () => {
    const forbid = (name: string) =>
      `@id("f") @approval("${name}") forbid (principal, action, resource) unless { context.approvals.contains("${name}") };`;
    assert.deepEqual(report({ 'a.cedar': forbid('resource-owner') }), []);
    assert.match(report({ 'a.cedar': forbid('owner') }).join(), /1:20: no approval is called 'owner'/);
  });

  test('@approval names an approval that lifts its forbid', () => {
    const forbid = (clause: string) =>
      report({ 'a.cedar': `@id("f") @approval("resource-owner") forbid (principal, action, resource) ${clause};` });
    for (const clause of ['', 'when { !context.approvals.isEmpty() }', 'unless { context.signals.contains("burst") }'])
      assert.match(forbid(clause).join(), /^a\.cedar:1:10: @approval\("resource-owner"\) lifts nothing: .* unless \{ /);
    for (const clause of [
      'when { !context.approvals.contains("resource-owner") }',
      'unless { context.approvals.containsAny(["resource-owner"]) && principal.relay }',
    ])
      assert.deepEqual(forbid(clause), []);
  });

  const chainReads = [
    'context.chain.originator.kind == Mesh::Kind::"job"',
    'context.chain.actors.isEmpty()',
    'context["chain"]["originator"].relay',
    '(if principal.relay then context.chain else context.chain).originator.relay',
    '{ a: context.chain }.a.originator.relay',
    '[context.chain].contains(context.chain)',
    '[context].contains(context)',
  ];
  for (const clause of chainReads) {
    test(`a permit that reads the chain says so: ${clause}`, () => {
      const bare = report({ 'a.cedar': permit(clause) });
      assert.equal(bare.length, 1, bare.join('\n'));
      assert.match(bare[0] ?? '', /say so with @trusts_issuer_chain/);
      assert.deepEqual(report({ 'a.cedar': `@trusts_issuer_chain ${permit(clause)}` }), []);
      assert.deepEqual(report({ 'a.cedar': permit(clause).replace('permit', 'forbid') }), []);
    });
  }

  test('depth, trust domains and exposure of a chain need no such word', () => {
    const clause =
      'context.chain.depth < 3 && !context.chain.external && context.chain.trustDomains.isEmpty() == false';
    assert.deepEqual(report({ 'a.cedar': permit(clause) }), []);
  });

  const teamPolicies: [file: string, text: string, says: RegExp | null][] = [
    ['teams/payments/a.cedar', 'permit (principal, action, resource in Mesh::Team::"payments")', null],
    [
      'teams/payments/x/a.cedar',
      'permit (principal, action, resource is Mesh::Endpoint in Mesh::Team::"payments")',
      null,
    ],
    ['teams/payments/a.cedar', 'permit (principal, action, resource)', /reaches its own resources only/],
    ['teams/payments/a.cedar', 'permit (principal, action, resource in Mesh::Team::"platform")', /reaches its own/],
    ['teams/payments/a.cedar', 'permit (principal in Mesh::Team::"payments", action, resource)', /reaches its own/],
    [
      'teams/payments/a.cedar',
      'permit (principal, action, resource) when { resource in Mesh::Team::"payments" }',
      /reaches/,
    ],
    ['teams/payments/a.cedar', 'forbid (principal, action, resource)', /a forbid of a team reaches/],
    ['teams/payments/a.cedar', 'forbid (principal in Mesh::Team::"payments", action, resource)', null],
    [
      'teams/payment/a.cedar',
      'permit (principal, action, resource in Mesh::Team::"payments")',
      /no team is called 'payment'/,
    ],
    ['teams/a.cedar', 'permit (principal, action, resource in Mesh::Team::"payments")', /stands in no team's folder/],
    ['other/payments/a.cedar', 'permit (principal, action, resource)', null],
    ['Teams/payments/a.cedar', 'permit (principal, action, resource)', /only a folder 'teams' at the top/],
    ['policies/teams/payments/a.cedar', 'permit (principal, action, resource)', /only a folder 'teams' at the top/],
    [
      'teams/payments/teams/platform/a.cedar',
      'permit (principal, action, resource in Mesh::Team::"payments")',
      /only a folder 'teams' at the top/,
    ],
    ['teams.cedar', 'permit (principal, action, resource)', null],
  ];
  for (const [file, text, says] of teamPolicies) {
    test(`${says === null ? 'passes' : 'is refused'}: ${text} in ${file}`, () => {
      const problems = report({ [file]: `@id("t") ${text};` });
      if (says === null) assert.deepEqual(problems, []);
      else assert.match(problems.join('\n'), says);
      assert.ok(problems.length < 2);
    });
  }

  test('ids are stated, names, and each there once', () => {
    const text = 'permit (principal, action, resource);';
    assert.match(report({ 'a.cedar': text }).join(), /a\.cedar:1:1: this policy has no id; write @id/);
    assert.match(report({ 'a.cedar': `@id("a b") ${text}` }).join(), /the id "a b" is no name/);
    assert.match(report({ 'a.cedar': `@id("") ${text}` }).join(), /the id "" is no name/);
    const twice = report({ 'a.cedar': `@id("a") ${text}`, 'b.cedar': `\n@id("a") ${text}` });
    assert.deepEqual(twice, ['b.cedar:2:1: the id a is taken by a.cedar; choose another']);
    const guardrail = {
      guardrails: [{ file: 'guardrails/g.cedar', text: `@id("a") forbid (principal, action, resource);` }],
    };
    assert.match(
      report({ 'a.cedar': `@id("a") ${text}` }, guardrail).join(),
      /the id a is taken by guardrails\/g\.cedar/,
    );
  });

  test('a file of a thousand faults is reported by its first hundred', () => {
    assert.equal(report({ 'a.cedar': ';'.repeat(1000) }).length, 100);
  });

  test('a policy of thousands of misspelt names is reported by its first hundred', () => {
    const scopes = Array.from({ length: 5000 }, (_, i) => `"s${i}"`).join(', ');
    assert.equal(report({ 'a.cedar': permit(`resource.scopes.containsAny([${scopes}])`) }).length, 100);
    const teams = Array.from({ length: 2000 }, (_, i) => `Mesh::Team::"t${i}"`).join(', ');
    assert.equal(report({ 'a.cedar': permit(`[${teams}].contains(principal.owner)`) }).length, 100);
  });

  test('templates are refused where the slot stands', () => {
    const text = '@id("t") permit (principal == ?principal, action, resource);';
    assert.deepEqual(report({ 'a.cedar': text }), [
      'a.cedar:1:31: a template is not served; write the entity in place of the slot',
    ]);
  });

  const oversized: [what: string, text: string, says: RegExp][] = [
    ['operators', permit(Array(66).fill('principal.relay').join(' || ')), /more than 64 operators/],
    ['brackets', permit(`${'('.repeat(33)}true${')'.repeat(33)}`), /nested deeper than 32 brackets/],
    [
      'clauses',
      `@id("p") permit (principal, action, resource) ${'when { principal.relay }'.repeat(33)};`,
      /more than 32 clauses/,
    ],
    ['bytes', permit(`resource.path == "${'x'.repeat(65_536)}"`), /longer than 65536 bytes/],
    ['accesses', permit(`principal${'.owner'.repeat(129)} == principal`), /more than 128 attribute accesses/],
  ];
  for (const [what, text, says] of oversized) {
    test(`B40: too many ${what} are refused before Cedar sees them`, () => {
      assert.match(report({ 'a.cedar': text }).join('\n'), says);
    });
  }

  test('B40: a long list of literals is fine', () => {
    const list = Array.from({ length: 3000 }, (_, i) => `"/p${i}"`).join(', ');
    assert.deepEqual(report({ 'a.cedar': permit(`[${list}].contains(resource.path)`) }), []);
  });

  test('a misspelt name of an enumeration is said without the id of the policy, which the place tells', () => {
    const [problem = ''] = report({ 'a.cedar': permit('principal.kind == Mesh::Kind::"agnt"') });
    assert.match(problem, /^a\.cedar:1:\d+: entity `Mesh::Kind::"agnt"`/);
  });

  test('B38: an unsafe access and an ill-typed comparison do not load, each said once and where', () => {
    assert.deepEqual(report({ 'a.cedar': permit('context.task.assurance >= 2') }), [
      "a.cedar:1:54: unable to guarantee safety of access to optional attribute `task` in context; try testing for the attribute's presence with `context has task && ..`",
    ]);
    const illTyped = report({ 'a.cedar': permit('context.role in ["caller"]') });
    assert.equal(illTyped.length, 1);
    assert.match(illTyped[0] ?? '', /^a\.cedar:1:\d+: /);
  });

  test('a complaint of the parser points at line and column, beyond characters of several bytes', () => {
    const text = `// ärger\n${permit('resource.host == "é" && resource.sensitivity = 2')}`;
    assert.deepEqual(report({ 'a.cedar': text }), [
      "a.cedar:2:99: '=' is not an operator in Cedar; try using '==' instead",
    ]);
  });

  test('a policy that can never apply is refused, unless warnings are let through', () => {
    const files = { 'a.cedar': permit('"a" == "b"') };
    assert.match(report(files).join('\n'), /^a\.cedar:1:1: policy is impossible/);
    const { settings } = sourcesOf({});
    const verdict = validate(sourcesOf(files, { settings: { ...settings, allowWarnings: true } }), cedar, 0);
    assert.ok(!Array.isArray(verdict));
    assert.equal(verdict.warnings.length, 1);
  });

  test('a disabled guardrail is left out, and one that does not exist is a problem', () => {
    const { settings } = sourcesOf({});
    const guardrails = [{ file: 'guardrails/g.cedar', text: '@id("g") forbid (principal, action, resource);' }];
    const disable = (id: string) => ({
      guardrails,
      settings: { ...settings, disabledGuardrails: [{ id, because: 'a reason', untilMs: Infinity }] },
    });
    const files = { 'a.cedar': permit('true') };
    const verdict = validate(sourcesOf(files, disable('g')), cedar, 0);
    assert.ok(!Array.isArray(verdict));
    assert.deepEqual(Object.keys(verdict.enforced), ['p']);
    assert.match(report(files, disable('h')).join(), /no guardrail is called 'h'/);
    assert.match(report(files, disable('p')).join(), /no guardrail is called 'p'/);
  });
});

suite('operators’ schemas', () => {
  const own =
    'namespace Ops { entity Window { team: Mesh::Team }; action look appliesTo { principal: Mesh::Workload, resource: Window }; }';
  const policies = { 'a.cedar': '@id("a") permit (principal, action, resource);' };

  test('a namespace of their own passes', () => {
    assert.deepEqual(report({ ...policies, 'ops.cedarschema': own }), []);
  });

  const loosening: [what: string, schema: string, says: RegExp][] = [
    ['declares in ours', 'namespace Mesh { entity Extra; }', /the namespace Mesh is this product's contract/],
    ['declares below ours', 'namespace Mesh::More { entity Extra; }', /the namespace Mesh is this product/],
    ['declares outside a namespace', 'entity datetime;', /declares names outside a namespace/],
    ['joins our groups', 'namespace Ops { action look in [Mesh::Action::"read"]; }', /our groups are closed/],
    [
      'joins our groups by an action whose name is escaped',
      'namespace Ops {\n  action "lo\\u{6f}k" in [Mesh::Action::"read"]; }',
      /^ops\.cedarschema:2:10: the action look joins .*; our groups are closed/,
    ],
    [
      'makes a circle of actions',
      'namespace Ops { action a in [b]; action b in [a]; }',
      /^ops\.cedarschema:1:1: cycle in action hierarchy/,
    ],
    ['does not parse', 'namespace Ops {\n  entity }', /^ops\.cedarschema:2:10: /],
    ['names a type that is not there', 'namespace Ops {\n  entity A in [B];\n}', /^ops\.cedarschema:/],
    ['nests deeply', `namespace Ops { type A = ${'Set<'.repeat(40)}Long${'>'.repeat(40)}; }`, /nested deeper than 32/],
  ];
  for (const [what, schema, says] of loosening) {
    test(`a schema that ${what} is refused`, () => {
      const problems = report({ ...policies, 'ops.cedarschema': schema });
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', says);
    });
  }
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlSources } from '../../../test/support/control-policies.ts';
import { type Files, settings, sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { newInstance } from '../decide/engine.ts';
import { CONTROL_GUARDRAILS } from '../text/guardrails.ts';
import { type ControlSources, type PolicySettings, revisionOf } from '../text/sources.ts';
import { validate } from './validate.ts';

const cedar = newInstance();
const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const REQUESTS = { 'a.cedar': '@id("a") permit (principal, action, resource);' };
const permit = (id: string, scope = 'principal, action, resource'): string => `@id("${id}") permit (${scope});`;

interface Parts extends Partial<ControlSources> {
  readonly more?: Files;
  readonly rules?: Partial<PolicySettings>;
}

/** What is wrong with a folder that holds these control policies. */
function report(control: Files, { more = {}, rules = {}, ...parts }: Parts = {}): string[] {
  const sources = sourcesOf(
    { ...REQUESTS, ...more },
    { settings: { ...settings, ...rules }, control: controlSources(control, parts) },
  );
  const verdict = validate(sources, cedar, 0);
  return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
}

suite('control policies are linted', () => {
  const good = permit('p', `principal == Control::Workload::"${AGENT}", action, resource`);
  test('good ones pass', () => assert.deepEqual(report({ 'control/a.cedar': good }), []));

  const rows: readonly (readonly [what: string, text: string, message: RegExp])[] = [
    ['an id', 'permit (principal, action, resource);', /a\.cedar:1:1: this policy has no id/],
    ['an id of its own', permit('a'), /a\.cedar:1:1: the id a is taken by a\.cedar; choose another/],
    ['what Cedar reads', '@id("p") permit (principal, action);', /a\.cedar:1:\d+: /],
    [
      'types of Control',
      permit('p', 'principal in Mesh::Team::"payments", action, resource'),
      /unrecognized entity type `Mesh::Team`; did you mean `Control::Team`\?/,
    ],
    [
      'actions of Control',
      permit('p', 'principal, action == Control::Action::"liftt", resource'),
      /unrecognized action `Control::Action::"liftt"`; did you mean `Control::Action::"lift"`\?/,
    ],
    [
      'a team that is listed',
      permit('p', 'principal, action, resource in Control::Team::"paiments"'),
      /:1:\d+: no team is called 'paiments'; list it/,
    ],
    [
      'a group that is listed',
      permit('p', 'principal in Control::Group::"x", action, resource'),
      /no group is called 'x'/,
    ],
    [
      'a trust domain that is configured',
      permit('p', 'principal, action, resource in Control::TrustDomain::"x.example"'),
      /no trust domain is called 'x\.example'/,
    ],
    [
      'a workload that is listed',
      permit('p', 'principal == Control::Workload::"spiffe://prod.example/x", action, resource'),
      /no workload entry of the inventory holds for 'spiffe:\/\/prod\.example\/x'/,
    ],
    [
      'a path with workloads',
      permit('p', 'principal, action, resource in Control::SpiffePath::"spiffe://prod.example/x"'),
      /no workload of the inventory is 'spiffe:\/\/prod\.example\/x' or below it/,
    ],
    [
      'a path that is one',
      permit('p', 'principal, action, resource in Control::SpiffePath::"spiffe://prod.example"'),
      /is a trust domain; write Control::TrustDomain::"prod\.example"/,
    ],
    [
      'no task by name',
      permit('p', 'principal, action, resource == Control::Task::"t"'),
      /no task is listed, so none can be named; write is Control::Task, and compare its attributes/,
    ],
    [
      'no credential by name',
      permit('p', 'principal, action, resource == Control::Credential::"t"'),
      /no credential is listed/,
    ],
    ['no person by name', permit('p', 'principal == Control::Person::"t", action, resource'), /no person is listed/],
    [
      'no shadow mode',
      `@mode("shadow") ${permit('p')}`,
      /@mode is no annotation that is known here; use one of @id, @control, @description/,
    ],
    [
      'no approval',
      `@approval("resource-owner") @id("p") forbid (principal, action, resource);`,
      /@approval is no annotation that is known here/,
    ],
    ['no template', permit('p', 'principal == ?principal, action, resource'), /a template is not served/],
    [
      'a guard before what may be unknown',
      `@id("p") permit (principal, action, resource) when { resource in principal.owner };`,
      /unable to guarantee safety of access to optional attribute `owner`/,
    ],
    [
      'a fact of its action',
      `@id("p") permit (principal, action == Control::Action::"lift", resource) when { context.dryRun };`,
      /attribute `dryRun` in context.* not found/,
    ],
    [
      'nothing that can never apply',
      permit('p', 'principal == Control::Group::"finance-agents", action, resource'),
      /policy is impossible/,
    ],
    [
      'few brackets',
      `@id("p") permit (principal, action, resource) when { ${'('.repeat(40)}true${')'.repeat(40)} };`,
      /nested deeper than 32 brackets/,
    ],
    [
      'few operators',
      `@id("p") permit (principal, action, resource) when { ${Array(70).fill('true').join(' && ')} };`,
      /more than 64 operators/,
    ],
  ];
  for (const [what, text, message] of rows) {
    test(what, () => assert.match(report({ 'control/a.cedar': text }).join('\n'), message));
  }

  test('no attribute of a name: nothing is known of it', () => {
    const text = `@id("p") permit (principal, action, resource) when { Control::Workload::"${AGENT}" in Control::Team::"payments" };`;
    assert.match(
      report({ 'control/a.cedar': text }).join(),
      /nothing is known of Control::Workload::"spiffe:[^"]*" here but its name/,
    );
  });

  test('there are few of them, and they are short', () => {
    const many = (count: number): string => Array.from({ length: count }, (_, n) => permit(`p${n}`)).join('\n');
    assert.deepEqual(report({ 'control/a.cedar': many(97) }), []);
    assert.match(
      report({ 'control/a.cedar': many(98) }).join(),
      /^control:1:1: more than 100 control policies; name groups/,
    );
    const long = `@description("${'x'.repeat(32 * 1024)}") ${permit('p')}`;
    assert.match(report({ 'control/a.cedar': long }).join(), /^control:1:1: more than 32768 bytes of control policies/);
  });
});

suite('where control policies stand', () => {
  test('a team has none, and nobody has them below another folder', () => {
    const places = [
      'teams/payments/control/a.cedar',
      'sub/control/a.cedar',
      'Control/a.cedar',
      'teams/payments/CONTROL/x/a.cedar',
    ];
    for (const place of places) {
      const found = report({}, { more: { [place]: permit('p') } }).join();
      const expected = place.startsWith('teams/')
        ? /a team writes no control policies, which the platform owns; move it to control\/ at the top/
        : /only a folder 'control' at the top holds control policies/;
      assert.match(found, expected, place);
    }
    assert.match(
      report({ 'control/teams/payments/a.cedar': permit('p') }).join(),
      /only a folder 'teams' at the top binds/,
    );
    assert.match(report({ 'control/control/a.cedar': permit('p') }).join(), /only a folder 'control' at the top/);
    assert.deepEqual(report({ 'control/incidents/a.cedar': permit('p') }), []);
  });

  test('nobody adds to their schema', () => {
    const more = { 'control/x.cedarschema': 'namespace X { entity Y; }' };
    assert.match(
      report({}, { more }).join(),
      /^control\/x\.cedarschema:1:1: control policies know the types of this release alone/,
    );
    const namespace = { 'x.cedarschema': 'namespace Control { entity Y; }' };
    assert.match(report({}, { more: namespace }).join(), /the namespace Control is this product's contract/);
  });
});

suite('the guardrails of control policies', () => {
  const file = { 'control/a.cedar': permit('p') };
  const [id = ''] = CONTROL_GUARDRAILS;
  const rules = { requiredGuardrails: CONTROL_GUARDRAILS };
  const disabling = (...ids: string[]) => ({
    ...rules,
    disabledGuardrails: ids.map((one) => ({ id: one, because: 'a reason', untilMs: Number.POSITIVE_INFINITY })),
  });

  test('are there, or disabled for a reason', () => {
    assert.deepEqual(report(file, { rules }), []);
    assert.match(
      report(file, { rules, guardrails: [] }).join(),
      /^guardrails\/control:1:1: no guardrail \(\*\.cedar\) is here; put back/,
    );
    assert.deepEqual(report(file, { rules: disabling(...CONTROL_GUARDRAILS), guardrails: [] }), []);
    const lost = controlSources(file).guardrails.map((one) => ({
      ...one,
      text: one.text.replace(`"${id}"`, '"mine"'),
    }));
    assert.match(
      report(file, { rules, guardrails: lost }).join(),
      new RegExp(`^guardrails/control:1:1: '${id}' is missing`),
    );
  });

  test('can be disabled where no control policy is, and a misspelt one cannot', () => {
    const judged = (settings: PolicySettings) => {
      const verdict = validate(sourcesOf(REQUESTS, { settings }), cedar, 0);
      return Array.isArray(verdict) ? verdict.map(formatProblem).join() : '';
    };
    assert.equal(judged({ ...settings, ...disabling(id) }), '');
    assert.equal(judged({ ...settings, ...rules }), '');
    assert.match(
      judged({ ...settings, ...disabling('bearers-only-veiw') }),
      /no guardrail is called 'bearers-only-veiw'/,
    );
  });
});

test('a revision tells control policies apart, and is what it was where there are none', () => {
  const of = (control?: ControlSources) => revisionOf(sourcesOf(REQUESTS, control === undefined ? {} : { control }));
  const one = controlSources({ 'control/a.cedar': permit('p') });
  const revisions = [
    of(),
    of(one),
    of(controlSources({ 'control/a.cedar': permit('q') })),
    of(controlSources({ 'control/b.cedar': permit('p') })),
    of({ ...one, guardrails: [] }),
    of({ ...one, schema: { ...one.schema, text: '' } }),
  ];
  assert.equal(new Set(revisions).size, revisions.length);
  assert.equal(of(), revisionOf(sourcesOf(REQUESTS)));
});

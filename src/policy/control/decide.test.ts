import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlSources } from '../../../test/support/control-policies.ts';
import { loaded } from '../../../test/support/policy.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { type ControlDecision, controlPolicies } from './decide.ts';
import { type ControlAction, type ControlProof, type ControlResource, controlActions } from './question.ts';

const NOW = Date.UTC(2026, 10, 25, 10);
const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';

function id(text: string): SpiffeId {
  const parsed = SpiffeId.parse(text);
  assert.ok(parsed instanceof SpiffeId);
  return parsed;
}

interface Asked {
  readonly caller?: string;
  readonly proof?: ControlProof;
  readonly action?: ControlAction;
  readonly about?: ControlResource;
  readonly dryRun?: boolean;
  readonly untilMs?: number;
}

/** What the policies of a text decide. */
function deciding(text: string | null) {
  const parts = text === null ? {} : { control: controlSources({ 'control/a.cedar': text }) };
  const { snapshot } = loaded({ 'a.cedar': '@id("a") permit (principal, action, resource);' }, parts);
  const policies = controlPolicies(snapshot);
  assert.equal(policies.revision, snapshot.revision);
  return ({
    caller = AGENT,
    proof = 'svid',
    action = 'revoke',
    about,
    dryRun = false,
    untilMs,
  }: Asked): ControlDecision =>
    policies.decide({ kind: 'workload', id: id(caller), proof }, action, about ?? { kind: 'workload', id: id(AGENT) }, {
      nowMs: NOW,
      order: action === 'revoke' ? { dryRun, untilMs: untilMs ?? NOW + 3_600_000 } : null,
    });
}

const allowed = (...permits: string[]): ControlDecision => ({ allowed: true, permits, forbids: [], errors: [] });
const denied = (...forbids: string[]): ControlDecision => ({ allowed: false, permits: [], forbids, errors: [] });

/** One thing of each kind. */
const things: readonly ControlResource[] = [
  { kind: 'everything' },
  { kind: 'trustDomain', name: 'prod.example' },
  { kind: 'team', name: 'payments' },
  { kind: 'path', id: id('spiffe://prod.example/ns/agents') },
  { kind: 'workload', id: id(AGENT) },
  { kind: 'workload', id: id('spiffe://elsewhere.example/unknown') },
  { kind: 'task', issuer: 'https://tts.prod.example', id: 't-42' },
  { kind: 'credential', of: 'token', id: '4711', issuer: 'https://idp.example' },
  { kind: 'credential', of: 'key', id: 'x'.repeat(43), issuer: null },
];

test('without a policy nobody may do anything', () => {
  for (const text of [
    null,
    '@id("p") permit (principal == Control::Workload::"spiffe://prod.example/ns/payments/sa/api", action, resource);',
  ]) {
    const decide = deciding(text);
    for (const action of controlActions)
      for (const about of things) assert.deepEqual(decide({ action, about }), denied());
  }
});

test('who may everything may each action on each thing', () => {
  const decide = deciding('@id("p") permit (principal, action, resource in Control::Everything::"everything");');
  for (const action of controlActions)
    for (const about of things) assert.deepEqual(decide({ action, about }), allowed('p'), JSON.stringify(about));
});

suite('a scope covers', () => {
  const covered = (scope: string): readonly string[] => {
    const decide = deciding(`@id("p") permit (principal, action, ${scope});`);
    return things
      .filter((about) => decide({ action: 'view', about }).allowed)
      .map(({ kind, ...rest }) => {
        const text = 'id' in rest && typeof rest.id !== 'string' ? rest.id.text : '';
        return `${kind} ${text}`.trim();
      });
  };
  const rows: readonly (readonly [scope: string, covered: readonly string[]])[] = [
    ['resource in Control::Team::"payments"', ['team', `workload ${AGENT}`]],
    [
      'resource in Control::TrustDomain::"prod.example"',
      ['trustDomain', 'path spiffe://prod.example/ns/agents', `workload ${AGENT}`],
    ],
    [
      'resource in Control::SpiffePath::"spiffe://prod.example/ns/agents"',
      ['path spiffe://prod.example/ns/agents', `workload ${AGENT}`],
    ],
    ['resource in Control::SpiffePath::"spiffe://prod.example/ns/agents/sa/billing-agent"', [`workload ${AGENT}`]],
    ['resource in Control::Group::"finance-agents"', [`workload ${AGENT}`]],
    [`resource == Control::Workload::"${AGENT}"`, [`workload ${AGENT}`]],
    ['resource == Control::Everything::"everything"', ['everything']],
    ['resource is Control::Task', ['task']],
    ['resource is Control::Credential', ['credential', 'credential']],
  ];
  for (const [scope, expected] of rows) test(scope, () => assert.deepEqual(covered(scope), expected));
});

test('a team may be let revoke what it owns, and nothing else', () => {
  const decide = deciding(
    '@id("p") permit (principal, action, resource) when { principal has owner && resource in principal.owner };',
  );
  assert.deepEqual(decide({}), allowed('p'));
  assert.deepEqual(decide({ about: { kind: 'team', name: 'payments' } }), allowed('p'));
  assert.deepEqual(decide({ about: { kind: 'team', name: 'support' } }), denied());
  assert.deepEqual(decide({ caller: 'spiffe://prod.example/ns/agents/sa/orchestrator' }), denied());
});

test('a caller that the inventory does not know may nothing, whatever policies say', () => {
  const decide = deciding('@id("p") permit (principal, action, resource);');
  const { errors, ...rest } = decide({ caller: 'spiffe://prod.example/nowhere' });
  assert.deepEqual({ ...rest, errors: [] }, denied());
  assert.deepEqual(errors, ['the inventory knows no spiffe://prod.example/nowhere']);
});

test('an order has its length in seconds, and whether it only asks', () => {
  const decide = deciding(
    '@id("p") permit (principal, action == Control::Action::"revoke", resource) when { context.dryRun || context.seconds <= 3600 };',
  );
  assert.deepEqual(decide({ untilMs: NOW + 3_600_999 }), allowed('p'));
  assert.deepEqual(decide({ untilMs: NOW + 3_601_000 }), denied());
  assert.deepEqual(decide({ untilMs: NOW + 3_601_000, dryRun: true }), allowed('p'));
});

test('what Cedar cannot hold, and a policy that cannot be evaluated, permit nothing', () => {
  const decide = deciding('@id("p") permit (principal, action, resource);');
  for (const untilMs of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const { allowed: may, errors } = decide({ untilMs });
    assert.ok(!may && errors.length === 1, String(errors));
  }
  assert.equal(decide({ about: { kind: 'team', name: '\ud800' } }).errors.length, 1);
  const overflow = deciding(
    '@id("p") permit (principal, action, resource); @id("q") forbid (principal, action == Control::Action::"revoke", resource) when { context.seconds * 9223372036854775807 > 0 };',
  );
  assert.match(overflow({}).errors.join(), /^q: .*overflow/);
  assert.ok(!overflow({}).allowed);
});

suite('a bearer token of a workload', () => {
  const all = '@id("p") permit (principal, action, resource);';
  const decide = deciding(all);
  const opening = 'opening-needs-a-certificate-or-a-person';
  const bearers = 'bearers-only-view-and-revoke';
  test('views and revokes', () => {
    for (const action of ['view', 'revoke'] as const)
      assert.deepEqual(decide({ action, proof: 'bearer' }), allowed('p'));
  });
  test('explains and lifts nothing', () => {
    assert.deepEqual(decide({ action: 'explain', proof: 'bearer' }), denied(bearers));
    assert.deepEqual(decide({ action: 'lift', proof: 'bearer' }), denied(bearers, opening));
    assert.deepEqual(decide({ action: 'lift' }), allowed('p'));
  });
});

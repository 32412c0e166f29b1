import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlSources } from '../../../test/support/control-policies.ts';
import { loaded } from '../../../test/support/policy.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { type Person, type PersonFacts, provenPerson } from '../../identity/person.ts';
import { type ControlDecision, controlPolicies } from './decide.ts';
import {
  type ControlAction,
  type ControlApproval,
  type ControlOrder,
  type ControlProof,
  type ControlResource,
  controlActions,
  type TaskFacts,
} from './question.ts';

const NOW = Date.UTC(2026, 10, 25, 10);
const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';

function id(text: string): SpiffeId {
  const parsed = SpiffeId.parse(text);
  assert.ok(parsed instanceof SpiffeId);
  return parsed;
}

interface Asked {
  readonly caller?: string;
  readonly person?: Person;
  readonly proof?: ControlProof;
  readonly action?: ControlAction;
  readonly about?: ControlResource;
  readonly dryRun?: boolean;
  readonly untilMs?: number;
  readonly purpose?: string;
  readonly scopes?: readonly string[];
  readonly depth?: number;
  readonly parent?: TaskFacts;
}

const ISSUER = 'https://tts.prod.example';
const taskWith = (registered: TaskFacts | null) => ({ kind: 'task', issuer: ISSUER, id: 't-42', registered }) as const;

/** What an order states beside its subject. */
function orderOf({
  action = 'revoke',
  dryRun = false,
  untilMs = NOW + 3_600_000,
  ...more
}: Asked): ControlOrder | null {
  const { purpose = 'finance', scopes = [], depth = 2, parent } = more;
  const terms = { issuer: ISSUER, purpose, scopes, untilMs };
  if (action === 'revoke') return { action, dryRun, untilMs };
  if (action === 'start') return { action, ...terms, dryRun, parent: parent === undefined ? null : taskWith(parent) };
  if (action === 'grant') return { action, uses: 1, untilMs };
  return action === 'handOn' ? { action, ...terms, depth } : null;
}

/** What the policies of a text decide. */
function deciding(text: string | null) {
  const parts = text === null ? {} : { control: controlSources({ 'control/a.cedar': text }) };
  const { snapshot } = loaded({ 'a.cedar': '@id("a") permit (principal, action, resource);' }, parts);
  const policies = controlPolicies(snapshot);
  assert.equal(policies.revision, snapshot.revision);
  return (asked: Asked): ControlDecision => {
    const { caller = AGENT, proof = 'svid', action = 'revoke', about } = asked;
    const { person } = asked;
    const principal =
      person === undefined
        ? ({ kind: 'workload', id: id(caller), proof } as const)
        : ({ kind: 'person', person, proof: 'session' } as const);
    const resource = about ?? (OF_TASKS.has(action) ? taskWith(null) : { kind: 'workload', id: id(AGENT) });
    return policies.decide(principal, action, resource, { nowMs: NOW, order: orderOf(asked) });
  };
}

const OF_WORKLOADS: ReadonlySet<ControlAction> = new Set(['teach', 'start', 'handOn']);
const OF_TASKS: ReadonlySet<ControlAction> = new Set(['extend', 'end']);
/** Whether an action may be about such a thing. */
function isAbout(action: ControlAction, { kind }: ControlResource): boolean {
  if (OF_PERSONS.has(action)) return false;
  if (kind === 'approval') return action === 'view' || action === 'explain';
  return OF_WORKLOADS.has(action) ? kind === 'workload' : OF_TASKS.has(action) ? kind === 'task' : true;
}
/** Persons alone, of approvals. */
const OF_PERSONS: ReadonlySet<ControlAction> = new Set(['grant', 'refuse', 'withdraw', 'breakGlass', 'review']);

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
  taskWith(null),
  { kind: 'credential', of: 'token', id: '4711', issuer: 'https://idp.example' },
  { kind: 'credential', of: 'key', id: 'x'.repeat(43), issuer: null },
  approval(),
];

/** What a call of the agent asks of a person. */
function approval(over: Partial<ControlApproval> = {}): ControlApproval {
  const request = { action: 'POST', host: 'payments.internal', method: 'POST', path: '/refunds', sensitivity: null };
  return {
    kind: 'approval',
    id: 'A'.repeat(22),
    name: 'resource-owner',
    caller: id(AGENT),
    ...request,
    task: null,
    ...over,
  };
}

test('without a policy nobody may do anything', () => {
  for (const text of [
    null,
    '@id("p") permit (principal == Control::Workload::"spiffe://prod.example/ns/payments/sa/api", action, resource);',
  ]) {
    const decide = deciding(text);
    for (const action of controlActions)
      for (const about of things)
        if (text === null || isAbout(action, about)) assert.deepEqual(decide({ action, about }), denied());
  }
});

test('who may everything may each action on each thing', () => {
  const decide = deciding('@id("p") permit (principal, action, resource in Control::Everything::"everything");');
  for (const action of controlActions)
    for (const about of things.filter((thing) => isAbout(action, thing)))
      assert.deepEqual(decide({ action, about }), allowed('p'), JSON.stringify(about));
});

test('an action on what it is not about is never allowed', () => {
  const decide = deciding('@id("p") permit (principal, action, resource);');
  for (const action of controlActions)
    for (const about of things.filter((thing) => !isAbout(action, thing))) {
      const { allowed: may, errors } = decide({ action, about });
      assert.ok(!may && errors.length === 1, `${action} ${JSON.stringify(about)}`);
    }
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
  test('explains, lifts, teaches, starts, hands on, extends and ends nothing', () => {
    for (const action of ['explain', 'end'] as const)
      assert.deepEqual(decide({ action, proof: 'bearer' }), denied(bearers));
    for (const action of ['lift', 'teach', 'start', 'handOn', 'extend'] as const) {
      assert.deepEqual(decide({ action, proof: 'bearer' }), denied(bearers, opening));
      assert.deepEqual(decide({ action }), allowed('p'));
    }
  });
});

suite('tasks', () => {
  const ORCHESTRATOR = 'spiffe://prod.example/ns/agents/sa/orchestrator';
  const facts = (parts: Partial<TaskFacts> = {}): TaskFacts => ({
    owner: null,
    purpose: null,
    workloads: null,
    startedBy: null,
    ...parts,
  });

  test('are started for a purpose, for so long and for these workloads', () => {
    const decide = deciding(`
@id("p") permit (principal, action == Control::Action::"start", resource in Control::Group::"finance-agents")
when {
  context.issuer == "${ISSUER}" && context.purpose in Control::Purpose::"finance" && context.seconds <= 3600 &&
  ["invoices"].containsAll(context.scopes) && !context.dryRun
};`);
    const start = (asked: Partial<Asked> = {}) => decide({ action: 'start', ...asked });
    assert.deepEqual(start(), allowed('p'));
    assert.deepEqual(start({ purpose: 'reconcile-invoices', scopes: ['invoices'] }), allowed('p'));
    for (const asked of [
      { purpose: 'support' },
      { purpose: 'nothing-that-is-listed' },
      { untilMs: NOW + 3_601_000 },
      { scopes: ['invoices', 'refunds'] },
      { dryRun: true },
      { about: { kind: 'workload', id: id(ORCHESTRATOR) } as const },
    ])
      assert.deepEqual(start(asked), denied(), JSON.stringify(asked));
  });

  test('are handed on to a workload, so deep', () => {
    const decide = deciding(
      '@id("p") permit (principal, action == Control::Action::"handOn", resource) when { context.depth <= 3 && context.purpose == Control::Purpose::"finance" && context.scopes.isEmpty() };',
    );
    const handOn = (asked: Partial<Asked> = {}) => decide({ action: 'handOn', ...asked });
    assert.deepEqual(handOn({ depth: 3 }), allowed('p'));
    assert.deepEqual(handOn({ depth: 4 }), denied());
    assert.deepEqual(handOn({ purpose: 'support' }), denied());
    assert.deepEqual(handOn({ scopes: ['refunds'] }), denied());
  });

  test('are extended and ended by what is registered of them', () => {
    const decide = deciding(`
@id("carriers") permit (principal is Control::Workload, action, resource is Control::Task)
when { resource has workloads && resource.workloads.contains(principal) };
@id("starters") permit (principal is Control::Workload, action, resource is Control::Task)
when { resource has startedBy && resource.startedBy == principal };
@id("owners") permit (principal is Control::Workload, action, resource is Control::Task)
when { resource has owner && principal has owner && resource.owner == principal.owner };
@id("purposes") permit (principal, action, resource is Control::Task)
when { resource has purpose && resource.purpose in Control::Purpose::"finance" };
`);
    for (const action of ['extend', 'end', 'view'] as const) {
      const of = (registered: TaskFacts | null) => decide({ action, about: taskWith(registered) });
      assert.deepEqual(of(null), denied());
      assert.deepEqual(of(facts()), denied());
      assert.deepEqual(of(facts({ workloads: [ORCHESTRATOR, AGENT] })), allowed('carriers'));
      assert.deepEqual(of(facts({ workloads: [ORCHESTRATOR] })), denied());
      assert.deepEqual(of(facts({ startedBy: AGENT })), allowed('starters'));
      assert.deepEqual(of(facts({ startedBy: ORCHESTRATOR })), denied());
      assert.deepEqual(of(facts({ owner: 'payments' })), allowed('owners'));
      assert.deepEqual(of(facts({ owner: 'support' })), denied());
      assert.deepEqual(of(facts({ purpose: 'reconcile-invoices' })), allowed('purposes'));
      assert.deepEqual(of(facts({ purpose: 'support' })), denied());
    }
  });

  test('within another are started by whoever began that one or may carry it, whatever policies permit', () => {
    const decide = deciding(`
@id("p") permit (principal, action, resource)
unless { context has parent && context.parent has purpose && context.parent.purpose in Control::Purpose::"support" };`);
    const within = (parent: TaskFacts) => decide({ action: 'start', parent });
    const guardrail = 'children-only-of-ones-own-tasks';
    assert.deepEqual(within(facts({ startedBy: AGENT })), allowed('p'));
    assert.deepEqual(within(facts({ workloads: [AGENT], startedBy: ORCHESTRATOR })), allowed('p'));
    assert.deepEqual(within(facts({ workloads: [ORCHESTRATOR], startedBy: ORCHESTRATOR })), denied(guardrail));
    assert.deepEqual(within(facts()), denied(guardrail));
    assert.deepEqual(within(facts({ startedBy: AGENT, purpose: 'support' })), denied());
  });
});

suite('approvals', () => {
  const ann = (over: Partial<PersonFacts> = {}): Person =>
    provenPerson({
      ...{ issuer: 'https://idp.example', subject: 'ann', groups: ['finance-approvers'], acr: 'mfa', amr: ['otp'] },
      ...{ signedInMs: NOW - 60_000, name: null },
      ...over,
    });
  const decisions = ['grant', 'refuse', 'withdraw', 'breakGlass', 'review'] as const;

  test('are granted, refused, withdrawn, let pass and reviewed by persons alone, whatever policies say', () => {
    const decide = deciding('@id("p") permit (principal, action, resource);');
    for (const action of decisions) {
      assert.deepEqual(decide({ action, person: ann(), about: approval() }), allowed('p'));
      const { allowed: may, errors } = decide({ action, about: approval() });
      assert.ok(!may && errors.length === 1, action);
      assert.equal(decide({ action, proof: 'bearer', about: approval() }).allowed, false);
      const others = things.filter(({ kind }) => kind !== 'approval' && (action !== 'review' || kind !== 'everything'));
      for (const about of others) assert.equal(decide({ action, person: ann(), about }).allowed, false);
    }
  });

  test('are let pass by break-glass, and reviewed, only by whom a policy lets do that, not by all that opens', () => {
    const may = (policy: string, action: ControlAction, about: ControlResource = approval()) =>
      deciding(`@id("p") permit (${policy});`)({ action, person: ann(), about }).allowed;
    for (const action of ['breakGlass', 'review'] as const) {
      assert.ok(may(`principal, action == Control::Action::"${action}", resource`, action));
      for (const other of ['opens', 'reads', 'closes', 'grant', action === 'review' ? 'breakGlass' : 'review'])
        assert.ok(!may(`principal, action in Control::Action::"${other}", resource`, action), other);
    }
    assert.ok(may('principal, action == Control::Action::"review", resource', 'review', { kind: 'everything' }));
  });

  test('are granted by whom a policy names, and for what it names', () => {
    const decide = deciding(`
@id("p") permit (principal in Control::PersonGroup::"finance-approvers", action == Control::Action::"grant", resource is Control::Approval)
when {
  resource.name == "resource-owner" && resource.host == "payments.internal" && resource.path like "/refunds*" &&
  resource.caller in Control::Group::"finance-agents" && resource has owner && resource.owner == Control::Team::"payments" &&
  context.uses <= 3 && context.seconds <= 3600 && principal has acr && principal.acr == "mfa" &&
  (if resource has sensitivity then resource.sensitivity != "restricted" else true) &&
  (if resource has task then resource.task.issuer == "${ISSUER}" else true)
};`);
    const grant = (about: ControlApproval = approval(), person = ann(), more: Partial<Asked> = {}) =>
      decide({ action: 'grant', about, person, ...more });
    assert.deepEqual(grant(), allowed('p'));
    assert.deepEqual(grant(approval({ task: taskWith(null) })), allowed('p'));
    for (const about of [
      { name: 'other' },
      { host: 'other.internal' },
      { path: '/salaries' },
      { caller: id('spiffe://prod.example/ns/agents/sa/orchestrator') },
      { sensitivity: 'restricted' },
      { task: { ...taskWith(null), issuer: 'https://other.example' } },
    ])
      assert.deepEqual(grant(approval(about)), denied(), JSON.stringify(about));
    assert.deepEqual(grant(approval(), ann({ groups: ['finance'] })), denied());
    assert.deepEqual(grant(approval(), ann({ acr: null })), denied());
    assert.deepEqual(grant(approval(), ann(), { untilMs: NOW + 3_601_000 }), denied());
    assert.deepEqual(decide({ action: 'refuse', about: approval(), person: ann() }), denied());
  });
});

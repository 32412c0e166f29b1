import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Files, loaded, question, settings, sourcesOf, task, workload } from '../../../test/support/policy.ts';
import { Refusal } from '../../base/outcome.ts';
import { Engine } from './engine.ts';
import { permitFrom, refusalOf } from './permit.ts';
import type { HopVerdict, Question } from './question.ts';
import { shadowFindings } from './shadow.ts';

const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const ORCHESTRATOR = 'spiffe://prod.example/ns/agents/sa/orchestrator';
const SHOP = 'spiffe://partner.example/ns/shop';
const INVOICE = 'GET payments.internal/api/invoices/7';

const policy = (id: string, text: string): string => `@id("${id}") ${text};\n`;
const permitAll = policy('all', 'permit (principal, action, resource)');

const engine = new Engine();

/** Asks one question of policies in one file. */
function ask(policies: string, changes: Partial<Question> = {}, request = INVOICE, caller = AGENT): HopVerdict {
  const { snapshot } = loaded({ 'a.cedar': policies }, {}, engine);
  const verdict = snapshot.decide(question(snapshot.inventory, caller, request, changes));
  return verdict;
}

suite('a verdict', () => {
  test('allows by the permits that hold, and denies by absence', () => {
    const when = (purpose: string) =>
      `permit (principal, action, resource) when { context has task && context.task.purpose in Mesh::Purpose::"${purpose}" }`;
    const policies = policy('broad', when('finance')) + policy('narrow', when('reconcile-invoices'));
    assert.deepEqual(ask(policies, { task: task() }), {
      result: 'allow',
      permits: ['broad', 'narrow'],
      forbids: [],
      errors: [],
      approvals: [],
      shadow: [],
      failure: null,
    });
    assert.deepEqual(ask(policies, { task: task({ purpose: 'finance' }) }).permits, ['broad']);
    assert.deepEqual(ask(policies), {
      result: 'deny',
      permits: [],
      forbids: [],
      errors: [],
      approvals: [],
      shadow: [],
      failure: null,
    });
  });

  test('names the forbids that deny, over any permit', () => {
    const verdict = ask(
      `${permitAll}${policy('no', 'forbid (principal, action, resource) when { resource.sensitivity > 1 }')}`,
    );
    assert.equal(verdict.result, 'deny');
    assert.deepEqual(verdict.forbids, ['no']);
  });

  const product = 'context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") * 9007199254740991 > 10';
  test('B38: a forbid that cannot be evaluated denies, and says which', () => {
    const policies =
      permitAll +
      policy(
        'overflow',
        `@allows_missing("numbers.x-amount") forbid (principal, action, resource) when { ${product} }`,
      );
    const fails = ask(policies, { numbers: new Map([['x-amount', 9_007_199_254_740_991]]) });
    assert.equal(fails.result, 'error');
    assert.deepEqual(
      fails.errors.map((fault) => fault.policy),
      ['overflow'],
    );
    assert.equal(refusalOf([fails])?.reason, 'policy_error');
    assert.equal(ask(policies, { numbers: new Map([['x-amount', 0]]) }).result, 'allow');
  });

  test('B38: a permit that cannot be evaluated denies beside one that can', () => {
    const policies = permitAll + policy('overflow', `permit (principal, action, resource) when { ${product} }`);
    const fails = ask(policies, { numbers: new Map([['x-amount', 9_007_199_254_740_991]]) });
    assert.equal(fails.result, 'error');
  });

  test('B42: a number that is absent is not zero', () => {
    const policies = policy(
      'small',
      'permit (principal, action, resource) when { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") <= 100 }',
    );
    assert.equal(ask(policies, { numbers: new Map([['x-amount', 100]]) }).result, 'allow');
    assert.equal(ask(policies).result, 'deny');
    assert.equal(ask(policies, { numbers: new Map([['x-amount', 101]]) }).result, 'deny');
    for (const number of [1.5, Number.NaN, 2 ** 53 + 2]) {
      const verdict = ask(policies, { numbers: new Map([['x-amount', number]]) });
      assert.equal(verdict.failure?.reason, 'policy_input_invalid');
    }
  });

  test('B39: a fact that Cedar cannot hold refuses the request, and nothing is left out of it', () => {
    const bad: Partial<Question>[] = [
      { query: '\ud800' },
      { headers: new Map([['x-data-class', 'a\udc00']]) },
      { declared: { id: '\ud800', purpose: 'x' } },
      { task: task({ subject: '\udfff' }) },
      { credentialAge: 1.5 },
      { risk: Number.POSITIVE_INFINITY },
      { now: Number.NaN },
      { now: Date.UTC(12_000, 0) },
      { client: 'not an address' },
      { query: 'x'.repeat(100_000) },
    ];
    for (const changes of bad) {
      const verdict = ask(permitAll, changes);
      assert.equal(verdict.result, 'error');
      assert.equal(verdict.failure?.reason, 'policy_input_invalid');
      assert.equal(refusalOf([verdict])?.reason, 'policy_input_invalid');
    }
    assert.equal(ask(permitAll).result, 'allow');
  });

  test('a client address that is mapped into IPv6 is the IPv4 address', () => {
    const policies = policy(
      'net',
      'permit (principal, action, resource) when { context has client && context.client.isInRange(ip("10.0.0.0/8")) }',
    );
    for (const [client, result] of [
      ['10.0.0.7', 'allow'],
      ['::ffff:10.0.0.7', 'allow'],
      ['::ffff:0a00:0007', 'allow'],
      ['0:0:0:0:0:FFFF:10.0.0.7', 'allow'],
      ['11.0.0.7', 'deny'],
      ['::10.0.0.7', 'deny'],
      ['fd00::1', 'deny'],
      [null, 'deny'],
    ] as const) {
      assert.equal(ask(policies, { client }).result, result, String(client));
    }
  });
});

suite('what a policy can name is what the request is', () => {
  const cases: [clause: string, hit: Partial<Question>, miss: Partial<Question>][] = [
    ['context.now < datetime("2026-11-25T10:00:01Z")', {}, { now: Date.UTC(2026, 10, 25, 10, 0, 1) }],
    ['context.credential == Mesh::Credential::"oidc"', { credential: 'oidc' }, {}],
    ['context.role == Mesh::Role::"originator"', { role: 'originator' }, {}],
    ['context has query && context.query like "*page=2*"', { query: 'a=1&page=2' }, { query: null }],
    ['context has declared && context.declared.id == "t"', { declared: { id: 't', purpose: '' } }, {}],
    ['context has task && context.task.assurance >= 2', { task: task() }, { task: task({ assurance: 1 }) }],
    [
      'context has task && context.task.secondsLeft > 599',
      { task: task() },
      { task: task(), now: Date.UTC(2026, 10, 25, 10, 0, 2) },
    ],
    ['context has task && context.task has subject', { task: task({ subject: 's' }) }, { task: task() }],
    [
      'context has task && context.task.scopes.contains("invoices")',
      { task: task({ scopes: ['invoices'] }) },
      { task: task() },
    ],
    [
      'context.headers.hasTag("x-data-class") && context.headers.getTag("x-data-class") == "low"',
      { headers: new Map([['x-data-class', 'low']]) },
      {},
    ],
    ['context has inNetworks && context.inNetworks', { inNetworks: true }, { inNetworks: null }],
    ['context has credentialAge && context.credentialAge < 61', {}, { credentialAge: null }],
    ['context.approvals.contains("resource-owner")', { approvals: new Set(['resource-owner']) }, {}],
    ['context has risk && context.risk < 50', { risk: 49 }, { risk: null }],
    ['context.signals.contains("burst")', { signals: new Set(['burst']) }, {}],
  ];
  for (const [clause, hit, miss] of cases) {
    test(clause, () => {
      const policies = policy('p', `permit (principal, action, resource) when { ${clause} }`);
      assert.equal(ask(policies, hit).result, 'allow');
      assert.equal(ask(policies, miss).result, 'deny');
    });
  }

  const scopes: [clause: string, result: 'allow' | 'deny'][] = [
    ['principal in Mesh::SpiffePath::"spiffe://prod.example/ns/agents"', 'allow'],
    ['principal in Mesh::SpiffePath::"spiffe://prod.example/ns/payments"', 'deny'],
    [`principal in Mesh::SpiffePath::"${AGENT}"`, 'allow'],
    ['principal in Mesh::TrustDomain::"prod.example"', 'allow'],
    ['principal in Mesh::TrustDomain::"partner.example"', 'deny'],
    ['principal in Mesh::Team::"payments"', 'allow'],
    ['principal in principal.owner', 'allow'],
    ['principal in principal.trustDomain', 'allow'],
    ['principal in context.chain.trustDomains', 'allow'],
    ['principal in context.chain.actors', 'allow'],
    ['resource has owner && principal in resource.owner', 'allow'],
    ['resource has owner && resource in resource.owner', 'allow'],
    ['principal in Mesh::Group::"finance-agents"', 'allow'],
    ['principal.kind == Mesh::Kind::"agent" && !principal.relay && !principal.external', 'allow'],
    ['principal.hasTag("pci") && principal.getTag("pci") == "true"', 'allow'],
    ['resource in Mesh::Host::"payments.internal"', 'allow'],
    ['resource in Mesh::Host::"docs.internal"', 'deny'],
    ['resource in Mesh::Path::"payments.internal/api"', 'allow'],
    ['resource in Mesh::Path::"payments.internal/ap"', 'deny'],
    ['resource in Mesh::Path::"payments.internal/api/invoices/7"', 'allow'],
    ['resource in Mesh::Path::"payments.internal/api/invoices/7/lines"', 'deny'],
    ['resource in Mesh::Api::"payments.internal/invoices"', 'allow'],
    ['resource in Mesh::Api::"payments.internal/refunds"', 'deny'],
    ['resource in Mesh::Team::"payments"', 'allow'],
    ['resource == Mesh::Endpoint::"payments.internal/api/invoices/7"', 'allow'],
    [
      'resource.host == "payments.internal" && resource.path == "/api/invoices/7" && resource.sensitivity == 2',
      'allow',
    ],
    ['resource.hasTag("param.invoice") && resource.getTag("param.invoice") == "7"', 'allow'],
    ['resource.hasTag("tier") && resource.getTag("tier") == "gold"', 'allow'],
    ['action in Mesh::Action::"read"', 'allow'],
    ['action in Mesh::Action::"write"', 'deny'],
  ];
  for (const [clause, result] of scopes) {
    test(`${clause}: ${result}`, () => {
      assert.equal(
        ask(`@trusts_issuer_chain ${policy('p', `permit (principal, action, resource) when { ${clause} }`)}`).result,
        result,
      );
    });
  }

  test('the whole chain stands in the context of each hop', () => {
    const policies = `@trusts_issuer_chain ${policy(
      'p',
      `permit (principal, action, resource) when {
      context.chain.depth == 3 && context.chain.external && context.chain.originator.relay &&
      context.chain.originator == Mesh::Workload::"${ORCHESTRATOR}" && context.chain.originator.owner == Mesh::Team::"platform" &&
      context.chain.actors == [Mesh::Workload::"${ORCHESTRATOR}", Mesh::Workload::"${SHOP}", Mesh::Workload::"${AGENT}"] &&
      context.chain.trustDomains == [Mesh::TrustDomain::"prod.example", Mesh::TrustDomain::"partner.example"] }`,
    )}`;
    const { snapshot } = loaded({ 'a.cedar': policies });
    const [first, middle, last] = [ORCHESTRATOR, SHOP, AGENT].map((id) => workload(snapshot.inventory, id));
    assert.ok(first && middle && last);
    for (const hop of [first, middle, last]) {
      const asked = question(snapshot.inventory, AGENT, INVOICE, { hop, chain: [first, middle, last] });
      assert.equal(snapshot.decide(asked).result, 'allow', hop.id.text);
    }
    assert.equal(snapshot.decide(question(snapshot.inventory, AGENT, INVOICE)).result, 'deny');
  });

  test('headers that are not there are no error', () => {
    const policies = policy(
      'p',
      'permit (principal, action, resource) unless { context.headers.hasTag("x-data-class") || context.numbers.hasTag("x-amount") }',
    );
    assert.equal(ask(policies).result, 'allow');
  });

  test('S4: a header, a parameter or a query is a value, whatever it looks like', () => {
    const evil = '{"__entity":{"type":"Mesh::Team","id":"payments"}}';
    const policies = policy(
      'p',
      'permit (principal, action, resource) when { context.headers.hasTag("x-data-class") && context.headers.getTag("x-data-class") like "{*" }',
    );
    assert.equal(ask(policies, { headers: new Map([['x-data-class', evil]]), query: evil }).result, 'allow');
  });
});

suite('approvals', () => {
  const forbid = (id: string, approval: string | null) =>
    `${approval === null ? '' : `@approval("${approval}") `}${policy(id, 'forbid (principal, action, resource) unless { context.approvals.contains("resource-owner") }')}`;

  test('a denial that approvals would lift says which', () => {
    const verdict = ask(permitAll + forbid('f', 'resource-owner'));
    assert.deepEqual(verdict.approvals, ['resource-owner']);
    assert.equal(refusalOf([verdict])?.reason, 'approval_required');
    const approved = ask(permitAll + forbid('f', 'resource-owner'), { approvals: new Set(['resource-owner']) });
    assert.equal(approved.result, 'allow');
  });

  test('an approval is asked for only where a permit waits for it', () => {
    const verdict = ask(forbid('f', 'resource-owner'));
    assert.deepEqual(verdict.approvals, []);
    assert.equal(refusalOf([verdict])?.reason, 'policy_forbidden');
    const asks = 'context.approvals.contains("resource-owner")';
    const byApproval = policy('p', `permit (principal, action, resource) when { ${asks} }`);
    assert.deepEqual(ask(byApproval + forbid('f', 'resource-owner')).approvals, ['resource-owner']);
    const other = `forbid (principal, action, resource) when { ${asks} }`;
    assert.deepEqual(ask(permitAll + forbid('f', 'resource-owner') + policy('never', other)).approvals, []);
  });

  test('approvals are tried as often as the caller may, and a denial that was not tried is not remembered', () => {
    const { snapshot } = loaded({ 'a.cedar': permitAll + forbid('f', 'resource-owner') }, {}, engine);
    const asking = question(snapshot.inventory, AGENT, INVOICE, { now: 7 });
    const asked: unknown[] = [];
    const trials = (admitted: boolean) => ({ admits: (...of: unknown[]) => asked.push(of) > 0 && admitted });
    assert.deepEqual(snapshot.decide(asking, trials(false)).approvals, []);
    assert.deepEqual(snapshot.decide(asking, trials(true)).approvals, ['resource-owner']);
    assert.deepEqual(snapshot.decide(asking, trials(false)).approvals, ['resource-owner']);
    assert.deepEqual(asked, [
      [AGENT, 7],
      [AGENT, 7],
    ]);
  });

  test('a denial that another forbid would keep asks for no approval', () => {
    const verdict = ask(permitAll + forbid('f', 'resource-owner') + forbid('g', null));
    assert.deepEqual(verdict.approvals, []);
    assert.equal(refusalOf([verdict])?.reason, 'policy_forbidden');
  });
});

suite('shadow', () => {
  const shadow = (id: string, text: string) => `@mode("shadow") ${policy(id, text)}`;
  const when = (amount: number) =>
    `when { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") > ${amount} }`;
  const overflow =
    'when { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") * 9007199254740991 > 0 }';
  const amount = (value: number): Partial<Question> => ({ numbers: new Map([['x-amount', value]]) });

  test('a shadowed forbid records what it would have denied, and denies nothing', () => {
    const policies =
      permitAll + shadow('s', `@allows_missing("numbers.x-amount") forbid (principal, action, resource) ${when(10)}`);
    const verdict = ask(policies, amount(11));
    assert.equal(verdict.result, 'allow');
    assert.deepEqual(shadowFindings([verdict]), [{ policy: 's', would: 'deny' }]);
    assert.deepEqual(shadowFindings([ask(policies, amount(10))]), []);
  });

  test('a shadowed permit records what it would have allowed, and allows nothing', () => {
    const policies =
      policy('small', `permit (principal, action, resource) ${when(100)}`) +
      shadow('s', `permit (principal, action, resource) ${when(10)}`);
    const verdict = ask(policies, amount(11));
    assert.equal(verdict.result, 'deny');
    assert.deepEqual(verdict.permits, []);
    assert.deepEqual(shadowFindings([verdict]), [{ policy: 's', would: 'allow' }]);
    assert.deepEqual(shadowFindings([ask(policies, amount(101))]), []);
  });

  test('a shadowed permit changes nothing that a forbid denies', () => {
    const policies =
      policy('no', 'forbid (principal, action, resource)') + shadow('s', 'permit (principal, action, resource)');
    assert.deepEqual(shadowFindings([ask(policies)]), []);
  });

  test('an error of a shadowed policy is recorded only', () => {
    const verdict = ask(
      permitAll + shadow('s', `@allows_missing("numbers.x-amount") forbid (principal, action, resource) ${overflow}`),
      amount(9_007_199_254_740_991),
    );
    assert.equal(verdict.result, 'allow');
    assert.deepEqual(verdict.errors, []);
    assert.deepEqual(shadowFindings([verdict]), [{ policy: 's', would: 'error' }]);
  });

  test('each shadowed policy is judged by itself: none hides another', () => {
    const both =
      shadow('may', 'permit (principal, action, resource)') + shadow('no', 'forbid (principal, action, resource)');
    assert.deepEqual(shadowFindings([ask(both)]), [{ policy: 'may', would: 'allow' }]);
    assert.deepEqual(shadowFindings([ask(permitAll + both)]), [{ policy: 'no', would: 'deny' }]);
    const twice =
      shadow('a', 'forbid (principal, action, resource)') + shadow('b', 'forbid (principal, action, resource)');
    assert.deepEqual(shadowFindings([ask(permitAll + twice)]), [
      { policy: 'a', would: 'deny' },
      { policy: 'b', would: 'deny' },
    ]);
  });

  test('a check is counted once, however many of its hops a shadowed policy is about', () => {
    const verdict = ask(permitAll + shadow('no', 'forbid (principal, action, resource)'));
    assert.deepEqual(shadowFindings([verdict, verdict]), [{ policy: 'no', would: 'deny' }]);
  });

  test('a check that stays as it is was not changed: another hop or another policy refuses it all the same', () => {
    const forbidden = ask(
      permitAll +
        policy('no', 'forbid (principal, action, resource)') +
        shadow('too', 'forbid (principal, action, resource)'),
    );
    assert.deepEqual(shadowFindings([forbidden]), []);
    const permitted = ask(shadow('may', 'permit (principal, action, resource)'));
    assert.deepEqual(shadowFindings([permitted, forbidden]), []);
    assert.deepEqual(shadowFindings([permitted, ask(permitAll)]), [{ policy: 'may', would: 'allow' }]);
    assert.deepEqual(shadowFindings([permitted, ask('')]), []);
  });

  test('a shadowed policy is read as what it is, whatever its annotations hold', () => {
    const text =
      '@description("forbid permit") @id("s") @mode("shadow")\n// forbid\nforbid (principal, action, resource);';
    assert.deepEqual(ask(permitAll + text).shadow, [{ policy: 's', effect: 'forbid' }]);
  });
});

suite('a permit', () => {
  const verdict = (changes: Partial<HopVerdict>): HopVerdict => ({
    result: 'deny',
    permits: [],
    forbids: [],
    errors: [],
    shadow: [],
    approvals: [],
    failure: null,
    ...changes,
  });
  const allow = (...permits: string[]): HopVerdict => verdict({ result: 'allow', permits });

  test('is given when every hop is allowed, with the policies of all', () => {
    const permit = permitFrom([allow('b', 'a'), allow('a')]);
    assert.ok(!(permit instanceof Refusal));
    assert.deepEqual(permit.policies, ['a', 'b']);
    assert.equal(permit.observed, null);
  });

  const refused: [what: string, verdicts: HopVerdict[], reason: string][] = [
    ['no hop', [], 'internal'],
    ['a hop without a permit', [allow('a'), verdict({})], 'policy_no_permit'],
    ['a forbid', [verdict({ forbids: ['f'] }), allow('a')], 'policy_forbidden'],
    ['an error', [allow('a'), verdict({ result: 'error', errors: [{ policy: 'e', message: 'm' }] })], 'policy_error'],
    ['an error that names no policy', [verdict({ result: 'error' })], 'policy_error'],
    [
      'an approval on one hop and no permit on the other',
      [verdict({ forbids: ['f'], approvals: ['o'] }), verdict({})],
      'policy_forbidden',
    ],
    [
      'approvals on both',
      [verdict({ forbids: ['f'], approvals: ['o'] }), verdict({ forbids: ['f'], approvals: ['o'] })],
      'approval_required',
    ],
  ];
  for (const [what, verdicts, reason] of refused) {
    test(`is refused for ${what}`, () => {
      const outcome = permitFrom(verdicts);
      assert.ok(outcome instanceof Refusal);
      assert.equal(outcome.reason, reason);
    });
  }

  test('observing only, a refusal by policy is a permit that says so, and no other refusal is', () => {
    const observed = permitFrom([verdict({ forbids: ['f'] })], 'unsafeObserveOnly');
    assert.ok(!(observed instanceof Refusal));
    assert.equal(observed.observed?.reason, 'policy_forbidden');
    assert.ok(permitFrom([], 'unsafeObserveOnly') instanceof Refusal);
  });
});

suite('a snapshot', () => {
  const files: Files = { 'a.cedar': permitAll };

  test('has the revision of what it was made of', () => {
    const revision = (...args: Parameters<typeof loaded>) => loaded(...args).snapshot.revision;
    const first = revision(files);
    assert.match(first, /^sha256:[0-9a-f]{64}$/);
    assert.equal(revision(files), first);
    const { schema } = sourcesOf(files);
    const others = [
      revision({ 'b.cedar': permitAll }),
      revision({ 'a.cedar': permitAll.replace('all', 'each') }),
      revision(files, { settings: { ...settings, headers: [] } }),
      revision(files, { settings: { ...settings, trustDomains: ['prod.example'] } }),
      revision(files, { settings: { ...settings, ownTrustDomains: ['prod.example', 'partner.example'] } }),
      revision(files, { settings: { ...settings, allowWarnings: true } }),
      revision(files, { schema: { ...schema, text: `${schema.text}\n` } }),
      revision({ ...files, 'x.cedarschema': 'namespace X {}' }),
      revision(files, {
        guardrails: [
          {
            file: 'guardrails/g.cedar',
            text: policy('g', 'forbid (principal, action, resource) when { principal.relay }'),
          },
        ],
      }),
    ];
    assert.equal(new Set([first, ...others]).size, others.length + 1);
  });
});

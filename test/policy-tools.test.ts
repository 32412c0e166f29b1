import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { removeFolder, temporaryFolder } from './support/folder.ts';
import { copyExample, policyCli, writeFiles } from './support/policy-cli.ts';

const folders: string[] = [];
after(() => folders.forEach(removeFolder));

/** A new folder with the example estate and further files; the path of its policies. */
function estate(files: Readonly<Record<string, string>> = {}): { readonly root: string; readonly policies: string } {
  const root = temporaryFolder();
  folders.push(root);
  copyExample(root, files);
  return { root, policies: join(root, 'policies') };
}

const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const ERP = 'spiffe://prod.example/legacy/erp';
const INVOICE = 'GET payments.internal/api/invoices/42';
const policy = (id: string, text: string): string => `@id("${id}")\n${text};\n`;

suite('policy check', () => {
  test('a good folder is good, and what the estate leaves unused is noted', async () => {
    const { policies } = estate({
      'policies/more.cedar':
        policy(
          'posts-status',
          'permit (principal, action == Mesh::Action::"POST", resource in Mesh::Api::"payments.internal/status")',
        ) +
        policy(
          'legacy-agents',
          'permit (principal in Mesh::Group::"finance-agents", action, resource) when { principal.kind == Mesh::Kind::"legacy" }',
        ) +
        policy('by-context', 'permit (principal, action, resource) when { context has risk && context.risk > 99 }') +
        policy(
          'by-parameter',
          'permit (principal, action, resource) when { resource.hasTag("param.invoice") && resource.getTag("param.invoice") == "7" }',
        ) +
        policy('in-shadow', '@mode("shadow") forbid (principal, action, resource) when { principal.relay }'),
    });
    const { code, stdout, stderr } = await policyCli('check', policies);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const file = join(policies, 'more.cedar');
    assert.deepEqual(stdout.split('\n').slice(0, 3), [
      `${file}:9:1: note: in-shadow is a forbid in shadow: it stops nothing yet`,
      `${file}:1:1: note: posts-status can never apply: nothing of the inventory takes such a request`,
      `${file}:3:1: note: legacy-agents can never apply: it is about no workload of the inventory`,
    ]);
    assert.match(
      stdout,
      /\ngood: 20 policies, 1 of them in shadow, 14 guardrails, \d+ tests; revision sha256:[0-9a-f]{12}\n$/,
    );
  });

  test('workloads that nothing is permitted are listed, and no other', async () => {
    const { policies } = estate({
      'policies/everyone.cedar': policy(
        'everyone-reads-status',
        'permit (principal in Mesh::Team::"payments", action in Mesh::Action::"read", resource in Mesh::Api::"payments.internal/status")',
      ),
      'policies/platform.cedar': policy(
        'month-end-reads-rates',
        'permit (principal == Mesh::Workload::"spiffe://prod.example/ns/batch/sa/unlisted", action, resource in Mesh::Api::"rates.partner.example/rates")',
      ),
      'policies/tests/payments.yaml': oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: deny'),
      'policies/tests/outside.yaml': oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: deny'),
      'policies/teams/support/crm.cedar': policy(
        'nothing',
        'forbid (principal, action, resource in Mesh::Team::"support") when { principal.relay }',
      ),
      'policies/tests/crm.yaml': oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: deny'),
    });
    const { stdout, stderr } = await policyCli('check', policies);
    assert.equal(stderr, '');
    const unpermitted = [...stdout.matchAll(/note: nothing permits anything to (\S+)/g)].map(([, id]) => id);
    // ns/batch is an entry for many: one of them has a permit.
    assert.deepEqual(unpermitted, [
      'spiffe://prod.example/ns/agents/sa/triage-agent',
      'spiffe://prod.example/ns/platform/sa/tool-server',
    ]);
  });

  test('a fault stands at its place, by the path of the command line', async () => {
    const { policies } = estate({
      'policies/bad.cedar': '\n  @id("bad") permit (principal, action, resource) when { 1 = 1 };',
    });
    const { code, stderr } = await policyCli('check', policies);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `${join(policies, 'bad.cedar')}:2:60: '=' is not an operator in Cedar; try using '==' instead\n`,
    );
  });

  test('a fault of the inventory stands in its file', async () => {
    const { root, policies } = estate();
    const file = join(root, 'other.yaml');
    writeFiles(root, {
      'other.yaml': readFileSync(join(root, 'inventory.yaml'), 'utf8').replace('kind: service', 'kind: servant'),
    });
    const { code, stderr } = await policyCli('check', policies, '--inventory', file, '--ours', 'prod.example');
    assert.equal(code, 1);
    assert.ok(stderr.startsWith(`${file}:`), stderr);
  });

  test('a test that fails is a fault of the folder', async () => {
    const { policies } = estate({
      'policies/tests/more.yaml': oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: allow'),
    });
    const { code, stderr } = await policyCli('check', policies);
    assert.equal(code, 1);
    assert.match(stderr, /tests\/more\.yaml:2:5: a case: expected allow, got deny \(policy_forbidden\) by proof-rises/);
  });

  test('trust domains that could be ours or not are asked for, not guessed', async () => {
    const { root, policies } = estate();
    const inventory = readFileSync(join(root, 'inventory.yaml'), 'utf8').replace(
      'workloads:\n',
      'workloads:\n  - { id: spiffe://partner.example/shop, owner: platform, kind: service, relay: false }\n',
    );
    writeFiles(root, { 'inventory.yaml': inventory });
    const asked = await policyCli('check', policies);
    assert.equal(asked.code, 64);
    assert.match(asked.stderr, /^the inventory lists workloads of partner\.example, prod\.example; say which are ours/);
    assert.equal((await policyCli('check', policies, '--ours', 'prod.example')).code, 0);
  });

  test('the configuration states headers, trust domains and where the folder is', async () => {
    const { root } = estate({
      'policies/header.cedar': policy(
        'by-header',
        'forbid (principal, action, resource) when { context.headers.hasTag("x-data-class") }',
      ),
      'config.yaml': `identity: { trustDomains: { prod.example: { ours: true, bundle: { file: ./bundle.json } } } }
policy: { headers: [{ name: x-data-class }], guardrails: { disable: [{ id: legacy-stops-at-a-signal, because: a test, until: 2999-01-01 }] } }
`,
    });
    const unknown = await policyCli('check', join(root, 'policies'));
    assert.match(unknown.stderr, /header\.cedar:2:\d+: the config lets no text header 'x-data-class' through/);
    const { code, stdout } = await policyCli('check', '--config', join(root, 'config.yaml'));
    assert.equal(code, 0);
    assert.match(stdout, / 13 guardrails, /);
  });

  for (const [what, args] of [
    ['without a folder', []],
    ['with an option that is none', ['policies', '--strict']],
    ['with two folders', ['policies', 'more']],
    ['with trust domains beside a configuration', ['policies', '--config', '/nowhere/config.yaml', '--ours', 'a']],
    ['with a configuration that is not there', ['policies', '--config', '/nowhere/config.yaml']],
  ] as const) {
    test(`${what} it is misused`, async () => {
      assert.equal((await policyCli('check', ...args)).code, 64);
    });
  }

  test('what came from a file moves no cursor of a terminal', async () => {
    const { policies } = estate({
      'policies/tests/more.yaml': oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: allow').replace(
        'a case',
        '"\\e[2J\\u202edoog"',
      ),
    });
    const { stderr } = await policyCli('check', policies);
    assert.match(stderr, /more\.yaml:2:5: \\u\{1b\}\[2J\\u\{202e\}doog: expected allow/);
  });

  test('a verb that is none is misused, and help is none', async () => {
    assert.equal((await policyCli('chekc')).code, 64);
    const { code, stdout } = await policyCli('reach', '--help');
    assert.equal(code, 0);
    assert.match(stdout, /^policy reach WORKLOAD/);
  });
});

function oneCase(...lines: readonly string[]): string {
  return ['cases:', '  - name: a case', ...lines.map((line) => `    ${line}`), ''].join('\n');
}

suite('policy test', () => {
  const wrong = `# What holds for the agent.
given:
  caller: ${AGENT}
cases:
  - name: an invoice in a task
    request: ${INVOICE} # one of ours
    task: { purpose: finance }
    expect: deny
    by:
      - somebody
      - somebody-else
    reason: policy_forbidden

  - { name: an invoice without one, request: ${INVOICE}, expect: allow, by: [] }
  - name: the status
    by:
      - nobody
    request: GET payments.internal/api/status
    expect: allow
`;
  const right = `# What holds for the agent.
given:
  caller: ${AGENT}
cases:
  - name: an invoice in a task
    request: ${INVOICE} # one of ours
    task: { purpose: finance }
    expect: allow
    by:
      [finance-agents-read-invoices]

  - { name: an invoice without one, request: ${INVOICE}, expect: deny, reason: policy_forbidden, by: [proof-rises-with-sensitivity] }
  - name: the status
    by:
      [everyone-reads-status]
    request: GET payments.internal/api/status
    expect: allow
`;

  test('differences stand at their cases, key by key; --update writes what came, and nothing else', async () => {
    const { policies } = estate({ 'policies/tests/more.yaml': wrong });
    const file = join(policies, 'tests/more.yaml');
    const before = await policyCli('test', policies);
    assert.equal(before.code, 1);
    assert.equal(
      before.stdout,
      `${file}:5:5: an invoice in a task
  - expect: deny
  + expect: allow
  - by: [somebody, somebody-else]
  + by: [finance-agents-read-invoices]
  - reason: policy_forbidden
  + reason: none
${file}:14:5: an invoice without one
  - expect: allow
  + expect: deny
  - by: []
  + by: [proof-rises-with-sensitivity]
  - reason: none
  + reason: policy_forbidden
    forbidden by proof-rises-with-sensitivity
${file}:15:5: the status
  - by: [nobody]
  + by: [everyone-reads-status]
${before.stdout.trimEnd().split('\n').at(-1)}
`,
    );
    assert.match(before.stdout, /\n\d+ passed, 3 failed\n$/);
    const updated = await policyCli('test', policies, '--update');
    assert.match(updated.stdout, /more\.yaml: 3 updated\n/);
    assert.equal(readFileSync(file, 'utf8'), right);
    const again = await policyCli('test', policies);
    assert.equal(again.code, 0);
    assert.match(again.stdout, /^\d+ passed, 0 failed\n$/);
  });

  test('cases that cannot be read are faults, and are not updated', async () => {
    const { policies } = estate({ 'policies/tests/more.yaml': wrong.replace('purpose: finance', 'purpose: finanse') });
    const { code, stderr } = await policyCli('test', policies, '--update');
    assert.equal(code, 1);
    assert.match(stderr, /more\.yaml:5:5: an invoice in a task: no purpose is called 'finanse'/);
  });

  test('a folder without a case is no success', async () => {
    const root = temporaryFolder();
    folders.push(root);
    copyExample(root);
    for (const name of ['payments', 'outside', 'crm']) removeFolder(join(root, 'policies/tests', `${name}.yaml`));
    assert.equal((await policyCli('test', join(root, 'policies'))).code, 1);
  });
});

suite('policy test with cases of the Cedar CLI', () => {
  const cedar = `${Array.from({ length: 11 }, (_, i) => `permit (principal == User::"u${i}", action, resource);`).join('\n')}
@id("no-secrets") forbid (principal, action, resource) when { resource.secret };
@id("too-much") permit (principal, action, resource) when { context.amount * 9007199254740991 > 0 };`;
  const schema = `entity User; entity Photo { secret: Bool };
action view appliesTo { principal: User, resource: Photo, context: { amount: Long } };`;
  const photo = (secret: boolean) => ({ uid: { type: 'Photo', id: 'p' }, attrs: { secret }, parents: [] });
  const user = { uid: { type: 'User', id: 'u2' }, attrs: {}, parents: [] };
  const good = {
    name: 'u2 views a photo',
    request: { principal: 'User::"u2"', action: 'Action::"view"', resource: 'Photo::"p"', context: { amount: 0 } },
    entities: [user, photo(false)] as unknown,
    decision: 'allow',
    reason: ['policy2'],
    num_errors: 0,
  };

  async function run(cases: unknown, files: Readonly<Record<string, string>> = {}, withSchema = true) {
    const root = temporaryFolder();
    folders.push(root);
    const text = typeof cases === 'string' ? cases : JSON.stringify(cases);
    writeFiles(root, { 'p.cedar': cedar, 's.cedarschema': schema, 'cases.json': text, ...files });
    const more = withSchema ? ['--schema', join(root, 's.cedarschema')] : [];
    return policyCli('test', '--policies', join(root, 'p.cedar'), '--cases', join(root, 'cases.json'), ...more);
  }

  test('pass by decision, policies among the deciding ones, and errors', async () => {
    const secret = { ...good, entities: [user, photo(true)], decision: 'deny', reason: ['no-secrets'] };
    const overflow = {
      ...good,
      request: { ...good.request, context: { amount: 2000 } },
      num_errors: 1,
    };
    const { code, stdout, stderr } = await run([good, secret, overflow]);
    assert.equal(stdout + stderr, '3 passed, 0 failed\n');
    assert.equal(code, 0);
  });

  const differing: [what: string, change: object, says: RegExp][] = [
    ['another decision', { decision: 'deny', reason: [] }, /u2 views a photo: expected deny, got allow/],
    ['another policy', { reason: ['policy10'] }, /expected by policy10, got by policy2/],
    ['another number of errors', { num_errors: 1 }, /expected 1 errors, got 0/],
    ['a context that the schema does not know', { request: { ...good.request, context: {} } }, /Cedar was not asked/],
    ['no entity', { request: { ...good.request, principal: 'User::"u2" || true' } }, /is no entity; write it like/],
    ['two entities', { request: { ...good.request, principal: 'User::"u2" User::"u3"' } }, /is no entity/],
  ];
  for (const [what, change, says] of differing) {
    test(`fail by ${what}`, async () => {
      const { code, stdout } = await run([{ ...good, ...change }]);
      assert.equal(code, 1);
      assert.match(stdout, says);
    });
  }

  test('an integer that a double does not hold is refused, not rounded', async () => {
    const { code, stdout } = await run(JSON.stringify([good]).replace('"amount":0', '"amount":9223372036854775807'));
    assert.equal(code, 1);
    assert.match(stdout, /u2 views a photo: Cedar was not asked: amount is/);
  });

  test('entities stand in a file beside the cases, and in no other', async () => {
    const entities = JSON.stringify(good.entities);
    assert.equal((await run([{ ...good, entities: 'e.json' }], { 'e.json': entities })).code, 0);
    assert.equal((await run([{ ...good, entities: 'sub/e.json' }], { 'sub/e.json': entities })).code, 0);
    const outside = temporaryFolder();
    folders.push(outside);
    writeFiles(outside, { 'e.json': entities });
    const { code, stdout } = await run([{ ...good, entities: join(outside, 'e.json') }]);
    assert.equal(code, 1);
    assert.match(stdout, /the entities are no list/);
  });

  test('a file that is none, or holds no case, fails', async () => {
    for (const text of ['[', '[]', '{}', JSON.stringify([{ ...good, decision: 'maybe' }])]) {
      const { code, stdout } = await run(text);
      assert.equal(code, 1);
      assert.match(stdout, /cases\.json: cannot be read/);
    }
  });

  test('with a schema the policies must be valid by it', async () => {
    const files = { 'p.cedar': `${cedar}\npermit (principal, action, resource) when { context.amuont > 0 };` };
    assert.equal((await run([good], files, false)).code, 1);
    const { code, stderr } = await run([good], files);
    assert.equal(code, 1);
    assert.match(stderr, /amuont/);
  });

  test('are judged by the policies of a folder with its guardrails', async () => {
    const id = 'spiffe://prod.example/ns/agents/sa/billing-agent';
    const { root, policies } = estate();
    const uid = (type: string, name: string) => ({ type: `Mesh::${type}`, id: name });
    const ref = (type: string, name: string) => ({ __entity: uid(type, name) });
    const entities = [
      {
        uid: uid('Workload', id),
        attrs: {
          trustDomain: ref('TrustDomain', 'prod.example'),
          kind: ref('Kind', 'agent'),
          external: false,
          relay: false,
          owner: ref('Team', 'payments'),
        },
        parents: [],
        tags: {},
      },
      {
        uid: uid('Endpoint', 'payments.internal/x'),
        attrs: { host: 'payments.internal', path: '/x', sensitivity: 2, external: false, scopes: [] },
        parents: [],
        tags: {},
      },
    ];
    const context = {
      now: '2026-11-25T10:00:00Z',
      credential: ref('Credential', 'x509-svid'),
      role: ref('Role', 'caller'),
      chain: {
        depth: 1,
        originator: ref('Workload', id),
        actors: [ref('Workload', id)],
        trustDomains: [ref('TrustDomain', 'prod.example')],
        external: false,
      },
      headers: ref('Headers', 'h'),
      numbers: ref('Numbers', 'n'),
      approvals: [],
      signals: [],
    };
    const request = {
      principal: `Mesh::Workload::"${id}"`,
      action: 'Mesh::Action::"GET"',
      resource: 'Mesh::Endpoint::"payments.internal/x"',
      context,
    };
    const one = { request, entities, decision: 'deny', reason: ['proof-rises-with-sensitivity'], num_errors: 0 };
    writeFiles(root, { 'cases.json': JSON.stringify([one]) });
    const { code, stdout, stderr } = await policyCli('test', policies, '--cases', join(root, 'cases.json'));
    assert.equal(stderr, '');
    assert.match(stdout, /^\d+ passed, 0 failed\n$/);
    assert.equal(code, 0);
  });
});

suite('policy explain', () => {
  test('names the part of a condition that failed, and what it read', async () => {
    const { policies } = estate();
    const { code, stdout } = await policyCli(
      'explain',
      policies,
      '--caller',
      AGENT,
      '--request',
      INVOICE,
      '--task',
      'finance',
      '--assurance',
      '1',
    );
    assert.equal(code, 0);
    const lines = stdout.split('\n').map((line) => line.trim());
    const at = lines.indexOf('unless fails at: context.task.assurance >= resource.sensitivity');
    assert.deepEqual(lines.slice(at + 1, at + 3), ['context.task.assurance is 1', 'resource.sensitivity is 2']);
    assert.ok(
      lines.includes(`does not permit  finance-agents-read-invoices  ${join(policies, 'payments.cedar')}:19`) === false,
    );
    assert.equal(lines.at(-2), 'deny (policy_forbidden): forbidden by proof-rises-with-sensitivity');
  });

  test('--all tells of every policy why it says nothing, as data too', async () => {
    const { policies } = estate();
    const { stdout } = await policyCli('explain', policies, '--caller', ERP, '--request', INVOICE, '--all', '--json');
    const { result, reason, hops } = JSON.parse(stdout);
    assert.deepEqual([result, reason, hops.length, hops[0].policies.length], ['deny', 'policy_forbidden', 1, 29]);
    const of = (id: string) => hops[0].policies.find((one: { id: string }) => one.id === id);
    assert.deepEqual([of('ledger-keeps-payments').result, of('ledger-keeps-payments').scope], ['scope', 'principal']);
    assert.deepEqual([of('erp-reads-exports').result, of('erp-reads-exports').scope], ['scope', 'resource']);
    assert.equal(of('legacy-calls-from-its-networks').result, 'applies');
    assert.deepEqual(of('legacy-calls-from-its-networks').clauses.at(-1), {
      kind: 'unless',
      result: 'false',
      part: 'context has inNetworks',
      values: [{ path: 'context.inNetworks', value: null }],
      error: null,
    });
  });

  test('tells of a policy that cannot be evaluated, and of one in shadow', async () => {
    const { root } = estate({
      'policies/more.cedar':
        policy(
          'overflows',
          'forbid (principal, action, resource) when { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") * 9007199254740991 > 0 }',
        ) + policy('shadowed', '@mode("shadow") forbid (principal, action, resource)'),
      'config.yaml': `identity: { trustDomains: { prod.example: { ours: true, bundle: { file: ./bundle.json } } } }
policy: { headers: [{ name: x-amount, type: long }] }
`,
    });
    const { stdout } = await policyCli(
      'explain',
      '--config',
      join(root, 'config.yaml'),
      '--caller',
      AGENT,
      '--request',
      INVOICE,
      '--header',
      'x-amount=2000',
    );
    assert.match(
      stdout,
      /: error\n {2}errs {2}overflows .*\n {6}when errs at: [^\n]*\n {8}context\.numbers\.getTag\("x-amount"\) is 2000\n {8}.*overflow/,
    );
    assert.match(stdout, /\n {2}forbids in shadow {2}shadowed /);
    assert.match(stdout, /\ndeny \(policy_error\): overflows: /);
  });

  test('a request that the inventory refuses, or does not know, is said so', async () => {
    const { policies } = estate();
    const refused = await policyCli(
      'explain',
      policies,
      '--caller',
      AGENT,
      '--request',
      'PUT payments.internal/api/status',
    );
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^refused by the inventory: request_method_not_allowed/);
    const unknown = await policyCli('explain', policies, '--caller', `${AGENT}x`, '--request', INVOICE);
    assert.match(unknown.stderr, /^the inventory knows no 'spiffe:/);
    const misstated = await policyCli(
      'explain',
      policies,
      '--caller',
      AGENT,
      '--request',
      INVOICE,
      '--task',
      'finance',
      '--assurance',
      '4',
    );
    assert.equal(misstated.code, 64);
    assert.match(misstated.stderr, /^--task: /);
    assert.equal((await policyCli('explain', policies, '--caller', AGENT)).code, 1);
    assert.equal((await policyCli('explain', policies, '--audit', 'a', '--caller', AGENT)).code, 64);
  });
});

suite('policy reach', () => {
  test('lists what can be done now, what waits for a person, and nothing else', async () => {
    const { policies } = estate();
    const { stdout } = await policyCli(
      'reach',
      AGENT,
      '--in',
      policies,
      '--task',
      'issue-refunds',
      '--assurance',
      '3',
      '--scope',
      'refunds',
      '--json',
    );
    const { reached } = JSON.parse(stdout) as {
      reached: { api: string; effect: string; when: string; actions: string[]; by: string[] }[];
    };
    assert.deepEqual(
      reached.map(({ api, effect, when, actions, by }) => [api, effect, when, actions.join(' '), by.join()]),
      [
        ['payments.internal/refunds', 'write', 'approval', 'POST', 'resource-owner'],
        ['payments.internal/status', 'read', 'now', 'GET HEAD', 'everyone-reads-status'],
      ],
    );
  });

  test('what hangs on facts that were not stated may be done; once they are stated it may or may not', async () => {
    const { policies } = estate();
    const reach = async (...facts: string[]) =>
      (await policyCli('reach', ERP, '--in', policies, '--credential', 'oidc', ...facts)).stdout;
    assert.match(
      await reach(),
      /\npayments\.internal\/exports +read +internal +perhaps +GET +legacy-calls-from-its-networks may let it pass\n/,
    );
    assert.match(
      await reach('--client', '10.2.0.9'),
      /\npayments\.internal\/exports +read +internal +now +GET +erp-reads-exports\n/,
    );
    assert.doesNotMatch(await reach('--client', '10.3.0.9'), /exports/);
  });

  test('an api that lies below a path that a policy names is reached', async () => {
    const { policies } = estate({
      'policies/more.cedar': policy(
        'ticket-7',
        'permit (principal == Mesh::Workload::"spiffe://prod.example/ns/support/sa/reader", action, resource in Mesh::Path::"crm.internal/tickets/7")',
      ),
    });
    const { stdout } = await policyCli('reach', 'spiffe://prod.example/ns/support/sa/reader', '--in', policies);
    assert.match(stdout, /crm\.internal\/replies +write +internal +now +POST .*ticket-7\n/);
  });

  test('through others, every one of them must be permitted', async () => {
    const { policies } = estate();
    const server = 'spiffe://prod.example/ns/platform/sa/tool-server';
    const triage = 'spiffe://prod.example/ns/agents/sa/triage-agent';
    const reach = async (...facts: string[]) =>
      (await policyCli('reach', server, '--in', policies, '--task', 'answer-tickets', '--assurance', '3', ...facts))
        .stdout;
    assert.match(await reach('--through', triage), /crm\.internal\/replies +write +internal +now +POST/);
    assert.doesNotMatch(await reach('--through', 'spiffe://prod.example/ns/support/sa/reader'), /replies/);
  });
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { AGENT, estateCopy, INVOICE, policy, policyCli, removeFolders } from './support/policy-cli.ts';

after(removeFolders);

const ORCHESTRATOR = 'spiffe://prod.example/ns/agents/sa/orchestrator';
const ERP = 'spiffe://prod.example/legacy/erp';

suite('policy explain', () => {
  test('names the part of a condition that failed, and what it read', async () => {
    const { policies } = estateCopy();
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
    const { policies } = estateCopy();
    const { stdout } = await policyCli('explain', policies, '--caller', ERP, '--request', INVOICE, '--all', '--json');
    const { result, reason, hops } = JSON.parse(stdout);
    assert.deepEqual([result, reason, hops.length, hops[0].policies.length], ['deny', 'policy_forbidden', 1, 31]);
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
    const { root } = estateCopy({
      'policies/more.cedar':
        policy(
          'overflows',
          '@allows_missing("numbers.x-amount") forbid (principal, action, resource) when { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") * 9007199254740991 > 0 }',
        ) + policy('shadowed', '@mode("shadow") forbid (principal, action, resource)'),
      'config.yaml': `identity: { trustDomains: { prod.example: { local: true, bundle: { file: ./bundle.json } } } }
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
      /: error\n {2}fails to evaluate {2}overflows .*\n {6}when fails to evaluate at: [^\n]*\n {8}context\.numbers\.getTag\("x-amount"\) is 2000\n {8}.*overflow/,
    );
    assert.match(stdout, /\n {2}forbids in shadow {2}shadowed /);
    assert.match(stdout, /\ndeny \(policy_error\): overflows: /);
  });

  test('a request that the inventory refuses, or does not know, is said so', async () => {
    const { policies } = estateCopy();
    const refused = await policyCli(
      'explain',
      policies,
      '--caller',
      AGENT,
      '--request',
      'PUT payments.internal/api/status',
    );
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^refused before policies are asked: request_method_not_allowed/);
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
    assert.match(misstated.stderr, /^--assurance: /);
    assert.equal((await policyCli('explain', policies, '--caller', AGENT)).code, 64);
    assert.equal((await policyCli('explain', policies, '--request', INVOICE)).code, 64);
    assert.equal((await policyCli('explain', policies, '--audit', 'a', '--caller', AGENT)).code, 64);
  });
});

suite('facts on the command line', () => {
  for (const [what, facts, said] of [
    ['an approval that is misspelt', ['--approval', 'resource-ownr'], /^no approval is called 'resource-ownr'; /],
    ['a signal that is misspelt', ['--signal', 'brust'], /^no signal is called 'brust'; /],
    ['a task about an api that is misspelt', ['--task', 'finance', '--about', 'payments.internal/bills'], /^no api is/],
    [
      'a parameter that is stated twice',
      ['--task', 'finance', '--about', 'payments.internal/invoices?invoice=1&invoice=2'],
      /^--about: /,
    ],
    ['what a task is about, without a task', ['--about', 'payments.internal/invoices'], /describe a --task/],
    ['a header without a value', ['--header', 'x-data-class'], /^--header x-data-class: write NAME=VALUE/],
    [
      'a header that is not let through',
      ['--header', '__proto__=x'],
      /^--header: the config lets no header '__proto__'/,
    ],
    ['an address that is none', ['--client', 'localhost'], /^--client: write one IPv4 or IPv6 address/],
    ['a fact stated twice', ['--risk', '5', '--risk', '90'], /^--risk is stated twice/],
  ] as const) {
    test(`${what} is misuse: it would be left out without a word`, async () => {
      const { policies } = estateCopy();
      const explained = await policyCli('explain', policies, '--caller', AGENT, '--request', INVOICE, ...facts);
      assert.equal(explained.code, 64);
      assert.match(explained.stderr, said);
      const reached = await policyCli('reach', AGENT, '--in', policies, ...facts);
      assert.equal(reached.code, 64);
      assert.match(reached.stderr, said);
    });
  }
});

const REFUNDING = ['--task', 'issue-refunds', '--assurance', '3'];

suite('policy reach', () => {
  test('lists what can be done now, what waits for a person, and nothing else', async () => {
    const { policies } = estateCopy();
    const { stdout } = await policyCli('reach', AGENT, '--in', policies, ...REFUNDING, '--scope', 'refunds', '--json');
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
    const { policies } = estateCopy();
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

  test('a task for one thing reaches that thing, and public data', async () => {
    const { policies } = estateCopy();
    const rows = async (...facts: string[]) => {
      const { stdout } = await policyCli(
        'reach',
        AGENT,
        '--in',
        policies,
        '--task',
        'reconcile-invoices',
        ...facts,
        '--json',
      );
      const { reached } = JSON.parse(stdout) as { reached: { api: string; when: string; by: string[] }[] };
      return reached.map(({ api, when, by }) => `${api} ${when} ${by.join()}`);
    };
    const status = 'payments.internal/status now everyone-reads-status';
    const invoices = 'payments.internal/invoices now finance-agents-read-invoices';
    assert.ok((await rows()).some((row) => row.startsWith('payments.internal/search')));
    assert.deepEqual(await rows('--about', 'payments.internal/invoices?invoice=42'), [invoices, status]);
    assert.deepEqual(await rows('--about', 'payments.internal/invoices'), [invoices, status]);
    assert.deepEqual(await rows('--about', 'payments.internal/refunds'), [status]);
    assert.deepEqual(await rows('--about', 'payments.internal/invoices?id=42'), [status]);
  });

  test('an api that lies below a path that a policy names is reached', async () => {
    const { policies } = estateCopy({
      'policies/more.cedar': policy(
        'ticket-7',
        'permit (principal == Mesh::Workload::"spiffe://prod.example/ns/support/sa/reader", action, resource in Mesh::Path::"crm.internal/tickets/7")',
      ),
    });
    const { stdout } = await policyCli('reach', 'spiffe://prod.example/ns/support/sa/reader', '--in', policies);
    assert.match(stdout, /crm\.internal\/replies +write +internal +now +POST .*ticket-7\n/);
  });

  test('what a person could lift is approval only where nothing else is open', async () => {
    const { policies } = estateCopy({
      'policies/more.cedar': policy(
        'from-the-office',
        `permit (principal == Mesh::Workload::"${ORCHESTRATOR}", action == Mesh::Action::"POST", resource in Mesh::Api::"payments.internal/refunds") when { context has client && context.client.isInRange(ip("10.0.0.0/8")) }`,
      ),
    });
    const reach = async (...facts: string[]) =>
      (await policyCli('reach', ORCHESTRATOR, '--in', policies, ...REFUNDING, ...facts)).stdout;
    assert.match(await reach(), /refunds +write .* perhaps +POST +restricted-writes-need-a-person may let it pass\n/);
    assert.match(
      await reach('--client', '10.0.0.9'),
      /refunds +write .* approval +POST +needs the approval resource-owner\n/,
    );
    assert.doesNotMatch(await reach('--client', '192.0.2.1'), /refunds/);
  });

  test('what a policy reads by a detour is as open as what it reads straight', async () => {
    const { policies } = estateCopy({
      'policies/more.cedar': policy(
        'detour',
        `permit (principal == Mesh::Workload::"${AGENT}", action, resource in Mesh::Host::"payments.internal") when { context has task && (if principal.relay then resource else resource).path like "/api/invoices/7*" }`,
      ),
    });
    const { stdout } = await policyCli('reach', AGENT, '--in', policies, '--task', 'reconcile-invoices');
    assert.match(
      stdout,
      /invoices +write .* perhaps +POST PUT PATCH DELETE CONNECT +permits ask for facts that are not stated\n/,
    );
  });

  test('a task, a chain and a credential that are not stated may be any', async () => {
    const { policies } = estateCopy({
      'policies/more.cedar': policy(
        'token-reads-exports',
        `permit (principal == Mesh::Workload::"${AGENT}", action == Mesh::Action::"GET", resource in Mesh::Api::"payments.internal/exports") when { context has task && context.credential == Mesh::Credential::"jwt-svid" && context.chain.depth > 1 }`,
      ),
    });
    const reach = async (...facts: string[]) => (await policyCli('reach', AGENT, '--in', policies, ...facts)).stdout;
    assert.match(await reach(), /invoices +read +confidential +perhaps /);
    assert.match(await reach(), /exports +read +internal +perhaps +GET /);
    assert.doesNotMatch(await reach('--no-task'), /invoices|exports/);
    assert.doesNotMatch(await reach('--direct'), /exports/);
    assert.doesNotMatch(await reach('--credential', 'x509-svid'), /exports/);
    for (const facts of [
      ['--no-task', '--task', 'reconcile-invoices'],
      ['--direct', '--through', AGENT],
    ])
      assert.equal((await policyCli('reach', AGENT, '--in', policies, ...facts)).code, 64);
  });

  test('through others, every one of them must be permitted', async () => {
    const { policies } = estateCopy();
    const server = 'spiffe://prod.example/ns/platform/sa/tool-server';
    const triage = 'spiffe://prod.example/ns/agents/sa/triage-agent';
    const reach = async (...facts: string[]) =>
      (await policyCli('reach', server, '--in', policies, '--task', 'answer-tickets', '--assurance', '3', ...facts))
        .stdout;
    assert.match(await reach('--through', triage), /crm\.internal\/replies +write +internal +now +POST/);
    assert.doesNotMatch(await reach('--through', 'spiffe://prod.example/ns/support/sa/reader'), /replies/);
  });
});

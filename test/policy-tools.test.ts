import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import {
  AGENT,
  estateCopy,
  INVOICE,
  oneCase,
  policy,
  policyCli,
  removeFolders,
  writeFiles,
} from './support/policy-cli.ts';
import { finish } from './support/run.ts';

after(removeFolders);

suite('policy check', () => {
  test('a good folder is good, and what the estate leaves unused is noted', async () => {
    const { policies } = estateCopy({
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
      /\ngood: 20 policies, 1 of them in shadow, 10 control policies, 19 guardrails, \d+ tests; revision sha256:[0-9a-f]{12}\n$/,
    );
  });

  test('workloads that nothing is permitted are listed, and no other', async () => {
    const { policies } = estateCopy({
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
      // Of control policies, only those that permit nothing to agents.
      'policies/control/tasks.cedar': policy(
        'operator-ends-tasks',
        'permit (principal == Control::Workload::"spiffe://prod.example/ns/platform/sa/operator", action == Control::Action::"end", resource)',
      ),
      'policies/control/tests/tasks.yaml': `given: { caller: ${AGENT} }\ncases:\n  - name: an agent begins none\n    control: start workload ${AGENT}\n    purpose: reconcile-invoices\n    expect: deny\n    by: []\n`,
    });
    const { stdout, stderr } = await policyCli('check', policies);
    assert.equal(stderr, '');
    const unpermitted = [...stdout.matchAll(/note: nothing permits anything to (\S+)/g)].map(([, id]) => id);
    // ns/batch is an entry for many: one of them has a permit. Control policies permit something to operator and responder.
    assert.deepEqual(unpermitted, [
      'spiffe://prod.example/ns/agents/sa/triage-agent',
      'spiffe://prod.example/ns/platform/sa/tool-server',
    ]);
  });

  test('a fault stands at its place, by the path of the command line', async () => {
    const { policies } = estateCopy({
      'policies/bad.cedar': '\n  @id("bad") permit (principal, action, resource) when { 1 = 1 };',
    });
    const { code, stderr } = await policyCli('check', policies);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `${join(policies, 'bad.cedar')}:2:60: '=' is not an operator in Cedar; try using '==' instead\n`,
    );
  });

  test('own files are told from those of the product by their path, whatever they are called', async () => {
    const { policies } = estateCopy({
      'policies/guardrails/own.cedar': policy('mine', 'permit (principal, action == Mesh::Action::"reads", resource)'),
    });
    assert.match((await policyCli('check', policies)).stderr, /^\/.*\/policies\/guardrails\/own\.cedar:2:/m);
    const other = estateCopy({ 'policies/schema.cedarschema': 'namespace Mesh { entity Mine; }\n' });
    assert.match((await policyCli('check', other.policies)).stderr, /^\/.*\/policies\/schema\.cedarschema:1:1: /m);
  });

  test('a folder that is not there is named as it was written, and . has its inventory above it', async () => {
    const { policies } = estateCopy();
    const main = join(import.meta.dirname, '..', 'src', 'main.ts');
    const run = (folder: string) =>
      finish(process.execPath, [main, 'policy', 'check', folder], { cwd: policies, env: process.env });
    const [here, nowhere] = [await run('.'), await run('nowhere')];
    assert.match(here.stdout, /^good: /m);
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.stderr, /^nowhere: cannot be read \(ENOENT\)/m);
  });

  test('a fault of the inventory stands in its file', async () => {
    const { root, policies } = estateCopy();
    const file = join(root, 'other.yaml');
    writeFiles(root, {
      'other.yaml': readFileSync(join(root, 'inventory.yaml'), 'utf8').replace('kind: service', 'kind: servant'),
    });
    const { code, stderr } = await policyCli('check', policies, '--inventory', file, '--local', 'prod.example');
    assert.equal(code, 1);
    assert.ok(stderr.startsWith(`${file}:`), stderr);
  });

  test('a test that fails is a fault of the folder', async () => {
    const { policies } = estateCopy({
      'policies/tests/more.yaml': oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: allow'),
    });
    const { code, stderr } = await policyCli('check', policies);
    assert.equal(code, 1);
    assert.match(stderr, /tests\/more\.yaml:2:5: a case: expected allow, got deny \(policy_forbidden\) by proof-rises/);
  });

  test('trust domains that could be ours or not are asked for, not guessed', async () => {
    const { root, policies } = estateCopy();
    const inventory = readFileSync(join(root, 'inventory.yaml'), 'utf8').replace(
      'workloads:\n',
      'workloads:\n  - { id: spiffe://partner.example/shop, owner: platform, kind: service, relay: false }\n',
    );
    writeFiles(root, { 'inventory.yaml': inventory });
    const asked = await policyCli('check', policies);
    assert.equal(asked.code, 64);
    assert.match(
      asked.stderr,
      /^the inventory lists workloads of partner\.example, prod\.example; name the local ones/,
    );
    assert.equal((await policyCli('check', policies, '--local', 'prod.example')).code, 0);
  });

  test('the configuration states headers, trust domains and where the folder is', async () => {
    const { root } = estateCopy({
      'policies/header.cedar': policy(
        'by-header',
        '@allows_missing("headers.x-data-class") forbid (principal, action, resource) when { context.headers.hasTag("x-data-class") }',
      ),
      'config.yaml': `identity: { trustDomains: { prod.example: { local: true, bundle: { file: ./bundle.json } } } }
policy: { headers: [{ name: x-data-class }], guardrails: { disable: [{ id: legacy-stops-at-a-signal, because: a test, until: 2999-01-01 }] } }
`,
    });
    const unknown = await policyCli('check', join(root, 'policies'));
    assert.match(unknown.stderr, /header\.cedar:2:\d+: the config lets no text header 'x-data-class' through/);
    const { code, stdout } = await policyCli('check', '--config', join(root, 'config.yaml'));
    assert.equal(code, 0);
    assert.match(stdout, / 18 guardrails, /);
  });

  test('the option --ours is refused with the one that took its place', async () => {
    for (const old of [['--ours', 'a'], ['--ours=a']]) {
      const { code, stderr } = await policyCli('check', 'policies', ...old);
      assert.deepEqual([code, stderr.split('\n')[0]], [64, '--ours was renamed; write --local']);
    }
  });

  for (const [what, args] of [
    ['without a folder', []],
    ['with an option that is none', ['policies', '--strict']],
    ['with two folders', ['policies', 'more']],
    ['with trust domains beside a configuration', ['policies', '--config', '/nowhere/config.yaml', '--local', 'a']],
  ] as const) {
    test(`${what} it is misused`, async () => {
      assert.equal((await policyCli('check', ...args)).code, 64);
    });
  }

  test('a configuration that is not there cannot be read', async () => {
    assert.equal((await policyCli('check', 'policies', '--config', '/nowhere/config.yaml')).code, 2);
  });

  test('what came from a file moves no cursor of a terminal', async () => {
    const { policies } = estateCopy({
      'policies/tests/more.yaml': oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: allow').replace(
        'a case',
        '"\\e[2J\\u202edoog"',
      ),
    });
    const { stderr } = await policyCli('check', policies);
    assert.match(stderr, /more\.yaml:2:5: \\u\{1b\}\[2J\\u\{202e\}doog: expected allow/);
  });

  test('whoever stops reading gets no stack trace, and the exit code is that of the command', async () => {
    const { policies } = estateCopy();
    const main = join(import.meta.dirname, '..', 'src', 'main.ts');
    const { code, stderr } = await finish('/bin/sh', [
      '-c',
      `{ '${process.execPath}' '${main}' policy check ${policies}; echo "ended with $?" >&2; } | true`,
    ]);
    assert.deepEqual([code, stderr], [0, 'ended with 0\n']);
  });

  test('a verb that is none is misused, and help is none', async () => {
    assert.equal((await policyCli('chekc')).code, 64);
    const { code, stdout } = await policyCli('reach', '--help');
    assert.equal(code, 0);
    assert.match(stdout, /^policy reach WORKLOAD/);
  });
});

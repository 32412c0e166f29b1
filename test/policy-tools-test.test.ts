import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { copyExample } from './support/estate.ts';
import { removeFolder } from './support/folder.ts';
import {
  AGENT,
  estateCopy,
  INVOICE,
  newFolder,
  oneCase,
  policyCli,
  removeFolders,
  writeFiles,
} from './support/policy-cli.ts';

after(removeFolders);

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
    const { policies } = estateCopy({ 'policies/tests/more.yaml': wrong });
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
    const { policies } = estateCopy({
      'policies/tests/more.yaml': wrong.replace('purpose: finance', 'purpose: finanse'),
    });
    const { code, stderr } = await policyCli('test', policies, '--update');
    assert.equal(code, 1);
    assert.match(stderr, /more\.yaml:5:5: an invoice in a task: no purpose is called 'finanse'/);
  });

  for (const [fact, name] of [
    ['approvals: [resource-ownr]', "no approval is called 'resource-ownr'"],
    ['signals: [brust]', "no signal is called 'brust'"],
  ] as const) {
    test(`a name that is misspelt proves nothing: ${fact}`, async () => {
      const text = oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, fact, 'expect: deny');
      const { policies } = estateCopy({ 'policies/tests/more.yaml': text });
      const { code, stderr } = await policyCli('test', policies);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`more\\.yaml:2:5: a case: ${name}; list it in the inventory, or correct it`));
    });
  }

  test('only what a case states is told as a difference', async () => {
    const text = oneCase(`caller: ${AGENT}`, `request: ${INVOICE}`, 'expect: deny', 'by: [nobody]');
    const { policies } = estateCopy({ 'policies/tests/more.yaml': text });
    const { stdout } = await policyCli('test', policies);
    assert.match(
      stdout,
      /a case\n {2}- by: \[nobody\]\n {2}\+ by: \[proof-rises-with-sensitivity\]\n {4}forbidden by /,
    );
  });

  for (const text of ['', '# later\n\n  # more\n']) {
    test(`a file without cases is told as what it is: ${JSON.stringify(text)}`, async () => {
      const { policies } = estateCopy({ 'policies/tests/more.yaml': text });
      const { stderr } = await policyCli('check', policies);
      assert.match(stderr, /more\.yaml:1:1: the file is empty; write a list of cases, or remove it\n/);
    });
  }

  test('a folder without a case is no success', async () => {
    const root = newFolder();
    copyExample(root);
    for (const folder of ['tests', 'control/tests']) removeFolder(join(root, 'policies', folder));
    assert.equal((await policyCli('test', join(root, 'policies'))).code, 1);
  });
});

suite('policy test with cases of the Cedar CLI', () => {
  const id = 'spiffe://prod.example/ns/agents/sa/billing-agent';
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
    touched: { sensitivity: 0, apis: [] },
    approvals: [],
    signals: [],
  };
  const request = {
    principal: `Mesh::Workload::"${id}"`,
    action: 'Mesh::Action::"GET"',
    resource: 'Mesh::Endpoint::"payments.internal/x"',
    context,
  };
  const good = { request, entities, decision: 'deny', reason: ['proof-rises-with-sensitivity'], num_errors: 0 };

  async function run(text: string, files: Readonly<Record<string, string>> = {}) {
    const { root, policies } = estateCopy({ 'cases.json': text, ...files });
    return policyCli('test', policies, '--cases', join(root, 'cases.json'));
  }

  test('are judged by the policies of a folder with its guardrails', async () => {
    const { code, stdout, stderr } = await run(JSON.stringify([good]));
    assert.equal(stderr, '');
    assert.match(stdout, /^\d+ passed, 0 failed\n$/);
    assert.equal(code, 0);
  });

  test('stand with their difference where they come out otherwise', async () => {
    const { code, stdout } = await run(JSON.stringify([{ ...good, name: 'a reading', decision: 'allow' }]));
    assert.match(stdout, /cases\.json: a reading: expected allow, got deny\n\d+ passed, 1 failed\n$/);
    assert.equal(code, 1);
  });

  test('entities stand in a file beside the cases, and in no other', async () => {
    const text = JSON.stringify(entities);
    const from = (file: string) => JSON.stringify([{ ...good, entities: file }]);
    assert.equal((await run(from('e.json'), { 'e.json': text })).code, 0);
    assert.equal((await run(from('sub/e.json'), { 'sub/e.json': text })).code, 0);
    const outside = newFolder();
    writeFiles(outside, { 'e.json': text });
    const { code, stdout } = await run(from(join(outside, 'e.json')));
    assert.equal(code, 1);
    assert.match(stdout, /the entities are no list/);
  });

  test('a file that is none, or holds no case, fails', async () => {
    for (const text of ['[', '[]', '{}', JSON.stringify([{ ...good, decision: 'maybe' }])]) {
      const { code, stdout } = await run(text);
      assert.equal(code, 1);
      assert.match(stdout, /cases\.json: cannot be read/);
    }
    const { policies } = estateCopy();
    const { code, stdout } = await policyCli('test', policies, '--cases', join(policies, 'absent.json'));
    assert.equal(code, 1);
    assert.match(stdout, /absent\.json: cannot be read: ENOENT/);
  });
});

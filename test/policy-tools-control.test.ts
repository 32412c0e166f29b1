import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { removeFolder } from './support/folder.ts';
import { AGENT, estateCopy, INVOICE, oneCase, policy, policyCli, removeFolders } from './support/policy-cli.ts';

after(removeFolders);

const RESPONDER = 'spiffe://prod.example/ns/security/sa/responder';
const OPERATOR = 'spiffe://prod.example/ns/platform/sa/operator';

suite('policy explain --control', () => {
  const explain = (policies: string, caller: string, control: string, ...more: readonly string[]) =>
    policyCli('explain', policies, '--caller', caller, '--control', control, ...more);

  test('names what decided, and what it read', async () => {
    const { policies } = estateCopy();
    const { code, stdout } = await explain(policies, RESPONDER, 'revoke team payments', '--seconds', '86401');
    assert.equal(code, 0);
    const file = join(policies, 'control/incidents.cedar');
    assert.deepEqual(stdout.split('\n'), [
      'revoke team payments',
      '',
      `caller ${RESPONDER} (svid): deny`,
      `  forbids  responder-revokes-for-a-day  ${file}:19`,
      '      when holds: context.seconds > 86400',
      '        context.seconds is 86401',
      `  permits  responder-views-and-revokes  ${file}:11`,
      '  11 other policies do not apply (--all shows why)',
      '',
      'deny: forbidden by responder-revokes-for-a-day',
      '',
    ]);
  });

  test('--all tells of every control policy, and of no other, as data too', async () => {
    const { policies } = estateCopy();
    const { stdout } = await explain(policies, OPERATOR, 'lift everything', '--all', '--json');
    const { policies: told, ...rest } = JSON.parse(stdout);
    const call = { control: 'lift everything', caller: OPERATOR, proof: 'svid' };
    assert.deepEqual(rest, { result: 'allow', detail: null, ...call });
    assert.equal(told.length, 13);
    assert.deepEqual(
      told.filter(({ result }: { result: string }) => result === 'applies').map(({ id }: { id: string }) => id),
      ['on-call-revokes-and-lifts'],
    );
  });

  test('states the proof, the time, and that an order only asks', async () => {
    const { policies } = estateCopy({
      'policies/control/hours.cedar': policy(
        'nights',
        'permit (principal, action == Control::Action::"revoke", resource) when { context.dryRun && context.now.toTime() >= duration("22h") }',
      ),
    });
    const asked = (...more: readonly string[]) =>
      explain(policies, AGENT, 'revoke everything', '--proof', 'bearer', ...more);
    const night = ['--at', '2026-11-25T22:00:00Z'];
    assert.match((await asked(...night, '--dry-run')).stdout, /\nallow\n$/);
    assert.match((await asked(...night)).stdout, /\ndeny: no control policy permits it\n$/);
    assert.match(
      (await asked('--dry-run', '--at', '2026-11-25T21:59:59Z')).stdout,
      /\ndeny: no control policy permits it\n$/,
    );
  });

  test('states what is started, within which task, and what is registered of one', async () => {
    const { policies } = estateCopy();
    const start = ['--purpose', 'reconcile-invoices', '--scope', 'invoices', '--issuer', 'https://tasks.prod.example'];
    const started = (...more: readonly string[]) =>
      explain(policies, AGENT, `start workload ${AGENT}`, ...start, ...more);
    assert.match((await started()).stdout, / {2}permits {2}finance-agents-start-their-own-tasks /);
    const stranger = '{ "workloads": ["spiffe://prod.example/ns/agents/sa/triage-agent"] }';
    assert.match(
      (await started('--parent', stranger)).stdout,
      /\ndeny: forbidden by children-only-of-ones-own-tasks\n$/,
    );
    const extended = (registered: string) =>
      explain(policies, AGENT, 'extend task https://tasks.prod.example t-1', '--registered', registered);
    const { stdout } = await extended(stranger);
    assert.match(
      stdout,
      /resource\.workloads is \[Control::Workload::"[^"]+triage-agent"\]\n +resource\.startedBy is absent/,
    );
    assert.match(stdout, /\ndeny: no control policy permits it\n$/);
    assert.match((await extended(`{ "startedBy": "${AGENT}" }`)).stdout, /\nallow\n$/);
    const { code, stderr } = await extended('nothing');
    assert.deepEqual(
      [code, stderr.split('\n')[0]],
      [64, '--registered: Invalid input: expected object, received string'],
    );
  });

  test('says that nobody may where there are no control policies', async () => {
    const { root, policies } = estateCopy({ 'bare/a.cedar': policy('a', 'permit (principal, action, resource)') });
    assert.match((await explain(policies, OPERATOR, 'view everything')).stdout, /\nallow\n$/);
    const bare = await explain(join(root, 'bare'), OPERATOR, 'view everything', '--json');
    assert.deepEqual([bare.code, bare.stderr], [0, '']);
    const { result, detail, policies: told } = JSON.parse(bare.stdout);
    assert.deepEqual([result, detail, told], ['deny', 'no control policy permits it', []]);
  });

  test('a person is stated in place of a caller: its groups decide what it may grant', async () => {
    const { policies } = estateCopy();
    const explained = async (person: object, ...more: readonly string[]) => {
      const asking = ['--asking', JSON.stringify({ caller: AGENT, host: 'payments.internal' })];
      const args = ['--person', JSON.stringify(person), '--control', 'grant approval resource-owner', ...asking];
      const { code, stdout, stderr } = await policyCli('explain', policies, ...args, ...more);
      assert.deepEqual([code, stderr], [0, '']);
      return stdout;
    };
    const approver = await explained({ groups: ['finance-approvers'], subject: 'ann' }, '--uses', '1');
    assert.match(approver, /^caller \["https:\/\/idp\.example","ann"\] \(session\): allow$/m);
    assert.match(await explained({ groups: ['others'] }), /\ndeny: no control policy permits it\n$/);
  });

  test('facts that cannot be used are a failure, and a wrong command line is misuse', async () => {
    const { policies } = estateCopy();
    const control = ['--control', 'view everything'];
    const rows: readonly (readonly [args: readonly string[], code: number, said: RegExp])[] = [
      [['--caller', OPERATOR, '--control', 'view team paiments'], 1, /^no team is called 'paiments'/],
      [
        ['--caller', OPERATOR, '--control', 'remove team payments'],
        1,
        /^'remove' is nothing that the control API does/,
      ],
      [['--caller', 'spiffe://prod.example/x', ...control], 1, /^the inventory knows no 'spiffe:\/\/prod\.example\/x'/],
      [['--caller', OPERATOR, ...control, '--proof', 'card'], 64, /^--proof: /],
      [['--caller', OPERATOR, ...control, '--seconds', 'x'], 64, /^--seconds: /],
      [['--caller', OPERATOR, ...control, '--at', 'noon'], 64, /^--at: /],
      [['--person', 'ann', ...control], 64, /^--person: /],
      [['--person', '{"mail":"ann@prod.example"}', ...control], 64, /^--person: .*mail/],
      [['--person', '{}', '--caller', OPERATOR, ...control], 1, /^a person asks by its session/],
      [['--person', '{}', '--request', INVOICE], 64, /^state --caller and --request/],
      [
        ['--caller', OPERATOR, ...control, '--task', 'finance'],
        64,
        /^--task says nothing of a call of the control API/,
      ],
      [['--caller', OPERATOR, ...control, '--upgrade'], 64, /^--upgrade says nothing of a call of the control API/],
      [['--caller', AGENT, '--request', INVOICE, '--proof', 'svid'], 64, /^--proof says nothing of a request/],
      [
        ['--caller', AGENT, '--request', INVOICE, ...control],
        64,
        /^state --caller and --request, --caller or --person and --control/,
      ],
      [control, 64, /^state --caller and --request, --caller or --person and --control/],
      [
        ['--caller', AGENT, ...control, '--decision', '1'],
        64,
        /^state --caller and --request, --caller or --person and --control/,
      ],
    ];
    for (const [args, expected, said] of rows) {
      const { code, stderr, stdout } = await policyCli('explain', policies, ...args);
      assert.deepEqual([code, stdout], [expected, ''], args.join(' '));
      assert.match(stderr, said);
    }
  });
});

suite('policy check of control policies', () => {
  test('shows a fault at the path of its file', async () => {
    const { policies } = estateCopy({
      'policies/control/more.cedar': policy(
        'more',
        'permit (principal, action, resource in Control::Team::"paiments")',
      ),
    });
    const { code, stderr } = await policyCli('check', policies);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^${join(policies, 'control/more.cedar')}:2:\\d+: no team is called 'paiments'`));
  });

  test('notes what everyone may, what every person may, and what a prefix covers', async () => {
    const job = 'spiffe://prod.example/ns/batch/sa/nightly';
    const { policies } = estateCopy({
      'policies/control/more.cedar':
        policy('open', 'permit (principal, action == Control::Action::"view", resource)') +
        policy(
          'proven',
          'permit (principal, action == Control::Action::"lift", resource) when { context.proof == Control::Proof::"svid" }',
        ) +
        policy('narrow', 'permit (principal, action, resource) when { principal in Control::Team::"security" }') +
        policy('stop', 'forbid (principal, action, resource == Control::Everything::"everything")') +
        policy('job', `permit (principal == Control::Workload::"${job}", action, resource)`) +
        policy('people', 'permit (principal is Control::Person, action, resource)'),
    });
    removeFolder(join(policies, 'control/tests'));
    const { code, stdout } = await policyCli('check', policies);
    assert.equal(code, 0);
    const notes = stdout.split('\n').filter((line) => line.includes('control/more.cedar'));
    const file = join(policies, 'control/more.cedar');
    assert.deepEqual(notes, [
      `${file}:1:1: note: open permits this to every workload of the inventory, foreign ones included, and to every person who signs in`,
      `${file}:3:1: note: proven permits this to every workload of the inventory, foreign ones included, and to every person who signs in`,
      `${file}:10:22: note: ${job} has no entry of its own: that of all below spiffe://prod.example/ns/batch holds for it, however it is spelt`,
      `${file}:11:1: note: people permits this to every person who signs in`,
    ]);
  });
});

suite('policy test of control cases', () => {
  test('--update writes what came, and no reason', async () => {
    const file = 'policies/control/tests/more.yaml';
    const { root, policies } = estateCopy({
      [file]: oneCase(
        `caller: ${RESPONDER}`,
        'control: lift everything',
        'expect: allow',
        'by: [responder-views-and-revokes]',
      ),
    });
    const before = await policyCli('test', policies);
    assert.equal(before.code, 1);
    assert.match(
      before.stdout,
      /a case\n {2}- expect: allow\n {2}\+ expect: deny\n {2}- by: \[responder-views-and-revokes\]\n {2}\+ by: \[\]\n {4}no control policy permits it\n/,
    );
    assert.equal((await policyCli('test', policies, '--update')).code, 0);
    const updated = oneCase(`caller: ${RESPONDER}`, 'control: lift everything', 'expect: deny', 'by: []');
    assert.equal(readFileSync(join(root, file), 'utf8'), updated);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { copyExample } from '../support/estate.ts';
import { newFolder, removeFolders } from '../support/policy-cli.ts';
import { Program } from '../support/process.ts';
import { finish } from '../support/run.ts';
import { until } from '../support/until.ts';

const root = join(import.meta.dirname, '..', '..');
const PAGE = join(root, 'docs', 'cli.md');
const run = (args: readonly string[]) => finish(process.execPath, [join(root, 'src', 'main.ts'), ...args]);
/** What a command line that reads no file says is the same each time. */
const answers = new Map<string, ReturnType<typeof run>>();
const cli = (args: readonly string[]) => {
  const known = answers.get(args.join(' ')) ?? run(args);
  answers.set(args.join(' '), known);
  return known;
};

after(removeFolders);

const VERBS = ['check', 'test', 'explain', 'replay', 'reach', 'prove', 'compare'].map((verb) => ['policy', verb]);
const CONTROL = ['revoke', 'lift', 'revocations', 'decisions', 'workloads', 'tasks', 'state', 'explain'].map((name) => [
  name,
]);
const BEHAVIOUR = ['show', 'export', 'forget', 'accept', 'import'].map((verb) => ['behaviour', verb]);
const TASK = ['start', 'heartbeat', 'end'].map((verb) => ['task', verb]);
const APPROVALS = ['approvals', 'approve', 'refuse', 'break-glass', 'review'].map((name) => [name]);
const COMMANDS = [
  ['serve'],
  ['check-config'],
  ['doctor'],
  ...VERBS,
  ['audit', 'verify'],
  ['audit', 'find'],
  ['key', 'new'],
  ...CONTROL,
  ...BEHAVIOUR,
  ...TASK,
  ...APPROVALS,
  ['sign-in'],
  ['sign-out'],
  ['help'],
  ['version'],
];

const HEAD = `# Commands

The program is called \`cedar-ext-authz\`; in a clone of the repository, use \`npm run authz --\` instead. Every command and
every verb takes \`--help\` (or \`-h\`) and prints its help on standard output.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | problems or differences were found, or \`audit find\` found nothing; or the sidecar could not start |
| 2 | a file could not be read: it does not exist, or has the wrong format; or the control API did not answer |
| 64 | the command line is wrong |

This page is generated from the help of the commands; \`UPDATE=1 node --test test/cli/commands.test.ts\` writes it.
`;

test('docs/cli.md is the help of all commands; UPDATE=1 writes it', async () => {
  const sections: string[] = [];
  for (const command of COMMANDS) {
    const { stdout } = await cli([...command, '--help']);
    sections.push(`## ${command.join(' ')}\n\n\`\`\`help\n${stdout.trimEnd()}\n\`\`\`\n`);
  }
  const page = [HEAD, ...sections].join('\n');
  if (process.env.UPDATE === '1') writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, 'utf8'), page);
});

test('help goes to standard output and is no error, however it is asked for', async () => {
  for (const command of COMMANDS) {
    const asked = await cli([...command, '--help']);
    assert.deepEqual([asked.code, asked.stderr], [0, ''], command.join(' '));
    assert.ok(asked.stdout.startsWith(command.join(' ')), asked.stdout);
  }
  for (const args of [
    ['serve', '-h'],
    ['policy', 'check', '--bogus', '--help'],
    ['help', 'audit', 'verify'],
  ]) {
    const command = args.filter((arg) => arg !== 'help' && !arg.startsWith('-'));
    assert.deepEqual(await cli(args), await cli([...command, '--help']), args.join(' '));
  }
  for (const group of ['policy', 'audit', 'task']) {
    const asked = await cli([group, '--help']);
    assert.deepEqual([asked.code, asked.stderr], [0, '']);
    assert.deepEqual(await cli(['help', group]), asked);
  }
  const all = await cli(['--help']);
  assert.equal(all.code, 0);
  for (const [first] of COMMANDS) assert.match(all.stdout, new RegExp(`^${first}\\b`, 'm'));
  for (const args of [['help'], []]) assert.deepEqual(await cli(args), all);
});

test('the version has the spellings that other programs have', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  for (const spelling of ['version', '--version', '-v']) {
    const { code, stdout } = await cli([spelling]);
    assert.deepEqual([code, stdout], [0, `cedar-ext-authz ${version} on Node ${process.version}\n`]);
  }
});

test('a command line that is wrong ends with 64, says so on standard error, and shows how it is written', async () => {
  for (const args of [
    ['nonsense'],
    ['policy', 'nonsense'],
    ['audit', 'nonsense'],
    ['help', 'nonsense'],
    ['help', 'serve', 'more'],
    ['version', 'more'],
    ['serve', '--bogus'],
    ['audit', 'verify', '--bogus'],
    ['version', '--bogus'],
    ['serve'],
    ['serve', '--config', 'one.yaml', '--config', 'two.yaml'],
    ['check-config'],
    ['doctor'],
    ['doctor', 'one', 'two'],
    ['doctor', 'one', '--accept', 'nothing'],
    ['audit', 'verify'],
    ['audit', 'find'],
    ['audit', 'find', 'one', '--caller', 'billing-agent'],
    ['audit', 'find', 'one', '--result', 'denied'],
    ['audit', 'find', 'one', '--since', 'yesterday'],
    ['audit', 'find', 'one', '--limit', '0'],
    ['audit', 'find', 'one', '--limit', '1e9'],
  ]) {
    const { code, stdout, stderr } = await cli(args);
    assert.deepEqual([code, stdout], [64, ''], args.join(' '));
    assert.match(stderr, /^.+\n\n(cedar-ext-authz|[a-z-]+( [a-z]+)?\b)/, args.join(' '));
  }
});

test('a file that is not there ends with 2 in every command that reads one', async () => {
  const caller = ['--caller', 'spiffe://prod.example/a', '--request', 'GET a.example/'];
  for (const args of [
    ['serve', '--config', '/nowhere'],
    ['check-config', '/nowhere'],
    ['audit', 'verify', '/nowhere'],
    ['audit', 'verify', '/nowhere', '/nowhere/either'],
    ['audit', 'verify', '/'],
    ['audit', 'find', '/nowhere'],
    ['policy', 'check', '/nowhere'],
    ['policy', 'explain', '/nowhere', ...caller],
    ['policy', 'replay', '/nowhere', '--with', '/nowhere'],
  ]) {
    const { code, stdout, stderr } = await cli(args);
    assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^\/(nowhere)?: cannot be read \(E[A-Z]+\)/);
  }
});

/** Lines of check-config without what is merely noted of the example's inventory. */
const withoutNotes = (output: string) => output.split('\n').filter((line) => !line.startsWith('note: '));

test('problems that check-config was asked to find end with 1; a good file says which unsafe settings are in force', async () => {
  const folder = newFolder();
  copyExample(folder);
  mkdirSync(join(folder, 'trust'));
  const file = (more: string) => {
    const path = join(folder, 'config.yaml');
    writeFileSync(
      path,
      `identity: { trustDomains: { prod.example: { local: true, bundle: { file: trust/b.json } } } }\nlisten: { check: "unix:./check.sock" }\n${more}`,
    );
    return path;
  };
  writeFileSync(join(folder, 'trust', 'b.json'), '{ "keys": [] }');
  const wrong = await run(['check-config', file('polcy: {}\n')]);
  assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
  const good = await run(['check-config', file('')]);
  assert.deepEqual([good.code, withoutNotes(good.stdout)], [0, [`${file('')}: good`, '']], good.stderr);
  const unsafe = await run([
    'check-config',
    file('policy: { unsafeObserveOnly: true }\naudit: { onFailure: unsafeAllow }\n'),
  ]);
  assert.equal(unsafe.code, 0, unsafe.stderr);
  assert.deepEqual(withoutNotes(unsafe.stdout), [
    `${file('')}: good, but unsafe: policy.unsafeObserveOnly, audit.onFailure`,
    '  policy.unsafeObserveOnly: what policies refuse is allowed, and only recorded',
    '  audit.onFailure: an allow that cannot be recorded is answered all the same',
    '',
  ]);
});

test('what a sidecar writes on standard error is JSON, but for the line that says why it cannot serve', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const folder = newFolder();
  const file = join(folder, 'config.yaml');
  const identity = 'identity: { trustDomains: { a.example: { local: true, bundle: { file: ./b.json } } } }';
  writeFileSync(file, `${identity}\nlisten: { check: "127.0.0.1:${port}", status: off }\n`);
  const program = new Program('the sidecar', process.execPath, [
    join(root, 'src', 'main.ts'),
    'serve',
    '--config',
    file,
  ]);
  t.after(async () => {
    other.close();
    await program.stop('SIGKILL');
  });
  await until('the line', async () => program.stderr.find((line) => line.includes('EADDRINUSE')) ?? null, 60_000);
  const [last, ...earlier] = program.stderr.toReversed();
  assert.match(last ?? '', /EADDRINUSE/);
  for (const line of earlier) assert.ok('message' in JSON.parse(line), line);
});

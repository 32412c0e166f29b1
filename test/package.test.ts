import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page, repository, section } from './docs/markdown.ts';
import { bundleDocument, TestCa } from './support/ca.ts';
import { CheckClient } from './support/check-client.ts';
import { checkBytes } from './support/check-request.ts';
import { TRUST_DOMAIN, workload } from './support/estate.ts';
import { removeFolder, temporaryFolder } from './support/folder.ts';
import { connectionOf } from './support/load.ts';
import { finish, run } from './support/run.ts';
import { Sidecar } from './support/sidecar.ts';

const dir = temporaryFolder();
after(() => removeFolder(dir));
// An installed package finds this Node by its name.
const env = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };
const installed = join(dir, 'node_modules', 'cedar-ext-authz');
const readme = blocks(section(page('README.md').text, 'Attach it to your Envoy'));
const ci = page('docs/ci.md').text;
const readmeConfig = readme.find(({ info }) => info === 'yaml')?.text ?? '';

let tarball: string;

test('the package holds what the program needs, and nothing else', async () => {
  const packed = await run('npm', ['pack', '--json', '--pack-destination', dir], { cwd: repository, env });
  // The build prints before the JSON begins.
  const [{ files, filename }] = JSON.parse(packed.slice(packed.indexOf('\n[') + 1)) as [
    { readonly files: readonly { readonly path: string }[]; readonly filename: string },
  ];
  const needed =
    /^(dist\/.+\.js(\.map)?|dist\/control\/console\/page\/\w+\.(html|css|svg)|proto\/.+\.proto|cedar\/((schema|control)\.cedarschema|guardrails\/(control\/)?[^/]+\.cedar|claims\/(control\/)?(facts\/)?[^/]+\.cedar)|docs\/[a-z-]+\.schema\.json)$/;
  const always = ['package.json', 'README.md', 'LICENSE'];
  const other = files.map(({ path }) => path).filter((path) => !needed.test(path) && !always.includes(path));
  assert.deepEqual(other, []);
  const tests = files.filter(({ path }) => path.includes('.test.'));
  assert.deepEqual(tests, []);
  tarball = join(dir, filename);
  await run('npm', ['init', '-y'], { cwd: dir, env });
  // As docs/ci.md says; no registry has this version before it is published.
  const [install = ''] = shown('sh install');
  const args = install.replace(/^npm (.+) cedar-ext-authz$/, '$1').split(' ');
  assert.equal(args[0], 'install');
  await run('npm', [...args, '--prefer-offline', '--no-fund', '--no-audit', tarball], { cwd: dir, env });
});

/** The lines of the block of docs/ci.md with this info. */
const shown = (info: string): readonly string[] =>
  blocks(ci)
    .find((block) => block.info === info)!
    .text.trim()
    .split('\n');

interface Workflow {
  readonly jobs: { readonly policies: { readonly steps: readonly { readonly run?: string }[] } };
}

/** Runs the commands of a job as its system does, each after the one before it succeeded; how far it came. */
async function job(commands: readonly string[]): Promise<string> {
  for (const each of commands) {
    const { code, stderr } = await finish('bash', ['-e', '-o', 'pipefail', '-c', each], { cwd: dir, env });
    if (code !== 0) return `${each}: ${code}: ${stderr}`;
  }
  return 'passed';
}

test('installed in an empty folder, it takes the configuration of the README and serves it', async () => {
  const ca = TestCa.root(TRUST_DOMAIN);
  cpSync(join(repository, 'cedar', 'example'), dir, { recursive: true });
  mkdirSync(join(dir, 'bundles'));
  writeFileSync(join(dir, 'bundles', `${TRUST_DOMAIN}.json`), JSON.stringify(bundleDocument([ca])));
  // The folder of the socket is the machine's, and not there on all.
  const socket = `unix://${join(dir, 'check.sock')}`;
  writeFileSync(join(dir, 'readme.yaml'), readmeConfig.replace(/unix:\/\/[^"]+/, socket));
  const command = (...args: string[]) =>
    finish(join(dir, 'node_modules', '.bin', 'cedar-ext-authz'), args, { cwd: dir, env });
  const checked = await command('check-config', 'readme.yaml');
  assert.equal(checked.code, 0, checked.stderr);

  const { listen: _, audit: __, ...config } = parse(readmeConfig) as Record<string, unknown>;
  const sidecar = await Sidecar.start({ dir, config, main: join(installed, 'dist', 'main.js') });
  const client = new CheckClient(sidecar.check);
  try {
    const id = workload('/ns/payments/sa/ledger');
    const ask = (svid: ReturnType<TestCa['svid']>) =>
      client.check(checkBytes({ path: '/api/invoices/42', attributes: connectionOf(id, svid) }));
    assert.equal((await ask(ca.svid(id))).status.message, 'permitted');
    assert.equal((await ask(TestCa.root(TRUST_DOMAIN).svid(id))).status.message, 'identity_svid_signature');
  } finally {
    client.close();
    await sidecar.stop();
  }
});

test('the workflows of docs/ci.md pass with the policies of the example, and not with one that fails its test', async () => {
  const { jobs } = parse(shown('yaml github').join('\n')) as Workflow;
  const github = jobs.policies.steps.flatMap(({ run: command }) => (command === undefined ? [] : [command]));
  const { policies } = parse(shown('yaml gitlab').join('\n')) as { policies: { script: readonly string[] } };
  assert.deepEqual(policies.script, github);
  assert.ok(github.includes(shown('sh install')[1]!));
  assert.equal(await job(github), 'passed');

  const file = join(dir, 'policies', 'tests', 'outside.yaml');
  const good = readFileSync(file, 'utf8');
  try {
    writeFileSync(file, good.replace('expect: allow', 'expect: deny').replace(/^ +by: .+\n/m, ''));
    assert.match(await job(github.slice(1)), /^npx cedar-ext-authz policy check policies: 1: /);
  } finally {
    writeFileSync(file, good);
  }
});

test('the schema that docs/ci.md names in a first line is where the package is installed', () => {
  const [line = ''] = shown('yaml schema-line');
  const [, path = ''] = /^# yaml-language-server: \$schema=(\S+)$/.exec(line) ?? [];
  assert.equal(readFileSync(join(dir, path), 'utf8'), page('docs/inventory.schema.json').text);
  for (const [, name] of ci.matchAll(/\]\(([\w-]+\.schema\.json)\)/g))
    assert.ok(existsSync(join(installed, 'docs', name!)), name);
});

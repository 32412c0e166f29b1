import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
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
const readmeConfig = readme.find(({ info }) => info === 'yaml')?.text ?? '';

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
  await run('npm', ['init', '-y'], { cwd: dir, env });
  const args = ['install', '--prefer-offline', '--no-fund', '--no-audit', join(dir, filename)];
  await run('npm', args, { cwd: dir, env });
});

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
  const policies = await command('policy', 'check', 'policies');
  assert.equal(policies.code, 0, policies.stderr);

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

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { TestCa } from '../support/ca.ts';
import { judgedByEditor } from '../support/editor-schemas.ts';
import { FakeWorkloadApi, jwtBundles, x509Bundles, x509Svid } from '../support/fake-workload-api.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { finish } from '../support/run.ts';
import { configTextOf, podOf, render, scenarios, sidecarOf } from './chart.ts';
import { checkPortCertificate, exampleObjects } from './example-objects.ts';
import { below, mountFiles } from './pod-files.ts';

const repository = join(import.meta.dirname, '..', '..');
const example = join(repository, 'cedar', 'example', 'policies');
const AUTHZ = 'spiffe://prod.example/ns/payments/sa/authz';
const dirs: string[] = [];
after(() => dirs.forEach(removeFolder));

/** What cannot be had here: the servers that these scenarios fetch from. */
const UNREACHABLE: Readonly<Record<string, RegExp>> = {
  'sidecar-federation': /^the bundle of prod\.example is absent: https:\/\/spire\.prod\.example/,
  'central-store':
    /^(no keys for issuer https:\/\/as\.prod\.example|(the store cannot be used|the revocations of the store were not read yet): redis\.prod\.example:6380: .*(ENOTFOUND|EAI_AGAIN|no connection))/,
  control:
    /^(the store cannot be used|the revocations of the store were not read yet): redis\.prod\.example:6380: .*(ENOTFOUND|EAI_AGAIN|no connection)/,
  'central-proofs': /^no keys for issuer https:\/\/as\.prod\.example/,
};

const editor = judgedByEditor('configuration');

for (const scenario of scenarios) {
  test(`an editor finds no fault in the configuration of ${scenario}`, async () => {
    assert.ok(editor(parse(configTextOf(await render(scenario)))), JSON.stringify(editor.errors));
  });

  test(`check-config finds the configuration of ${scenario} good, with the files that its pod mounts`, async () => {
    const root = temporaryFolder();
    dirs.push(root);
    const manifests = await render(scenario);
    const trustDomain = scenario === 'sidecar-injected-istio' ? 'cluster.local' : 'prod.example';
    const [pod, container, ca] = [podOf(manifests), sidecarOf(manifests), TestCa.root(trustDomain)];
    const policies = scenario === 'central-policies-git' ? gitCheckout(root) : example;
    const own = {
      ...pod,
      volumes: pod.volumes.map((volume) =>
        volume.name === 'cedar-config' ? { name: volume.name, configMap: { name: 'config' } } : volume,
      ),
    };
    const objects = new Map([
      ...exampleObjects(ca, trustDomain),
      ['config', { 'config.yaml': below(root, configTextOf(manifests)) }],
    ]);
    const certificate = writeFiles(join(root, 'csi'), checkPortCertificate(ca, trustDomain));
    mountFiles(root, own, container, objects, { 'cedar-policies': policies, 'cedar-certificate': certificate });
    const agent = await startAgent(join(root, 'spiffe-workload-api'), ca);
    try {
      const file = join(root, 'etc/cedar-ext-authz/config/config.yaml');
      const env = { ...process.env, AUTHZ_STATUS_PORT: '9192', POD_NAME: 'edge-1', PAYMENTS_HOST: 'x' };
      const args = [join(repository, 'src', 'main.ts'), 'check-config', file];
      const { code, stdout, stderr } = await finish(process.execPath, args, { env });
      const expected = UNREACHABLE[scenario];
      const problems = stderr.split('\n').filter((line) => line !== '');
      const others = problems.filter((line) => expected === undefined || !expected.test(line));
      assert.deepEqual(others, [], stdout);
      assert.equal(code, expected === undefined ? 0 : 1, stdout);
      assert.doesNotMatch(stdout, /not read/);
    } finally {
      await agent.stop();
    }
  });
}

/** What a CSI driver leaves in a volume. */
function writeFiles(folder: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** What git-sync leaves: a checkout, and a link to it. */
function gitCheckout(root: string): string {
  cpSync(example, join(root, 'git', 'current', 'policies'), { recursive: true });
  return join(root, 'git');
}

async function startAgent(folder: string, ca: TestCa): Promise<FakeWorkloadApi> {
  mkdirSync(folder, { recursive: true });
  const agent = new FakeWorkloadApi(join(folder, 'spire-agent.sock'));
  await agent.start();
  const bundles = { 'prod.example': [ca], 'partner.example': [TestCa.root('partner.example')] };
  agent.say('FetchX509Bundles', x509Bundles(bundles));
  agent.say('FetchJWTBundles', jwtBundles({ 'prod.example': [], 'partner.example': [] }));
  agent.say('FetchX509SVID', { svids: [x509Svid(AUTHZ, ca.svid(AUTHZ))] });
  return agent;
}

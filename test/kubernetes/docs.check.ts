import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page, repository, section } from '../docs/markdown.ts';
import { TestCa } from '../support/ca.ts';
import { type Envoy, type EnvoyTree, endpointOf, runEnvoy } from '../support/envoy.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/process.ts';
import { finish } from '../support/run.ts';
import { until } from '../support/until.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';
import { type Manifest, type PodSpec, sidecarIn } from './chart.ts';
import { checkPortCertificate } from './example-objects.ts';
import { KubeApi } from './kube-api.ts';
import { below, mountFiles, type Objects } from './pod-files.ts';

const NAMESPACE = 'payments';
const guide = blocks(page('docs/kubernetes.md').text);
const of = (info: string): readonly string[] =>
  guide.filter((block) => block.info === info).flatMap(({ text }) => text.trim().split('\n'));

/** A folder in which the reader's commands find what they name, and may write. */
const reader = temporaryFolder();
/** Where the pod's files are. */
const node = temporaryFolder();
let api: KubeApi;
let service: Upstream;
let sidecar: Program;
let statusPort: string;
let envoy: Envoy;

before(async () => {
  for (const name of ['cedar', 'envoy', 'k8s']) symlinkSync(join(repository, name), join(reader, name));
  api = await KubeApi.start();
  service = await startUpstream();
});
after(async () => {
  await envoy?.stop();
  await sidecar?.stop();
  await service?.close();
  await api?.stop();
  for (const folder of [reader, node]) removeFolder(folder);
});

test('an empty cluster and a denial are ten commands apart', () => {
  const commands = ['sh build', 'sh run', 'sh node', 'sh ask'].flatMap(of);
  assert.equal(commands.length, 10);
});

test('each command of the page is taken by a real API server, in its order', async () => {
  const env = await api.environment();
  for (const command of of('sh run')) {
    const { code, stdout, stderr } = await finish('sh', ['-c', command], { cwd: reader, env });
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
    assert.doesNotMatch(stdout + stderr, /WARNING|Warning/, command);
  }
});

test('the pod that is admitted denies as the page shows, and lets the ledger in', async () => {
  const pod = await admittedPod(api, 'payments');
  await runPod(pod);
  const [ask = ''] = of('sh ask');
  const shown = JSON.parse(of('json denial').join('')) as Record<string, unknown>;
  const denied = JSON.parse(await answerTo(ask)) as Record<string, unknown>;
  assert.deepEqual({ ...denied, decision: '…' }, shown);
  const allowed = JSON.parse(await answerTo(ask.replaceAll('agent.', 'ledger.'))) as { url?: string };
  assert.equal(allowed.url, '/api/invoices/42');
  const audit = sidecar.stdout.map((line) => JSON.parse(line) as { result?: string; reason?: string });
  assert.deepEqual(
    audit.flatMap(({ result, reason }) => (result === undefined ? [] : [[result, reason]])),
    [
      ['deny', 'policy_forbidden'],
      ['allow', 'permitted'],
    ],
  );
});

test('the keys of lifts and of the token service are made and stored as the page says, in the form that the chart mounts', async () => {
  const env = await api.environment();
  for (const command of of('sh keys')) {
    const { code, stdout, stderr } = await finish('sh', ['-c', command], { cwd: reader, env });
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
  }
  const objects = await clusterObjects();
  assert.match(objects.get('control-key')?.['control.key'] ?? '', /^-----BEGIN PRIVATE KEY-----/);
  assert.match(objects.get('token-keys')?.['tts.pem'] ?? '', /^-----BEGIN PRIVATE KEY-----/);
  assert.match(objects.get('control-keys')?.['control.pub'] ?? '', /^-----BEGIN PUBLIC KEY-----/);
});

test('what the console and notices need is stored as the page says, in the form that the chart mounts', async () => {
  const env = await api.environment();
  const given = checkPortCertificate(TestCa.root('prod.example'), 'prod.example');
  writeFileSync(join(reader, 'console.crt'), given['tls.crt'] ?? '');
  writeFileSync(join(reader, 'console.key'), given['tls.key'] ?? '');
  writeFileSync(join(reader, 'client.secret'), 'x'.repeat(40));
  for (const command of of('sh console')) {
    const { code, stdout, stderr } = await finish('sh', ['-c', command], { cwd: reader, env });
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
  }
  const objects = await clusterObjects();
  assert.equal(objects.get('console-certificate')?.['tls.crt'], given['tls.crt']);
  assert.equal(objects.get('console-client')?.secret, 'x'.repeat(40));
  assert.match(objects.get('authz-notices')?.['on-call'] ?? '', /^whsec_[A-Za-z0-9+/]{43}=$/m);
});

test('the curl with which NOTES end says that the sidecar is ready', async () => {
  const env = await api.environment();
  const { stdout } = await finish('helm', ['-n', NAMESPACE, 'get', 'notes', 'authz'], { env });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  assert.match(last, /^ *curl .*:9192\/readyz$/);
  const asked = await finish('sh', ['-c', last.replace('9192', statusPort)]);
  assert.deepEqual([asked.code, asked.stdout.trim()], [0, '{\n  "ready": true,\n  "missing": []\n}']);
});

test('the commands of the README put the sidecar into the pods of a labelled Deployment', async () => {
  const cluster = await KubeApi.start();
  try {
    const env = await cluster.environment();
    const [build = '', ...commands] = blocks(section(page('README.md').text, 'On Kubernetes'))[0]!
      .text.trim()
      .split('\n');
    assert.match(build, /^npm run image -- /);
    await cluster.addMonitors();
    await cluster.done(['create', 'namespace', NAMESPACE]);
    const edge = page('k8s/first/payments.yaml').text.replaceAll('name: payments }', 'name: edge }');
    await cluster.done(['-n', NAMESPACE, 'apply', '-f', '-'], edge.replace(', cedar-ext-authz/inject: authz', ''));
    for (const command of commands) {
      const { code, stdout, stderr } = await finish('sh', ['-c', command], { cwd: reader, env });
      assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
    }
    const pod = await admittedPod(cluster, 'edge');
    assert.equal(pod.initContainers?.[0]?.name, 'cedar-ext-authz');
  } finally {
    await cluster.stop();
  }
});

/** Types a command at the page's folder; what it prints. The port is the one that Envoy took here. */
async function answerTo(command: string): Promise<string> {
  const typed = command.replaceAll('8443', String(envoy.port));
  const { code, stdout, stderr } = await finish('sh', ['-c', typed], { cwd: reader });
  assert.equal(code, 0, stderr);
  return stdout;
}

/** The pod that the Deployment's controller would make, as the API server admits it: with the sidecar, once the policy acts. */
async function admittedPod(cluster: KubeApi, deployment: string): Promise<PodSpec> {
  const stored = await cluster.done(['-n', NAMESPACE, 'get', 'deployment', deployment, '-o', 'json']);
  const { metadata, spec } = (JSON.parse(stored) as Manifest).spec.template;
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'edge-1', namespace: NAMESPACE }, spec };
  const args = ['create', '--dry-run=server', '--validate=strict', '-o', 'json', '-f', '-'];
  const admitted = await until('the injection', async () => {
    const { code, stdout } = await cluster.kubectl(args, JSON.stringify(pod));
    return code === 0 && stdout.includes('"initContainers"') ? stdout : null;
  });
  return (JSON.parse(admitted) as { spec: PodSpec }).spec;
}

/** Runs the sidecar and Envoy of a pod as processes, each with its arguments and the files that it mounts. */
async function runPod(pod: PodSpec): Promise<void> {
  const objects = await clusterObjects();
  const own = sidecarIn(pod);
  const config = objects.get('authz-cedar-ext-authz')?.['config.yaml'] ?? '';
  mountFiles(node, pod, own, new Map([...objects, ['authz-cedar-ext-authz', { 'config.yaml': below(node, config) }]]));
  mkdirSync(join(node, 'run', 'cedar-ext-authz'), { recursive: true });
  statusPort = String(await freePort());
  const args = (own.args ?? []).map((arg) => below(node, arg));
  const env = { ...process.env, AUTHZ_STATUS_PORT: statusPort };
  sidecar = new Program('the sidecar', process.execPath, [join(repository, 'src', 'main.ts'), ...args], { env });
  await until('readiness', async () => {
    sidecar.assertRunning();
    return (await fetch(`http://127.0.0.1:${statusPort}/readyz`)).status === 200 ? true : null;
  });
  const proxy = pod.containers.find(({ name }) => name === 'envoy')!;
  const dir = join(node, 'proxy');
  mountFiles(
    dir,
    pod,
    { ...proxy, volumeMounts: proxy.volumeMounts.filter(({ name }) => name !== 'cedar-check') },
    objects,
  );
  const working = join(dir, (proxy as unknown as { readonly workingDir: string }).workingDir);
  const file = join(dir, proxy.args?.[proxy.args.indexOf('-c') + 1] ?? '');
  const tree = parse(below(node, readFileSync(file, 'utf8'))) as EnvoyTree;
  tree.admin.address.socket_address.port_value = 0;
  tree.static_resources.listeners[0]!.address.socket_address.port_value = 0;
  endpointOf(tree, 'service').address = { socket_address: { address: '127.0.0.1', port_value: service.port } };
  envoy = await runEnvoy(working, tree);
  await envoy.clusterHealth('cedar-ext-authz', true);
}

/** The ConfigMaps and Secrets of the namespace. */
async function clusterObjects(): Promise<Objects> {
  const found = await api.done(['-n', NAMESPACE, 'get', 'configmaps,secrets', '-o', 'json']);
  const { items } = JSON.parse(found) as { items: readonly Manifest[] };
  const plain = ({ kind, data = {} }: Manifest): Readonly<Record<string, string>> => {
    if (kind !== 'Secret') return data;
    return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
  };
  return new Map(items.map((item) => [item.metadata.name, plain(item)]));
}

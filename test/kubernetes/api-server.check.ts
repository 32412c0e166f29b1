import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { goTool } from '../support/go-tool.ts';
import { finish } from '../support/run.ts';
import { until } from '../support/until.ts';
import {
  type Container,
  chart,
  kindOf,
  type Manifest,
  manifestsOf,
  type PodSpec,
  patchOf,
  render,
  renderText,
  scenarios,
  sidecarIn,
  valuesOf,
} from './chart.ts';
import { KubeApi } from './kube-api.ts';

/** Its Pods are held to the Pod Security standard `restricted` by the API server. */
const NAMESPACE = 'payments';
const dir = temporaryFolder();
let api: KubeApi;

before(async () => {
  api = await KubeApi.start();
  await api.addMonitors();
  for (const name of [NAMESPACE, 'other']) await api.done(['create', 'namespace', name]);
  await api.done(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted']);
});
after(async () => {
  await api?.stop();
  removeFolder(dir);
});

const dryRun = ['apply', '--dry-run=server', '--validate=strict', '-f', '-'];
const restricted = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
  runAsNonRoot: true,
};

/** A Pod with an application and Envoy that the standard admits. */
function pod(labels: Readonly<Record<string, string>>, spec: object = {}, namespace = NAMESPACE): object {
  const containers = ['app', 'envoy'].map((name) => ({ name, image: 'x', securityContext: restricted }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'edge', namespace, labels },
    spec: { containers, ...spec },
  };
}

function deployment(labels: Readonly<Record<string, string>>, namespace = NAMESPACE): object {
  const { spec } = pod({}) as { spec: object };
  const metadata = { name: 'edge', namespace, labels };
  const template = { metadata: { labels: { app: 'edge', ...labels } }, spec };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { selector: { matchLabels: { app: 'edge' } }, template },
  };
}

/** What the API server would store in place of an object. */
async function admitted(object: object): Promise<Manifest> {
  return JSON.parse(await api.done([...dryRun, '-o', 'json'], JSON.stringify(object))) as Manifest;
}

const podIn = (manifest: Manifest): PodSpec => manifest.spec as unknown as PodSpec;

for (const scenario of scenarios) {
  test(`the API server takes every object of ${scenario}, and knows every field`, async () => {
    const { code, stdout, stderr } = await api.kubectl(dryRun, await renderText(scenario));
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim().split('\n').length, (await render(scenario)).length);
    assert.doesNotMatch(stderr, /Warning/);
  });

  test(`Pod Security "restricted" admits the pods of ${scenario}`, async () => {
    const manifests = await render(scenario);
    const central = manifests.find(({ kind }) => kind === 'Deployment');
    const { metadata, spec } = central?.spec.template ?? (await patched(manifests));
    const found = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name: 'edge', namespace: NAMESPACE },
      spec,
    };
    await admitted(found);
    const container = {
      ...sidecarIn(spec),
      securityContext: { ...sidecarIn(spec).securityContext, runAsNonRoot: false },
    };
    const replaced = (all: readonly Container[] = []) =>
      all.map((one) => (one.name === container.name ? container : one));
    const worse = { ...spec, initContainers: replaced(spec.initContainers), containers: replaced(spec.containers) };
    const { code, stderr } = await api.kubectl(dryRun, JSON.stringify({ ...found, spec: worse }));
    assert.notEqual(code, 0);
    assert.match(stderr, /violates PodSecurity "restricted/);
  });
}

/** The pod of a Deployment after the patch that NOTES prints. */
async function patched(manifests: readonly Manifest[]): Promise<{ metadata: object; spec: PodSpec }> {
  const patch = { spec: { template: patchOf(manifests) } };
  const envoy = patchOf(manifests).spec.containers[0]?.name ?? '';
  const text = stringify(deployment({})).replaceAll('name: envoy', `name: ${envoy}`);
  const args = ['patch', '--local', '-f', '-', '-p', JSON.stringify(patch), '-o', 'json'];
  return (JSON.parse(await api.done(args, text)) as Manifest).spec.template;
}

const typos: readonly (readonly [where: string, from: RegExp, to: string])[] = [
  ['a container', /readOnlyRootFilesystem/, 'readOnlyRootFileSystem'],
  ['a monitor', /podMetricsEndpoints/, 'podMetricEndpoints'],
  ['a policy', /reinvocationPolicy/, 'reinvocatonPolicy'],
];
for (const [where, from, to] of typos) {
  test(`the check of fields finds a slip in ${where}`, async () => {
    const texts = [await renderText('central-spire'), await renderText('sidecar-injected-spire')];
    const text = texts.find((one) => from.test(one)) ?? '';
    const { code, stderr } = await api.kubectl(dryRun, text.replace(from, to));
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`unknown field .*${to}`));
  });
}

for (const file of ['manifests/central.yaml', 'manifests/sidecar-injected.yaml']) {
  test(`the API server takes k8s/${file}`, async () => {
    const args = ['apply', '--dry-run=server', '--validate=strict', '-f', join(chart, '..', file)];
    await api.done(args);
  });
}

test('the Kustomize component patches labelled Deployments as the chart’s patch does, and no other', async () => {
  const component = join(chart, '..', 'kustomize', 'sidecar');
  const overlay = join(dir, 'overlay');
  await finish('cp', ['-r', component, overlay]);
  const own = join(dir, 'own');
  await finish('mkdir', [own]);
  const labelled = deployment({ 'cedar-ext-authz/inject': 'authz' });
  const other = { ...deployment({}), metadata: { name: 'other', namespace: NAMESPACE } };
  writeFileSync(join(own, 'deployments.yaml'), [labelled, other].map((one) => stringify(one)).join('---\n'));
  const kustomization = {
    namespace: NAMESPACE,
    resources: ['deployments.yaml'],
    components: ['../overlay'],
    images: [{ name: 'cedar-ext-authz', newName: 'registry.example/authz', newTag: '1' }],
  };
  writeFileSync(join(own, 'kustomization.yaml'), stringify(kustomization));
  const text = await api.done(['kustomize', own]);
  await api.done(dryRun, text);
  const [first, second] = manifestsOf(text).filter(({ kind }) => kind === 'Deployment');
  const { spec } = first!.spec.template;
  const byChart = (await patched(await render('sidecar-files', [], 'authz'))).spec;
  const config = kindOf(manifestsOf(text), 'ConfigMap').metadata.name;
  assert.match(config, /^authz-cedar-ext-authz-/, 'a name that follows the content');
  assert.deepEqual(spec.volumes.find(({ name }) => name === 'cedar-config')?.configMap, { name: config });
  const steady = JSON.stringify(spec)
    .replaceAll(config, 'authz-cedar-ext-authz')
    .replace('registry.example/authz:1', 'cedar-ext-authz:0.1.0');
  assert.deepEqual(sorted(JSON.parse(steady) as PodSpec), sorted(byChart));
  assert.equal(second?.spec.template.spec.initContainers, undefined);
});

function sorted({ volumes, initContainers, containers }: PodSpec): object {
  const byName = <T extends { readonly name: string }>(all: readonly T[] = []) =>
    all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { volumes: byName(volumes), initContainers, containers: byName(containers) };
}

test('NOTES say loudly which files of the policies are not read, and which are missing', async () => {
  const keys = ['payments.cedar', 'crm.cedar', 'cases.yaml'].map((key) => `--from-literal=${key}=x`);
  await api.done(['-n', NAMESPACE, 'create', 'configmap', 'platform-policies', ...keys]);
  await api.done([
    '-n',
    NAMESPACE,
    'create',
    'configmap',
    'support-policies',
    '--from-literal=crm.cedar=x',
    '--from-literal=more.cedar=x',
  ]);
  const notes = await installed('central-spire', ['--dry-run=server']);
  assert.match(notes, /WARNING: files of the ConfigMap platform-policies are NOT READ: cases\.yaml\./);
  assert.match(notes, /- \{ key: cases\.yaml, path: tests\/cases\.yaml \}/);
  assert.match(notes, /WARNING: files of the ConfigMap support-policies are NOT READ: more\.cedar\./);
  assert.match(notes, /WARNING: the ConfigMap support-policies has no key crm\.yaml/);
  const absent = await installed('sidecar-injected-spire', ['--dry-run=server']);
  assert.match(absent, /WARNING: the ConfigMap payments of policies\.configMaps is not there/);
});

/** NOTES of `helm install`. */
async function installed(scenario: string, more: readonly string[]): Promise<string> {
  const args = ['install', 'edge', chart, '-n', NAMESPACE, '-f', valuesOf(scenario), '--set', 'image.repository=x'];
  const { code, stdout, stderr } = await finish(await goTool('helm'), [...args, ...more], {
    env: await api.environment(),
  });
  assert.equal(code, 0, stderr);
  return stdout.slice(stdout.indexOf('NOTES:'));
}

/** Applies a scenario and waits until its policies act, which takes the API server up to two seconds. */
async function inject(scenario: string, probe: object, more: readonly string[] = []): Promise<void> {
  await api.done(['apply', '-f', '-'], await renderText(scenario, ['--skip-tests', ...more]));
  await until('the injection', async () => {
    const { stdout } = await api.kubectl([...dryRun, '-o', 'json'], JSON.stringify(probe));
    return stdout.includes('"cedar-ext-authz"') ? true : null;
  });
}

const LABEL = { 'cedar-ext-authz/inject': 'edge' };

test('a labelled pod gets the sidecar of the patch, first among its init containers, and is admitted', async () => {
  await inject('sidecar-injected-spire', pod(LABEL), ['--set', 'imagePullSecrets[0].name=registry']);
  const first = { name: 'first', image: 'x', securityContext: restricted };
  const found = podIn(await admitted(pod(LABEL, { initContainers: [first] })));
  assert.deepEqual(
    found.initContainers?.map(({ name }) => name),
    ['cedar-ext-authz', 'first'],
  );
  const wanted = await admitted({
    ...pod({}),
    spec: (await patched(await render('sidecar-injected-spire'))).spec,
  });
  const [injected, patchedIn] = [sidecarIn(found), sidecarIn(podIn(wanted))];
  assert.deepEqual(injected, patchedIn);
  assert.deepEqual(found.imagePullSecrets, [{ name: 'registry' }]);
  const mounting = found.containers.filter(({ volumeMounts }) =>
    volumeMounts?.some(({ name }) => name === 'cedar-check'),
  );
  assert.deepEqual(
    mounting.map(({ name }) => name),
    ['envoy'],
  );
  const names = found.volumes.map(({ name }) => name);
  assert.deepEqual(
    names.toSorted(),
    podIn(wanted)
      .volumes.map(({ name }) => name)
      .toSorted(),
  );
});

test('pods that are not labelled, labelled otherwise, or in another namespace are left alone', async () => {
  for (const one of [
    pod({}),
    pod({ 'cedar-ext-authz/inject': 'false' }),
    pod({ 'cedar-ext-authz/inject': 'b' }),
    pod(LABEL, {}, 'other'),
  ]) {
    assert.equal(podIn(await admitted(one)).initContainers, undefined);
  }
});

test('an injected sidecar takes a port that no container of the pod has', async () => {
  const containers = [
    { name: 'app', image: 'x', securityContext: restricted, ports: [{ containerPort: 9192 }] },
    { name: 'envoy', image: 'x', securityContext: restricted },
  ];
  const initContainers = [
    { name: 'a', image: 'x', securityContext: restricted, restartPolicy: 'Always', ports: [{ containerPort: 9193 }] },
  ];
  const { ports, env, readinessProbe } = sidecarIn(
    podIn(await admitted(pod(LABEL, { containers, initContainers }))),
  ) as Container & {
    readonly readinessProbe: { readonly httpGet: { readonly port: number } };
  };
  assert.equal(ports?.[0]?.containerPort, 9194);
  assert.equal(readinessProbe.httpGet.port, 9194);
  assert.equal(env?.find(({ name }) => name === 'AUTHZ_STATUS_PORT')?.value, '9194');
});

test('Envoy may itself be a native sidecar, with mounts of its own', async () => {
  const mounts = [{ name: 'certs', mountPath: '/certs' }];
  const envoy = {
    name: 'envoy',
    image: 'x',
    restartPolicy: 'Always',
    securityContext: restricted,
    volumeMounts: mounts,
  };
  const containers = [{ name: 'app', image: 'x', securityContext: restricted }];
  const spec = {
    containers,
    initContainers: [{ ...envoy, name: 'a' }, envoy],
    volumes: [{ name: 'certs', emptyDir: {} }],
  };
  const found = podIn(await admitted(pod(LABEL, spec)));
  assert.deepEqual(
    found.initContainers?.map(({ name }) => name),
    ['cedar-ext-authz', 'a', 'envoy'],
  );
  assert.deepEqual(
    found.initContainers?.[2]?.volumeMounts.map(({ name }) => name),
    ['certs', 'cedar-check'],
  );
  assert.deepEqual(
    found.initContainers?.[1]?.volumeMounts.map(({ name }) => name),
    ['certs'],
  );
});

test('a pod that holds the sidecar already is not given another one', async () => {
  const { spec } = await patched(await render('sidecar-injected-spire'));
  const found = podIn(await admitted({ ...pod(LABEL), spec }));
  assert.equal(found.initContainers?.length, 1);
  assert.deepEqual(found.volumes.length, spec.volumes.length);
});

test('a labelled pod without Envoy is refused, with what is missing', async () => {
  const containers = [{ name: 'app', image: 'x', securityContext: restricted }];
  const { code, stderr } = await api.kubectl(dryRun, JSON.stringify(pod(LABEL, { containers })));
  assert.notEqual(code, 0);
  assert.match(stderr, /has no container envoy to put it beside \(sidecar\.envoyContainer\)/);
});

test('a write of a labelled workload after a change of the configuration makes new pods', async () => {
  const checksumOf = (manifest: Manifest) => manifest.spec.template.metadata.annotations?.['cedar-ext-authz/config'];
  const before = checksumOf(await admitted(deployment(LABEL)));
  assert.match(String(before), /^[0-9a-f]{63}$/);
  await api.done(['apply', '-f', '-'], JSON.stringify(deployment(LABEL)));
  await api.done(
    ['apply', '-f', '-'],
    await renderText('sidecar-injected-spire', ['--skip-tests', '--set', 'config.log.level=debug']),
  );
  const written = JSON.stringify({ metadata: { annotations: { touched: 'yes' } } });
  const patch = ['-n', NAMESPACE, 'patch', 'deployment', 'edge', '--dry-run=server', '-p', written, '-o', 'json'];
  await until('the new checksum', async () => {
    const now = checksumOf(JSON.parse(await api.done(patch)) as Manifest);
    return now !== undefined && now !== before ? true : null;
  });
  assert.equal(checksumOf(await admitted(deployment({}, 'other'))), undefined);
});

test('where the injecting policy is away, a labelled pod is refused rather than run without its sidecar', async () => {
  await api.done(['delete', 'mutatingadmissionpolicybinding', `cedar-ext-authz.${NAMESPACE}.edge.pods`]);
  await until('the refusal', async () => {
    const { code, stderr } = await api.kubectl(dryRun, JSON.stringify(pod(LABEL)));
    return code !== 0 && /none was injected: is the MutatingAdmissionPolicy/.test(stderr) ? true : null;
  });
  assert.equal(podIn(await admitted(pod({}))).initContainers, undefined);
  await api.done(
    ['delete', '--ignore-not-found', '-f', '-'],
    await renderText('sidecar-injected-spire', ['--skip-tests']),
  );
});

test('with everyPod each pod that has Envoy gets the sidecar, unless it opts out', async () => {
  const withProxy = (labels: Readonly<Record<string, string>>): object =>
    JSON.parse(JSON.stringify(pod(labels)).replaceAll('"envoy"', '"istio-proxy"')) as object;
  await inject('sidecar-injected-istio', withProxy({}));
  const found = await admitted(withProxy({}));
  assert.equal(sidecarIn(podIn(found)).securityContext.runAsGroup, 1337);
  assert.deepEqual(found.metadata.labels, LABEL);
  assert.equal(podIn(await admitted(withProxy({ 'cedar-ext-authz/inject': 'false' }))).initContainers, undefined);
  assert.equal(podIn(await admitted(pod({}))).initContainers, undefined, 'it has no istio-proxy');
  await api.done(
    ['delete', '--ignore-not-found', '-f', '-'],
    await renderText('sidecar-injected-istio', ['--skip-tests']),
  );
});

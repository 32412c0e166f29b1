import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { isConfig, loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { Config } from '../../src/config/schema.ts';
import { goTool } from '../support/go-tool.ts';
import { finish, run } from '../support/run.ts';

const chart = join(import.meta.dirname, '..', '..', 'k8s', 'chart');
const helm = await goTool('helm');
const modes = ['sidecar', 'central'] as const;

interface Container {
  readonly name: string;
  readonly securityContext: Record<string, unknown>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly resources: { readonly limits: Record<string, unknown> };
}
interface PodSpec {
  readonly initContainers?: readonly (Container & { readonly restartPolicy?: string })[];
  readonly containers: readonly Container[];
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext?: Record<string, unknown>;
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: Record<string, string>;
  readonly spec: { readonly template: { readonly spec: PodSpec } } & Record<string, unknown>;
}

for (const mode of modes) {
  test(`helm lint --strict passes in ${mode} mode`, async () => {
    await run(helm, ['lint', '--strict', chart, '-f', valuesOf(mode)]);
  });

  test(`the configuration of ${mode} mode is one that the sidecar reads`, async () => {
    configOf(await render(mode));
  });

  test(`the container of ${mode} mode can do nothing that it need not`, async () => {
    const container = sidecarOf(await render(mode));
    assert.deepEqual(container.securityContext, {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: mode === 'sidecar' ? 101 : 65532,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.ok(container.resources.limits.memory, 'a memory limit');
    const writable = container.volumeMounts.filter(({ readOnly }) => readOnly !== true).map(({ name }) => name);
    assert.deepEqual(writable, mode === 'sidecar' ? ['cedar-check'] : []);
  });
}

test('the check socket is mounted by Envoy and the sidecar alone', async () => {
  const pod = patchOf(await render('sidecar'));
  const all = [...(pod.initContainers ?? []), ...pod.containers];
  const mounting = all.filter(({ volumeMounts }) => volumeMounts.some(({ name }) => name === 'cedar-check'));
  assert.deepEqual(mounting.map(({ name }) => name).sort(), ['cedar-ext-authz', 'envoy']);
  assert.equal(pod.initContainers?.[0]?.restartPolicy, 'Always');
});

test('no service-account token reaches the sidecar', async () => {
  const mounts = sidecarOf(await render('sidecar')).volumeMounts;
  assert.ok(mounts.some(({ mountPath }) => mountPath === '/var/run/secrets/kubernetes.io/serviceaccount'));
  const central = await render('central');
  const pod = kindOf(central, 'Deployment').spec.template.spec;
  assert.equal(pod.automountServiceAccountToken, false);
});

test('in central mode only the named peers reach the check port', async () => {
  const policy = kindOf(await render('central'), 'NetworkPolicy').spec as unknown as {
    ingress: { from?: unknown[]; ports: { port: string }[] }[];
  };
  const check = policy.ingress.filter(({ ports }) => ports.some(({ port }) => port === 'check'));
  assert.deepEqual(
    check.map(({ from }) => from),
    [[{ podSelector: { matchLabels: { app: 'envoy' } } }]],
  );
});

test('central mode serves mutual TLS to the named peers, with the SVID of the SPIFFE agent', async () => {
  const config = configOf(await render('central'));
  assert.deepEqual(config.listen.tls, { svid: null });
  assert.deepEqual(
    config.listen.peers.map(({ text }) => text),
    ['spiffe://prod.example/ns/payments/sa/envoy'],
  );
  assert.equal(config.listen.unsafePlaintext, false);
  const { volumeMounts } = sidecarOf(await render('central'));
  assert.ok(volumeMounts.some(({ mountPath }) => mountPath === '/spiffe-workload-api'));
});

test('central mode is in plaintext only by the unsafe word, and then without the agent', async () => {
  const plain = await render('central', ['--set', 'unsafePlaintext=true']);
  assert.equal(configOf(plain).listen.unsafePlaintext, true);
  assert.ok(!sidecarOf(plain).volumeMounts.some(({ name }) => name === 'spiffe-workload-api'));
});

const refused: readonly (readonly [why: string, mode: 'sidecar' | 'central', set: string])[] = [
  ['central mode that names no peer', 'central', 'central.peers=null'],
  ['a peer that is no SPIFFE ID', 'central', 'central.peers={envoy}'],
  ['central mode that admits everyone', 'central', 'central.allowFrom=null'],
  ['an address of the operator in place of the mode', 'sidecar', 'config.listen.check=0.0.0.0:9191'],
  ['an unknown value', 'sidecar', 'sidecar.envoyContaner=proxy'],
  ['no trust domain', 'sidecar', 'trustDomain='],
  ['no policies', 'sidecar', 'policies.configMap='],
];
for (const [why, mode, set] of refused) {
  test(`the values schema refuses ${why}`, async () => {
    const { code, stderr } = await finish(helm, ['template', 'edge', chart, '-f', valuesOf(mode), '--set', set]);
    assert.notEqual(code, 0);
    assert.match(stderr, /values don't meet the specifications of the schema/);
  });
}

const valuesOf = (mode: string): string => join(chart, 'ci', `${mode}-values.yaml`);

/** The configuration that a rendered chart holds, as the sidecar reads it. */
function configOf(manifests: readonly Manifest[]): Config {
  const holding = manifests.filter(({ data }) => data?.['config.yaml']);
  const config = loadConfig(kindOf(holding, 'ConfigMap').data['config.yaml'] ?? '', 'config.yaml', {});
  if (!isConfig(config)) assert.fail(config.map(formatProblem).join('\n'));
  return config;
}

async function render(mode: string, more: readonly string[] = []): Promise<readonly Manifest[]> {
  const text = await run(helm, ['template', 'edge', chart, '-f', valuesOf(mode), ...more]);
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

function kindOf(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  assert.equal(found.length, 1, `one ${kind}`);
  return found[0]!;
}

/** The patch that NOTES prints, which is itself text inside a ConfigMap. */
function patchOf(manifests: readonly Manifest[]): PodSpec {
  const text = manifests.find(({ data }) => data?.['patch.yaml'] !== undefined)?.data['patch.yaml'];
  return (parse(text ?? '') as Manifest).spec.template.spec;
}

function sidecarOf(manifests: readonly Manifest[]): Container {
  const deployment = manifests.find(({ kind }) => kind === 'Deployment');
  const pod = deployment?.spec.template.spec ?? patchOf(manifests);
  const found = [...(pod.initContainers ?? []), ...pod.containers].find(({ name }) => name === 'cedar-ext-authz');
  assert.ok(found, 'a container named cedar-ext-authz');
  return found;
}

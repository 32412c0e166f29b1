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
  readonly lifecycle?: unknown;
  readonly env?: unknown;
}
interface PodSpec {
  readonly initContainers?: readonly (Container & { readonly restartPolicy?: string })[];
  readonly containers: readonly Container[];
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext?: Record<string, unknown>;
  readonly terminationGracePeriodSeconds?: number;
  readonly volumes: readonly { readonly name: string }[];
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
  ['a status port of its own', 'sidecar', 'config.listen.status=0.0.0.0:9999'],
  ['TLS on the socket of a sidecar', 'sidecar', 'config.listen.tls.svid=spiffe://prod.example/a'],
  ['a listen address that is a name', 'central', 'listenAddress=localhost'],
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

test('the value serves is refused with the one that took its place', async () => {
  const { code, stderr } = await finish(helm, [
    'template',
    'edge',
    chart,
    '-f',
    valuesOf('sidecar'),
    '--set',
    'serves={a.b}',
  ]);
  assert.notEqual(code, 0);
  assert.match(stderr, /the value serves was renamed; write hosts/);
});

const issuer = (kind: string): string =>
  `{kind: ${kind}, issuer: https://as.example, trustDomains: [prod.example], purposes: [p], idClaim: /i, purposeClaim: /p}`;
const setTask = (json: string): string[] => ['--set-json', `config.task=${JSON.stringify(parse(json))}`];
const takingProofs: readonly (readonly [what: string, task: string])[] = [
  ['WIMSE', '{wimse: {}}'],
  ['DPoP', '{dpop: {nonce: {required: true}}}'],
  ['an issuer of access tokens, which DPoP may bind', `{issuers: [${issuer('access-token')}]}`],
  ['an issuer of JWT-SVIDs, which DPoP may bind', `{issuers: [${issuer('jwt-svid')}]}`],
];
for (const [what, task] of takingProofs) {
  test(`proofs of possession and more than one process are refused: ${what}`, async () => {
    const template = (mode: string, ...more: string[]) =>
      finish(helm, ['template', 'edge', chart, '-f', valuesOf(mode), ...setTask(task), ...more]);
    const central = await template('central');
    assert.notEqual(central.code, 0);
    assert.match(central.stderr, /a proof may be used once: each replica remembers by itself/);
    const sidecar = await template('sidecar');
    assert.notEqual(sidecar.code, 0);
    assert.match(sidecar.stderr, /a proof may be used once: each sidecar remembers by itself.*sidecar\.singleReplica/);
    assert.equal((await template('sidecar', '--set', 'sidecar.singleReplica=true')).code, 0);
    const alone = await render('central', [...setTask(task), '--set', 'central.replicas=1']);
    assert.deepEqual(kindOf(alone, 'Deployment').spec.strategy, { type: 'Recreate' });
  });
}

test('without proofs of possession, Transaction Tokens included, several replicas are rendered', async () => {
  for (const more of [[], setTask(`{wimse: 'off', issuers: [${issuer('txn-token')}]}`)]) {
    const { strategy, replicas } = kindOf(await render('central', more), 'Deployment').spec;
    assert.deepEqual([strategy, replicas], [{ rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }, 2]);
  }
});

test('both ports listen on the address that the values name', async () => {
  const central = configOf(await render('central', ['--set', 'listenAddress=[::]'])).listen;
  assert.deepEqual([addressOf(central.check), addressOf(central.status)], ['::', '::']);
  const sidecar = configOf(await render('sidecar', ['--set', 'listenAddress=[::]'])).listen;
  assert.deepEqual([addressOf(sidecar.check), addressOf(sidecar.status)], [null, '::']);
  const plain = configOf(await render('central')).listen;
  assert.deepEqual([addressOf(plain.check), addressOf(plain.status)], ['0.0.0.0', '0.0.0.0']);
  const own = configOf(await render('sidecar', ['--set', 'config.listen.status=127.0.0.1:9192'])).listen;
  assert.equal(addressOf(own.status), '127.0.0.1');
});

test('a central pod may end slowly: its Service lets it go before SIGTERM, and it has time for the rest', async () => {
  const pod = (await render('central')).find(({ kind }) => kind === 'Deployment')!.spec.template.spec;
  const sidecar = sidecarOf(await render('central'));
  assert.deepEqual(sidecar.lifecycle, { preStop: { sleep: { seconds: 5 } } });
  const { drainMs } = configOf(await render('central')).limits;
  assert.ok(Number(pod.terminationGracePeriodSeconds) > 5 + drainMs / 1000 + 5);
  assert.equal(sidecarOf(await render('central', ['--set', 'central.preStopSeconds=0'])).lifecycle, undefined);
  assert.equal(sidecarOf(await render('central', ['--kube-version', '1.29.0'])).lifecycle, undefined);
  assert.equal(sidecarOf(await render('sidecar')).lifecycle, undefined, 'a native sidecar ends after Envoy');
});

test('with a volume each pod writes its audit to a file of its own, beside standard output or alone', async () => {
  const claim = ['--set', 'audit.volume.persistentVolumeClaim.claimName=audit'];
  const file = { to: 'file', path: '/var/log/cedar-ext-authz/edge-1.jsonl' };
  for (const mode of modes) {
    const manifests = await render(mode, claim);
    assert.deepEqual(configOf(manifests).audit.sinks, [{ to: 'stdout' }, file]);
    const { volumeMounts, env } = sidecarOf(manifests);
    assert.ok(volumeMounts.some(({ mountPath }) => mountPath === '/var/log/cedar-ext-authz'));
    assert.deepEqual(env, [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }]);
    const pod = podOf(manifests);
    const volume = pod.volumes.find(({ name }) => name === 'cedar-audit');
    assert.deepEqual(volume, { name: 'cedar-audit', persistentVolumeClaim: { claimName: 'audit' } });
  }
  assert.deepEqual(configOf(await render('sidecar', [...claim, '--set', 'audit.stdout=false'])).audit.sinks, [file]);
  assert.deepEqual(configOf(await render('sidecar')).audit.sinks, [{ to: 'stdout' }]);
  assert.equal(podOf(await render('central', claim)).securityContext?.fsGroup, 65532);
});

test('the configuration of the chart takes the chain that the shipped Envoy configurations send', async () => {
  for (const mode of modes) assert.equal(configOf(await render(mode)).identity.forwarded.mode, 'sanitize-set');
});

const addressOf = (address: Config['listen']['check'] | null): string | null =>
  address?.kind === 'tcp' ? address.host : null;

const valuesOf = (mode: string): string => join(chart, 'ci', `${mode}-values.yaml`);

/** The configuration that a rendered chart holds, as the sidecar reads it. */
function configOf(manifests: readonly Manifest[]): Config {
  const holding = manifests.filter(({ data }) => data?.['config.yaml']);
  const config = loadConfig(kindOf(holding, 'ConfigMap').data['config.yaml'] ?? '', 'config.yaml', {
    POD_NAME: 'edge-1',
  });
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

function podOf(manifests: readonly Manifest[]): PodSpec {
  return manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.spec ?? patchOf(manifests);
}

function sidecarOf(manifests: readonly Manifest[]): Container {
  const pod = podOf(manifests);
  const found = [...(pod.initContainers ?? []), ...pod.containers].find(({ name }) => name === 'cedar-ext-authz');
  assert.ok(found, 'a container named cedar-ext-authz');
  return found;
}

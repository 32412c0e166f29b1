import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Config } from '../../src/config/schema.ts';
import { blocks, page, section } from '../docs/markdown.ts';
import { goTool } from '../support/go-tool.ts';
import { run } from '../support/run.ts';
import {
  chart,
  configOf,
  kindOf,
  type Manifest,
  patchOf,
  podOf,
  render,
  renderWith,
  scenarios,
  sidecarOf,
  template,
  valuesOf,
} from './chart.ts';

const SIDECAR = 'sidecar-files';
const CENTRAL = 'central-spire';
const CONTROL = 'control';
const set = (...assignments: string[]): string[] => assignments.flatMap((assignment) => ['--set', assignment]);

for (const scenario of scenarios) {
  test(`helm lint --strict passes on ${scenario}`, async () => {
    await run(await goTool('helm'), [
      'lint',
      '--strict',
      chart,
      '-f',
      valuesOf(scenario),
      ...set('image.repository=x'),
    ]);
  });

  test(`the container of ${scenario} can do nothing that it need not`, async () => {
    const manifests = await render(scenario);
    const container = sidecarOf(manifests);
    const group = { 'sidecar-injected-istio': 1337, central: 65532 }[
      /^(central|control)/.test(scenario) ? 'central' : scenario
    ];
    assert.deepEqual(container.securityContext, {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: group ?? 101,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.ok(container.resources.limits.memory, 'a memory limit');
    const writable = container.volumeMounts.filter(({ readOnly }) => readOnly !== true).map(({ name }) => name);
    const audit = scenario === 'sidecar-audit-volume' ? ['cedar-audit'] : [];
    assert.deepEqual(writable, [...audit, ...(scenario.startsWith('sidecar') ? ['cedar-check'] : [])]);
  });
}

test('the check socket is mounted by Envoy and the sidecar alone', async () => {
  const pod = podOf(await render(SIDECAR));
  const all = [...(pod.initContainers ?? []), ...pod.containers];
  const mounting = all.filter(({ volumeMounts }) => volumeMounts.some(({ name }) => name === 'cedar-check'));
  assert.deepEqual(mounting.map(({ name }) => name).sort(), ['cedar-ext-authz', 'envoy']);
  assert.equal(pod.initContainers?.[0]?.restartPolicy, 'Always');
});

test('no service-account token reaches the sidecar', async () => {
  const mounts = sidecarOf(await render(SIDECAR)).volumeMounts;
  assert.ok(mounts.some(({ mountPath }) => mountPath === '/var/run/secrets/kubernetes.io/serviceaccount'));
  assert.equal(podOf(await render(CENTRAL)).automountServiceAccountToken, false);
});

interface Rule {
  readonly from?: readonly unknown[];
  readonly ports: readonly { readonly port: string | number }[];
}

/** Who may connect to a port, by the NetworkPolicy: undefined where the policy does not open it, null where to all. */
function admittedTo(manifests: readonly Manifest[], port: string | number): readonly unknown[] | null | undefined {
  const { ingress } = kindOf(manifests, 'NetworkPolicy').spec as unknown as { ingress: readonly Rule[] };
  const rules = ingress.filter(({ ports }) => ports.some((one) => one.port === port));
  if (rules.length === 0) return undefined;
  return rules.some(({ from }) => from === undefined) ? null : rules.flatMap(({ from }) => from);
}

test('only the named peers reach the check port, and nobody the status port who is not named', async () => {
  const closed = await render('central-federation');
  assert.deepEqual(admittedTo(closed, 'check'), [{ podSelector: { matchLabels: { app: 'envoy' } } }]);
  assert.equal(admittedTo(closed, 'cedar-status'), undefined);
  const monitoring = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }];
  assert.deepEqual(admittedTo(await render('central-production'), 'cedar-status'), monitoring);
  const beside = await render('sidecar-injected-istio');
  assert.deepEqual(admittedTo(beside, 'cedar-status'), monitoring);
  assert.equal(admittedTo(beside, 8080), null);
  assert.deepEqual(
    (await render(SIDECAR)).filter(({ kind }) => kind === 'NetworkPolicy'),
    [],
    'it would cut the pod off',
  );
});

test('a central pod may connect nowhere but where the values say, and then to DNS', async () => {
  const egressOf = async (scenario: string) => kindOf(await render(scenario), 'NetworkPolicy').spec.egress;
  assert.deepEqual(await egressOf(CENTRAL), []);
  const [dns, server, ...more] = (await egressOf('central-federation')) as {
    to?: unknown;
    ports: { port: number }[];
  }[];
  assert.deepEqual(
    dns?.ports.map(({ port }) => port),
    [53, 53],
  );
  assert.deepEqual(server?.to, [{ ipBlock: { cidr: '203.0.113.0/24' } }]);
  assert.deepEqual(more, []);
});

test('central mode serves mutual TLS to the named peers, with the SVID of the SPIFFE agent', async () => {
  for (const scenario of [CENTRAL, 'central-federation']) {
    const manifests = await render(scenario);
    const config = configOf(manifests);
    assert.deepEqual(config.listen.tls, { svid: null, files: null });
    assert.deepEqual(
      config.listen.peers.map(({ pattern }) => pattern.text),
      ['spiffe://prod.example/ns/payments/sa/envoy'],
    );
    assert.equal(config.listen.unsafePlaintext, false);
    assert.ok(sidecarOf(manifests).volumeMounts.some(({ mountPath }) => mountPath === '/spiffe-workload-api'));
  }
});

test('the certificate of central mode may come from a Secret or a CSI volume, and then nothing asks the agent', async () => {
  for (const scenario of ['central-cert-manager', 'central-csi-spiffe']) {
    const manifests = await render(scenario);
    const [pod, { tls }] = [podOf(manifests), configOf(manifests).listen];
    const below = '/etc/cedar-ext-authz/certificate';
    const ca = scenario === 'central-cert-manager' ? `${below}/ca.crt` : null;
    assert.deepEqual(tls, { svid: null, files: { certificate: `${below}/tls.crt`, key: `${below}/tls.key`, ca } });
    assert.ok(sidecarOf(manifests).volumeMounts.some(({ mountPath }) => mountPath === below));
    assert.ok(!pod.volumes.some(({ name }) => name === 'spiffe-workload-api'));
    assert.equal(pod.securityContext?.fsGroup, 65532, 'who runs it can read the key');
  }
  const volume = podOf(await render('central-cert-manager')).volumes.find(({ name }) => name === 'cedar-certificate');
  assert.deepEqual(volume?.secret, { secretName: 'authz-tls', defaultMode: 0o440 });
});

test('the peers of central mode are in the configuration, each with its hosts, or in a ConfigMap that is watched', async () => {
  const { peers } = configOf(await render('central-csi-spiffe')).listen;
  assert.deepEqual(
    peers.map(({ pattern, hosts }) => [pattern.text, hosts]),
    [
      ['spiffe://prod.example/ns/payments/sa/envoy', null],
      ['spiffe://prod.example/ns/*/sa/gateway', ['payments.internal', 'crm.internal']],
    ],
  );
  const watched = await render('central-cert-manager');
  const { peers: none, peersFile } = configOf(watched).listen;
  assert.deepEqual([none, peersFile], [[], '/etc/cedar-ext-authz/peers/peers.yaml']);
  const volume = podOf(watched).volumes.find(({ name }) => name === 'cedar-peers');
  assert.deepEqual(volume?.configMap, { name: 'authz-peers', items: [{ key: 'peers.yaml', path: 'peers.yaml' }] });
});

test('central mode is in plaintext only by the unsafe word, and then without the agent', async () => {
  const plain = await render('central-plaintext');
  assert.equal(configOf(plain).listen.unsafePlaintext, true);
  assert.ok(!sidecarOf(plain).volumeMounts.some(({ name }) => name === 'spiffe-workload-api'));
});

test('control mode serves the control API alone, under the names of its Service, with its SVID and its key', async () => {
  const manifests = await render(CONTROL);
  const { listen, control, state } = configOf(manifests);
  assert.equal(listen.check, null);
  assert.deepEqual(listen.control, {
    address: { kind: 'tcp', host: '0.0.0.0', port: 9443, loopback: false },
    tls: { svid: null, files: null },
    hosts: ['', '.payments', '.payments.svc'].map((end) => `edge-cedar-ext-authz${end}`).concat('authz.prod.example'),
  });
  const { audience, key, trustedKeys } = control;
  assert.deepEqual(
    { audience, key, trustedKeys },
    {
      audience: 'cedar-ext-authz-control',
      key: '/etc/cedar-ext-authz/control/control.key',
      trustedKeys: ['/etc/cedar-ext-authz/control-keys/control-keys/control.pub'],
    },
  );
  assert.equal(state.store, 'redis');
  const { ports, volumeMounts } = sidecarOf(manifests);
  assert.deepEqual(
    ports?.map(({ name, containerPort }) => [name, containerPort]),
    [
      ['cedar-status', 9192],
      ['control', 9443],
      ['console', 8443],
    ],
  );
  assert.ok(volumeMounts.some(({ name, readOnly }) => name === 'cedar-control' && readOnly));
  const pod = podOf(manifests);
  assert.deepEqual(pod.volumes.find(({ name }) => name === 'cedar-control')?.secret, {
    secretName: 'control-key',
    defaultMode: 0o440,
    items: [{ key: 'control.key', path: 'control.key' }],
  });
  assert.equal(pod.securityContext?.fsGroup, 65532, 'who runs it can read the key');
  const service = manifests.find(
    ({ kind, metadata }) => kind === 'Service' && metadata.name === 'edge-cedar-ext-authz',
  );
  assert.deepEqual(service?.spec.ports, [
    { name: 'control', port: 9443, targetPort: 'control', protocol: 'TCP' },
    { name: 'console', port: 8443, targetPort: 'console', protocol: 'TCP', appProtocol: 'https' },
  ]);
  const onCall = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'on-call' } } }];
  assert.deepEqual(admittedTo(manifests, 'control'), onCall);
  assert.equal(admittedTo(manifests, 'cedar-status'), undefined);
});

test('control mode serves the console to the pods of the ingress, with files that the process can read', async () => {
  const manifests = await render(CONTROL);
  const folder = '/etc/cedar-ext-authz/console';
  const { console, signIn } = configOf(manifests).control;
  assert.equal(console?.url.href, 'https://authz.prod.example/');
  assert.deepEqual(
    [console?.listen.port, console?.tls],
    [8443, { certificate: `${folder}/tls.crt`, key: `${folder}/tls.key` }],
  );
  assert.deepEqual(
    [signIn?.clientSecretFile, signIn?.ca, signIn?.scopes],
    [`${folder}/client.secret`, null, ['groups']],
  );
  const volume = podOf(manifests).volumes.find(({ name }) => name === 'cedar-console')?.projected;
  assert.equal((volume as { readonly defaultMode?: number }).defaultMode, 0o440);
  const ingress = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }];
  assert.deepEqual(admittedTo(manifests, 'console'), ingress);
  const authorities = set('console.providerCa.name=login-authorities,console.providerCa.key=ca.pem');
  assert.equal(configOf(await render(CONTROL, authorities)).control.signIn?.ca, `${folder}/provider-ca.pem`);
  const none = await render(CONTROL, set('console.url=,networkPolicy.consoleFrom=null'));
  assert.equal(configOf(none).control.console, null);
  assert.ok(!JSON.stringify(none).includes('cedar-console'));
});

test('the files that tracing needs are mounted where its configuration names them', async () => {
  const otlp = { url: 'https://otel.example:4318/v1/traces', headersFile: '/etc/cedar-ext-authz/tracing/headers' };
  const manifests = await renderWith('central-federation', {
    config: { tracing: { otlp } },
    tracing: { secret: 'authz-tracing' },
  });
  assert.equal(configOf(manifests).tracing?.otlp.headersFile, otlp.headersFile);
  const mount = sidecarOf(manifests).volumeMounts.find(({ name }) => name === 'cedar-tracing');
  assert.equal(mount?.mountPath, '/etc/cedar-ext-authz/tracing');
  const volume = podOf(manifests).volumes.find(({ name }) => name === 'cedar-tracing');
  assert.deepEqual(volume?.secret, { secretName: 'authz-tracing', defaultMode: 0o440 });
});

test('the secrets of notices are mounted where their configuration names them', async () => {
  const manifests = await render(CONTROL);
  const [file] = configOf(manifests).control.notices[0]?.secretFiles ?? [];
  const mount = sidecarOf(manifests).volumeMounts.find(({ name }) => name === 'cedar-notices');
  assert.equal(`${mount?.mountPath}/on-call`, file);
  const volume = podOf(manifests).volumes.find(({ name }) => name === 'cedar-notices');
  assert.deepEqual(volume?.secret, { secretName: 'authz-notices', defaultMode: 0o440 });
});

test('control mode is the token service too, with keys that it alone mounts', async () => {
  const manifests = await render(CONTROL);
  const file = '/etc/cedar-ext-authz/token-service/tts.pem';
  const { tokenService } = configOf(manifests);
  assert.deepEqual([tokenService?.keys, tokenService?.audience], [file, null]);
  assert.deepEqual(podOf(manifests).volumes.find(({ name }) => name === 'cedar-token-service')?.secret, {
    secretName: 'token-keys',
    defaultMode: 0o440,
    items: [{ key: 'tts.pem', path: 'tts.pem' }],
  });
  assert.ok(sidecarOf(manifests).volumeMounts.some(({ name, readOnly }) => name === 'cedar-token-service' && readOnly));
  const named = await render(CONTROL, set('tokenService.audience=tasks,config.tokenService.tokenLifetime=1m'));
  const { audience, tokenLifetimeMs } = configOf(named).tokenService!;
  assert.deepEqual([audience, tokenLifetimeMs], ['tasks', 60_000]);
  const [central, sidecar] = [await render(CENTRAL), await render(SIDECAR)];
  for (const other of [central, sidecar]) assert.equal(configOf(other).tokenService, null);
});

test('the keys of the token service are refused where every sidecar would have them, and where no beginning is signed', async () => {
  const keys = set('tokenService.key.secret=token-keys,tokenService.key.key=tts.pem');
  assert.match((await template(SIDECAR, keys)).stderr, /each sidecar would have it.*sidecar\.singleReplica to true/);
  assert.equal((await template(SIDECAR, [...keys, ...set('sidecar.singleReplica=true')])).code, 0);
  assert.match((await template(CONTROL, set('control.key=null'))).stderr, /tokenService\.key needs control\.key/);
});

test('sidecars believe the lifts of the public keys that they mount', async () => {
  const store = ['--set-json', 'config.state={"store":"redis","url":"unix:///run/redis.sock"}'];
  for (const scenario of [SIDECAR, CENTRAL]) {
    const keys = ['--set-json', 'control.trustedKeys=[{"name":"keys","key":"a.pub"},{"name":"keys","key":"b.pub"}]'];
    const manifests = await render(scenario, [...store, ...keys]);
    const below = '/etc/cedar-ext-authz/control-keys';
    const { key, trustedKeys } = configOf(manifests).control;
    assert.deepEqual([key, trustedKeys], [null, [`${below}/keys/a.pub`, `${below}/keys/b.pub`]]);
    assert.ok(sidecarOf(manifests).volumeMounts.some(({ mountPath }) => mountPath === below));
  }
});

test('orders and more than one process are refused where each process remembers by itself', async () => {
  const listen = ['--set-json', 'config.listen.control={"address":"unix:///run/control.sock"}'];
  const orders = [...listen, ...set('control.audience=a')];
  const [central, sidecar] = [await template(CENTRAL, orders), await template(SIDECAR, orders)];
  assert.match(
    central.stderr,
    /each replica remembers by itself.*config\.state\.store: redis, or set central\.replicas to 1/,
  );
  assert.match(sidecar.stderr, /each sidecar remembers by itself.*sidecar\.singleReplica to true/);
  assert.equal((await template(SIDECAR, [...orders, ...set('sidecar.singleReplica=true')])).code, 0);
  assert.equal((await template(CENTRAL, [...orders, ...set('central.replicas=1')])).code, 0);
  const store = ['--set-json', 'config.state={"store":"redis","url":"unix:///run/redis.sock"}'];
  for (const scenario of [SIDECAR, CENTRAL]) assert.equal((await template(scenario, [...orders, ...store])).code, 0);
  assert.equal((await template(SIDECAR, set('config.listen.control=off'))).code, 0);
});

const ORIGINS: readonly (readonly [from: string, bundle: object, want: { readonly from: string }])[] = [
  ['the SPIFFE agent', { workloadApi: true }, { from: 'workloadApi' }],
  [
    'a ConfigMap with a key of the user’s choice',
    { configMap: { name: 'istio-ca-root-cert', key: 'root-cert.pem' } },
    { from: 'file', path: '/etc/cedar-ext-authz/bundles/prod.example/bundle/root-cert.pem' } as { from: string },
  ],
  [
    'a bundle endpoint',
    { federation: { url: 'https://b.example/', profile: 'https_web' } },
    { from: 'federation', url: 'https://b.example/', profile: { kind: 'https_web', ca: null } } as { from: string },
  ],
];
for (const [from, bundle, want] of ORIGINS) {
  test(`in both modes the bundle may come from ${from}`, async () => {
    for (const scenario of [SIDECAR, CENTRAL]) {
      const networkPolicy = { checkFrom: [{ podSelector: {} }], egress: [{ ports: [{ port: 443 }] }] };
      const manifests = await renderWith(scenario, { bundle, networkPolicy });
      assert.deepEqual(configOf(manifests).identity.trustDomains['prod.example']?.source, want);
      const { volumes } = podOf(manifests);
      const bundles = volumes.find(({ name }) => name === 'cedar-bundles')?.projected;
      const sources = (bundles as { readonly sources: readonly unknown[] } | undefined)?.sources ?? [];
      assert.equal(sources.length, want.from === 'file' ? 1 : 0);
      const agent = volumes.find(({ name }) => name === 'spiffe-workload-api');
      assert.equal(agent !== undefined, want.from === 'workloadApi' || scenario === CENTRAL);
      if (agent !== undefined) assert.deepEqual(agent.csi, { driver: 'csi.spiffe.io', readOnly: true });
    }
  });
}

test('what proves a bundle endpoint is mounted, each file from its own ConfigMap', async () => {
  const manifests = await render('sidecar-federation');
  const { trustDomains } = configOf(manifests).identity;
  const [ours, partner] = ['prod.example', 'partner.example'].map((name) => trustDomains[name]?.source);
  const below = '/etc/cedar-ext-authz/bundles';
  assert.ok(ours?.from === 'federation' && ours.profile.kind === 'https_web');
  assert.equal(ours.profile.ca, `${below}/prod.example/ca/ca.pem`);
  assert.ok(partner?.from === 'federation' && partner.profile.kind === 'https_spiffe');
  assert.equal(partner.profile.bootstrap, `${below}/partner.example/bootstrap/partner.example.json`);
  const bundles = podOf(manifests).volumes.find(({ name }) => name === 'cedar-bundles')?.projected;
  const { sources } = bundles as { readonly sources: readonly { readonly configMap: Projection }[] };
  const paths = sources.map(({ configMap }) => [configMap.name, configMap.items?.[0]?.path]);
  assert.deepEqual(
    new Map(paths as [string, string][]),
    new Map([
      ['web-authorities', 'prod.example/ca/ca.pem'],
      ['partner-bundle', 'partner.example/bootstrap/partner.example.json'],
    ]),
  );
});

interface Projection {
  readonly name: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}

test('the policy folder keeps its sub-folders: each item of a ConfigMap goes to its path', async () => {
  const volume = podOf(await render(CENTRAL)).volumes.find(({ name }) => name === 'cedar-policies')?.projected;
  assert.deepEqual(volume, {
    sources: [
      { configMap: { name: 'platform-policies' } },
      {
        configMap: {
          name: 'support-policies',
          items: [
            { key: 'crm.cedar', path: 'teams/support/crm.cedar' },
            { key: 'crm.yaml', path: 'tests/crm.yaml' },
          ],
        },
      },
    ],
  });
});

const REFUSED: readonly (readonly [why: string, scenario: string, ...set: string[]])[] = [
  ['central mode that names no peer', CENTRAL, 'central.peers=null'],
  ['a peer that is no SPIFFE ID', CENTRAL, 'central.peers={envoy}'],
  ['a peer with a star inside a segment', CENTRAL, 'central.peers={spiffe://prod.example/ns/pay*/sa/envoy}'],
  ['a peer with a double star', CENTRAL, 'central.peers={spiffe://prod.example/**}'],
  ['an unknown key of a peer', CENTRAL, 'central.peers[0].id=spiffe://prod.example/e,central.peers[0].host=a'],
  ['peers in two places', CENTRAL, 'central.peersConfigMap.name=a,central.peersConfigMap.key=b'],
  ['a ConfigMap of peers without its key', 'central-cert-manager', 'central.peersConfigMap.key=null'],
  ['a certificate in two places', 'central-cert-manager', 'central.certificate.volume.emptyDir.sizeLimit=1Mi'],
  ['central mode that admits everyone', CENTRAL, 'networkPolicy.checkFrom=null'],
  ['plaintext without a NetworkPolicy', 'central-plaintext', 'networkPolicy.enabled=false'],
  ['an address of the operator in place of the mode', SIDECAR, 'config.listen.check=0.0.0.0:9191'],
  ['a status port beside status.port', SIDECAR, 'config.listen.status=0.0.0.0:9999'],
  ['TLS on the socket of a sidecar', SIDECAR, 'config.listen.tls.svid=spiffe://prod.example/a'],
  ['injection in central mode', CENTRAL, 'injection.enabled=true'],
  ['control mode that admits everyone', CONTROL, 'networkPolicy.controlFrom=null'],
  ['an address beside control.port', CONTROL, 'config.listen.control.address=0.0.0.0:1'],
  ['injection in control mode', CONTROL, 'injection.enabled=true'],
  ['control mode in plaintext', CONTROL, 'unsafePlaintext=true'],
  ['a private key without its Secret', CONTROL, 'control.key.secret=null'],
  ['a key of the token service without its Secret', CONTROL, 'tokenService.key.secret=null'],
  ['a console that admits everyone', CONTROL, 'networkPolicy.consoleFrom=null'],
  ['a console without a certificate', CONTROL, 'console.certificate='],
  ['a console without the secret of its client', CONTROL, 'console.clientSecret=null'],
  ['a console without a provider', CONTROL, 'console.signIn.issuer=null'],
  ['a console in plaintext', CONTROL, 'console.url=http://authz.prod.example'],
  ['a listen address that is a name', CENTRAL, 'listenAddress=localhost'],
  ['an unknown value', SIDECAR, 'sidecar.envoyContaner=proxy'],
  ['an unknown value of a group', CENTRAL, 'central.autoscaling.enable=true'],
  ['no trust domain', SIDECAR, 'trustDomain='],
  ['no bundle', 'sidecar-injected-spire', 'bundle.workloadApi=null'],
  ['two origins of one bundle', SIDECAR, 'bundle.workloadApi=true'],
  ['no policies', SIDECAR, 'policies.configMaps=null'],
  ['policies in two ways', SIDECAR, 'policies.volume.emptyDir.sizeLimit=1Mi'],
  [
    'a path that leaves the policy folder',
    SIDECAR,
    'policies.configMaps[0].items[0].key=a,policies.configMaps[0].items[0].path=../a',
  ],
  ['a variable that the chart sets', SIDECAR, 'env[0].name=AUTHZ_STATUS_PORT'],
  ['a volume that takes a name of the chart', SIDECAR, 'volumes[0].name=cedar-policies'],
];
for (const [why, scenario, ...assignments] of REFUSED) {
  test(`the values schema refuses ${why}`, async () => {
    const { code, stderr } = await template(scenario, set(...assignments));
    assert.notEqual(code, 0);
    assert.match(stderr, /values don't meet the specifications of the schema/);
  });
}

const CONTRADICTIONS: readonly (readonly [what: string, scenario: string, assignment: string, says: RegExp])[] = [
  [
    'a foreign trust domain that is ours',
    SIDECAR,
    'foreignTrustDomains.prod\\.example.workloadApi=true',
    /which is trustDomain/,
  ],
  [
    'an image that exists nowhere',
    SIDECAR,
    'image.repository=',
    /image\.repository names no image.*npm run image -- .*--push/s,
  ],
  [
    'two origins of the certificate',
    'central-cert-manager',
    'config.listen.tls.svid=spiffe://prod.example/a',
    /asks the SPIFFE agent for what central\.certificate has/,
  ],
  ['authorities without a certificate', CENTRAL, 'central.certificate.caFile=ca.crt', /set one of them/],
  ['one port for two', CENTRAL, 'central.port=9192', /are the same/],
  ['too little time to end', CENTRAL, 'central.terminationGracePeriodSeconds=30', /must be more than/],
  ['fetched keys and no way to them', 'central-proofs', 'networkPolicy.egress=null', /set networkPolicy\.egress/],
  [
    'two files with one path',
    'central-spire',
    'policies.configMaps[1].items[1].path=teams/support/crm.cedar',
    /two files the path/,
  ],
  ['control mode without a store', CONTROL, 'config.state.store=memory', /set config\.state\.store to redis/],
  ['control mode and no way to its store', CONTROL, 'networkPolicy.egress=null', /set networkPolicy\.egress/],
  ['one port for control and status', CONTROL, 'control.port=9192', /are the same/],
  ['one port for console and control', CONTROL, 'console.port=9443', /that of another listener/],
  ['an autoscaler with proofs', 'central-proofs', 'central.autoscaling.enabled=true', /no autoscaler/],
];
for (const [what, scenario, assignment, says] of CONTRADICTIONS) {
  test(`the chart refuses ${what}, and says what to do`, async () => {
    const { code, stderr } = await template(scenario, set(assignment));
    assert.notEqual(code, 0);
    assert.match(stderr, says);
  });
}

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
    const central = await template(CENTRAL, setTask(task));
    assert.notEqual(central.code, 0);
    assert.match(central.stderr, /a proof may be used once: each replica remembers by itself/);
    const sidecar = await template(SIDECAR, setTask(task));
    assert.notEqual(sidecar.code, 0);
    assert.match(sidecar.stderr, /a proof may be used once: each sidecar remembers by itself.*sidecar\.singleReplica/);
    assert.equal((await template(SIDECAR, [...setTask(task), ...set('sidecar.singleReplica=true')])).code, 0);
    const alone = await render(CENTRAL, [...setTask(task), ...set('central.replicas=1')]);
    assert.deepEqual(kindOf(alone, 'Deployment').spec.strategy, { type: 'Recreate' });
  });
}

test('with a shared store, proofs of possession are taken by several processes', async () => {
  const state = ['--set-json', 'config.state={"store":"redis","url":"unix:///run/redis.sock"}'];
  for (const [, task] of takingProofs) {
    const { strategy, replicas } = kindOf(await render(CENTRAL, [...setTask(task), ...state]), 'Deployment').spec;
    assert.deepEqual([strategy, replicas], [{ rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }, 2]);
    assert.equal((await template(SIDECAR, [...setTask(task), ...state])).code, 0);
  }
  const { volumeMounts } = sidecarOf(await render('central-store'));
  assert.ok(volumeMounts.some(({ mountPath, readOnly }) => mountPath === '/etc/cedar-ext-authz/state' && readOnly));
});

test('without proofs of possession, Transaction Tokens included, several replicas are rendered', async () => {
  for (const more of [[], setTask(`{wimse: 'off', issuers: [${issuer('txn-token')}]}`)]) {
    const { strategy, replicas } = kindOf(await render(CENTRAL, more), 'Deployment').spec;
    assert.deepEqual([strategy, replicas], [{ rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }, 2]);
  }
});

test('an autoscaler counts the pods in place of the Deployment', async () => {
  const manifests = await render('central-production');
  assert.equal(kindOf(manifests, 'Deployment').spec.replicas, undefined);
  const { scaleTargetRef } = kindOf(manifests, 'HorizontalPodAutoscaler').spec;
  assert.deepEqual(scaleTargetRef, { apiVersion: 'apps/v1', kind: 'Deployment', name: 'authz' });
});

test('what a platform team sets reaches the pods', async () => {
  const manifests = await render('central-production');
  const { template: pod } = kindOf(manifests, 'Deployment').spec;
  assert.deepEqual(pod.spec.imagePullSecrets, [{ name: 'registry' }]);
  for (const member of ['nodeSelector', 'tolerations', 'affinity', 'priorityClassName'])
    assert.ok(pod.spec[member], member);
  assert.deepEqual(pod.spec.topologySpreadConstraints, [
    {
      maxSkew: 1,
      topologyKey: 'topology.kubernetes.io/zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: {
        matchLabels: { 'app.kubernetes.io/name': 'cedar-ext-authz', 'app.kubernetes.io/instance': 'edge' },
      },
    },
  ]);
  assert.equal(pod.metadata.labels?.['cost-centre'], '42');
  assert.equal(pod.metadata.annotations?.['example.com/reviewed'], '2026-11-01');
  for (const { kind, metadata } of manifests) {
    assert.equal(metadata.labels?.team, 'platform', kind);
    assert.equal(metadata.annotations?.['example.com/owner'], 'platform@prod.example', kind);
  }
});

test('without an image the chart refuses, and says how to build and push one', async () => {
  for (const scenario of scenarios) {
    const { code, stderr } = await template(scenario, set('image.repository='));
    assert.notEqual(code, 0, scenario);
    const [, command] = /image\.repository names no image.*: (npm run image -- \S+ --push)\./.exec(stderr) ?? [];
    const [shown] = blocks(section(page('docs/kubernetes.md').text, 'Build the image'));
    assert.equal(command, shown?.text.trim());
  }
  const digest = `sha256:${'a'.repeat(64)}`;
  const { image } = sidecarOf(await render(SIDECAR, set('image.repository=r.example/a', `image.digest=${digest}`)));
  assert.equal(image, `r.example/a@${digest}`);
});

test('a changed configuration makes new pods, a changed image or label does so by itself', async () => {
  const checksum = async (scenario: string, ...assignments: string[]): Promise<unknown> => {
    const manifests = await render(scenario, set(...assignments));
    const { metadata } = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template ?? patchOf(manifests);
    return metadata.annotations?.['cedar-ext-authz/config'];
  };
  for (const scenario of [SIDECAR, CENTRAL]) {
    const before = await checksum(scenario);
    assert.match(String(before), /^[0-9a-f]{63}$/);
    assert.notEqual(await checksum(scenario, 'config.log.level=debug'), before);
    assert.equal(await checksum(scenario, 'image.tag=v2', 'podLabels.a=b'), before);
  }
});

test('both ports listen on the address that the values name, and status on the port that they name', async () => {
  const central = configOf(await render('central-ipv6')).listen;
  assert.deepEqual([addressOf(central.check), addressOf(central.status)], ['[::]:9191', '[::]:9300']);
  const sidecar = configOf(await render(SIDECAR, set('listenAddress=[::]'))).listen;
  assert.deepEqual([addressOf(sidecar.check), addressOf(sidecar.status)], [null, '[::]:9192']);
  const container = sidecarOf(await render('central-ipv6'));
  assert.equal(container.ports?.find(({ name }) => name === 'cedar-status')?.containerPort, 9300);
});

test('a central pod may end slowly: its Service lets it go before SIGTERM, and it has time for the rest', async () => {
  const manifests = await render(CENTRAL);
  assert.deepEqual(sidecarOf(manifests).lifecycle, { preStop: { sleep: { seconds: 5 } } });
  const { drainDelayMs, drainMs } = configOf(manifests).limits;
  assert.ok(Number(podOf(manifests).terminationGracePeriodSeconds) > 5 + (drainDelayMs + drainMs) / 1000 + 5);
  assert.equal(sidecarOf(await render(CENTRAL, set('central.preStopSeconds=0'))).lifecycle, undefined);
  assert.equal(sidecarOf(await render(CENTRAL, ['--kube-version', '1.29.0'])).lifecycle, undefined);
  assert.equal(sidecarOf(await render(SIDECAR)).lifecycle, undefined, 'a native sidecar ends after Envoy');
});

test('with a volume each pod writes its audit to a file of its own, beside standard output or alone', async () => {
  const file = { to: 'file', path: '/var/log/cedar-ext-authz/edge-1.jsonl' };
  assert.deepEqual(configOf(await render('sidecar-audit-volume')).audit.sinks, [file]);
  const claim = set('audit.volume.persistentVolumeClaim.claimName=audit');
  for (const scenario of [SIDECAR, CENTRAL]) {
    const manifests = await render(scenario, claim);
    assert.deepEqual(configOf(manifests).audit.sinks, [{ to: 'stdout' }, file]);
    const { volumeMounts, env } = sidecarOf(manifests);
    assert.ok(volumeMounts.some(({ mountPath }) => mountPath === '/var/log/cedar-ext-authz'));
    assert.ok(env?.some(({ name }) => name === 'POD_NAME'));
    const volume = podOf(manifests).volumes.find(({ name }) => name === 'cedar-audit');
    assert.deepEqual(volume, { name: 'cedar-audit', persistentVolumeClaim: { claimName: 'audit' } });
  }
  assert.equal(podOf(await render(CENTRAL, claim)).securityContext?.fsGroup, 65532);
});

test('the configuration of every scenario takes the chain that the shipped Envoy configurations send', async () => {
  for (const scenario of scenarios)
    assert.equal(configOf(await render(scenario)).identity.forwarded.mode, 'sanitize-set', scenario);
});

test('the test of a release reads what its pods read', async () => {
  for (const scenario of [SIDECAR, CENTRAL, CONTROL]) {
    const manifests = await render(scenario);
    const pod = kindOf(manifests, 'Pod').spec as unknown as ReturnType<typeof podOf>;
    const [container] = pod.containers;
    assert.deepEqual(container?.args, ['check-config', '/etc/cedar-ext-authz/config/config.yaml']);
    const own = ({ name }: { readonly name: string }): boolean => name !== 'cedar-no-token';
    assert.deepEqual(container?.volumeMounts, sidecarOf(manifests).volumeMounts.filter(own));
    assert.deepEqual(pod.volumes, podOf(manifests).volumes.filter(own));
  }
});

const addressOf = (address: Config['listen']['check'] | null): string | null =>
  address?.kind === 'tcp' ? `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}` : null;

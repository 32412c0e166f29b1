import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page } from '../docs/markdown.ts';
import { pemBundle, TestCa } from '../support/ca.ts';
import { ask, websocketHeaders } from '../support/client.ts';
import {
  connectionManager,
  type Envoy,
  envoyConfigs,
  readEnvoyConfig,
  startEnvoy,
  writeEnvoyCerts,
} from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { run } from '../support/run.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

const ca = TestCa.root('prod.example');
const svid = ca.svid('spiffe://prod.example/ns/payments/sa/envoy');
const client = ca.svid('spiffe://prod.example/ns/payments/sa/api');
const dir = temporaryFolder();
let upstream: Upstream;

before(async () => {
  upstream = await startUpstream();
});
after(async () => {
  await upstream.close();
  removeFolder(dir);
});

const combinations = supportedEnvoys.flatMap((version) => envoyConfigs.map((config) => ({ version, config })));
for (const { version, config } of combinations) {
  test(`Envoy ${version} --mode validate accepts envoy/${config}.yaml as it stands`, async () => {
    writeEnvoyCerts(dir, svid, pemBundle(ca));
    const file = join(import.meta.dirname, '..', '..', 'envoy', `${config}.yaml`);
    await run(await envoyOf(version), ['--mode', 'validate', '--disable-hot-restart', '-c', file], { cwd: dir });
  });
}

test('uds.yaml differs from tcp.yaml in the address of the sidecar alone', () => {
  const [tcp, uds] = [readEnvoyConfig('tcp'), readEnvoyConfig('uds')];
  sidecarEndpoint(tcp).address = sidecarEndpoint(uds).address;
  assert.deepEqual(uds, tcp);
});

test('files.yaml differs from uds.yaml in the certificates alone', () => {
  const [files, uds] = [readEnvoyConfig('files'), readEnvoyConfig('uds')];
  delete (files as { node?: unknown }).node;
  for (const tree of [files, uds]) delete tree.static_resources.listeners[0]!.filter_chains[0]!.transport_socket;
  assert.deepEqual(files, uds);
});

test('test-permissive.yaml differs from tcp.yaml in clients, in the host and in the protocol of the service', () => {
  const [tcp, permissive] = [readEnvoyConfig('tcp'), readEnvoyConfig('test-permissive')];
  for (const tree of [tcp, permissive]) {
    delete tree.static_resources.listeners[0]!.filter_chains[0]!.transport_socket;
    const host = connectionManager(tree).route_config.virtual_hosts[0]!;
    host.domains = [];
    delete tree.static_resources.clusters.find(({ name }) => name === 'service')!.typed_extension_protocol_options;
    delete host.typed_per_filter_config;
  }
  assert.deepEqual(permissive, tcp);
});

test('docs/approvals.md says what the configurations say of bodies', () => {
  const { http_filters, route_config } = connectionManager(readEnvoyConfig('tcp'));
  const { typed_per_filter_config: ofHost, routes } = route_config.virtual_hosts[0]!;
  const settings = (of: unknown) =>
    (of as Record<string, { check_settings: object }>)['envoy.filters.http.ext_authz']!.check_settings;
  const places = {
    filter: http_filters[0]!.typed_config,
    'virtual-host': settings(ofHost),
    route: settings(routes[0]!.typed_per_filter_config),
  };
  const shown = blocks(page('docs/approvals.md').text).filter(({ info }) => info.startsWith('yaml '));
  assert.equal(shown.length, 3);
  for (const { info, text } of shown) {
    const place = places[info.slice('yaml '.length) as keyof typeof places];
    assert.deepEqual({ ...place, ...(parse(text) as object) }, place, info);
  }
});

test('docs/connections.md says what the configurations say of the life of connections', () => {
  const { common_http_protocol_options: http } = connectionManager(readEnvoyConfig('uds'));
  const shown = blocks(page('docs/connections.md').text).find(({ info }) => info === 'yaml manager')?.text ?? '';
  const { common_http_protocol_options: bounds } = parse(shown) as Record<string, object>;
  assert.deepEqual({ ...(http as object), ...bounds }, http);
});

test('with nobody at the check port every request is refused, and none reaches the service', async () => {
  const envoy = await start('tcp');
  try {
    const answer = await ask({ port: envoy.port, svid: client, host: 'payments.internal', path: '/api/invoices/1' });
    assert.equal(answer.status, 503);
    assert.equal((await ask({ port: envoy.port, svid: client, host: 'other.internal', path: '/' })).status, 404);
    const upgrade = { port: envoy.port, svid: client, host: 'payments.internal', path: '/', headers: websocketHeaders };
    assert.equal((await ask(upgrade)).status, 503);
    await assert.rejects(ask({ port: envoy.port, svid: null, host: 'payments.internal', path: '/' }));
    const line = await envoy.accessLine(({ path }) => path === '/api/invoices/1');
    assert.equal(line.details, 'ext_authz_error');
    assert.equal(line.peer, 'spiffe://prod.example/ns/payments/sa/api');
    assert.deepEqual(upstream.seen, []);
  } finally {
    await envoy.stop();
  }
});

test('test-permissive.yaml lets any certificate in, and none at all', async () => {
  const envoy = await start('test-permissive');
  try {
    const stranger = TestCa.root('prod.example').svid('spiffe://prod.example/ns/payments/sa/api');
    const expired = ca.svid('spiffe://prod.example/a', { notBefore: ca.now - 7_200_000, notAfter: ca.now - 3_600_000 });
    for (const shown of [stranger, expired, null]) {
      assert.equal((await ask({ port: envoy.port, svid: shown, host: 'anything.example', path: '/' })).status, 503);
    }
  } finally {
    await envoy.stop();
  }
});

async function start(config: 'tcp' | 'test-permissive'): Promise<Envoy> {
  const check = { socket: join(dir, 'nobody.sock') };
  return await startEnvoy({ config, dir, svid, bundlePem: pemBundle(ca), check, upstream: upstream.port });
}

function sidecarEndpoint(tree: ReturnType<typeof readEnvoyConfig>) {
  const cluster = tree.static_resources.clusters.find(({ name }) => name === 'cedar-ext-authz');
  return cluster!.load_assignment.endpoints[0]!.lb_endpoints[0]!.endpoint;
}

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { bundleDocument, pemBundle } from '../support/ca.ts';
import { ask } from '../support/client.ts';
import { type ConnectionManager, connectionManager, type EnvoyTree, endpointOf, startEnvoy } from '../support/envoy.ts';
import { PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { finish } from '../support/run.ts';
import { startUpstream } from '../support/upstream.ts';
import { blocks, page, repository, section } from './markdown.ts';

const attach = section(page('README.md').text, 'Attach it to your Envoy');
const [sidecarYaml = '', envoyYaml = ''] = blocks(attach)
  .filter(({ info }) => info === 'yaml')
  .map(({ text }) => text);
const LEDGER = '/ns/payments/sa/ledger';
const estate = await SidecarEstate.start();
after(() => estate.stop());

test('check-config takes the configuration of the sidecar, with files where it says', async () => {
  const dir = join(estate.dir, 'attach');
  mkdirSync(join(dir, 'bundles'), { recursive: true });
  cpSync(join(repository, 'cedar', 'example'), dir, { recursive: true });
  writeFileSync(join(dir, 'bundles', 'prod.example.json'), JSON.stringify(bundleDocument([estate.ca])));
  const yaml = sidecarYaml.replace('/run/cedar-ext-authz/', `${dir}/`);
  assert.notEqual(yaml, sidecarYaml);
  writeFileSync(join(dir, 'config.yaml'), yaml);
  const [, command = ''] = /`npm run authz -- (check-config [^`]+)`/.exec(attach) ?? [];
  const main = join(repository, 'src', 'main.ts');
  const good = await finish(process.execPath, [main, ...command.split(' ')], { cwd: dir });
  assert.equal(good.code, 0, good.stderr);

  writeFileSync(join(dir, 'config.yaml'), yaml.replace('prod.example.json', 'prod.json'));
  const bad = await finish(process.execPath, [main, ...command.split(' ')], { cwd: dir });
  assert.equal(bad.code, 1, 'a bundle that is not there is noticed');
});

test('Envoy asks the sidecar with what the README adds to its configuration', async () => {
  const { http_filters, clusters, ...manager } = parse(envoyYaml) as ConnectionManager & {
    clusters: EnvoyTree['static_resources']['clusters'];
  };
  const upstream = await startUpstream();
  const svid = estate.svid(LEDGER);
  const envoy = await startEnvoy({
    config: 'uds',
    dir: estate.dir,
    svid: estate.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] }),
    bundlePem: pemBundle(estate.ca),
    check: estate.sidecar.check,
    upstream: upstream.port,
    edit: (tree) => {
      const { address } = endpointOf(tree, 'cedar-ext-authz');
      const authz = 'envoy.filters.http.ext_authz';
      const shipped = connectionManager(tree);
      // What the page says takes the place of what is shipped, so that a line that is missing there is missed here.
      for (const key of Object.keys(manager)) {
        assert.ok(key in shipped, key);
        delete shipped[key];
      }
      Object.assign(shipped, manager);
      assert.deepEqual(
        http_filters.map(({ name }) => name),
        [authz],
      );
      shipped.http_filters = shipped.http_filters.map((filter) => (filter.name === authz ? http_filters[0]! : filter));
      tree.static_resources.clusters = [
        ...tree.static_resources.clusters.filter(({ name }) => name !== 'cedar-ext-authz'),
        ...clusters,
      ];
      endpointOf(tree, 'cedar-ext-authz').address = address;
      // A machine that runs every test at once keeps no deadline of a quarter second.
      http_filters[0]!.typed_config.grpc_service!.timeout = '20s';
    },
  });
  try {
    const send = (method: string, path: string) => ask({ port: envoy.port, svid, host: PAYMENTS, method, path });
    assert.equal((await send('GET', '/api/invoices/42')).status, 200);
    assert.equal((await send('POST', '/api/refunds')).reason, 'approval_required');
    const issuing = estate.ca.intermediate('issuing');
    const path = '/api/invoices/42';
    const chained = {
      port: envoy.port,
      svid: issuing.svid(workload(LEDGER)),
      chain: issuing.chain,
      host: PAYMENTS,
      path,
    };
    assert.equal((await ask(chained)).status, 200, 'the chain is sent, and read');
    const before = upstream.seen.length;
    const twin = await ask({ ...chained, headers: { 'x-authz_task': 'forged' } });
    assert.deepEqual([twin.status, twin.reason, upstream.seen.length], [400, null, before], 'refused by Envoy itself');
    await ask({ ...chained, headers: { 'x-authz-invented': 'forged' } });
    const { headers } = upstream.seen.at(-1)!;
    assert.ok(!headers.some(([name]) => name === 'x-authz-invented'), 'removed early');
  } finally {
    await envoy.stop();
    await upstream.close();
  }
});

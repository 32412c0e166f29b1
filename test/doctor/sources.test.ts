import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { Fault } from '../../src/base/fault.ts';
import { examineEnvoy } from '../../src/doctor/diagnose.ts';
import { xdsResources } from '../../src/doctor/resources.ts';
import { EnvoySources } from '../../src/doctor/sources.ts';
import { at, findingsIn, goods, type Json, set } from '../support/doctor/goods.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { closeServer, listenOnLoopback } from '../support/ports.ts';

/** Where Envoy's configuration comes from, and in which forms. */

const dir = temporaryFolder();
after(() => removeFolder(dir));

const LISTENER = 'static_resources.listeners.0';
const MANAGER = `${LISTENER}.filter_chains.0.filters.0.typed_config`;
const AUTHZ = `${MANAGER}.http_filters.0.typed_config`;

function write(name: string, value: unknown): string {
  const file = join(dir, name);
  writeFileSync(file, typeof value === 'string' ? value : stringify(value));
  return file;
}

async function codes(target: string, folder = dir): Promise<readonly string[]> {
  const resources = await xdsResources(target, folder, new EnvoySources());
  if (resources instanceof Fault) throw new Error(resources.detail);
  return examineEnvoy(resources, null, new Set()).findings.map(
    ({ code, path, line }) => `${code} ${line === null ? path : 'line'}`,
  );
}

async function fault(target: string): Promise<string> {
  const resources = await xdsResources(target, dir, new EnvoySources());
  return resources instanceof Fault ? resources.detail : assert.fail('it was read');
}

/** Every field in the other spelling of protobuf, but for the names of maps. */
function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (typeof value !== 'object' || value === null) return value;
  const spelled = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      /[.@]/.test(name) ? name : spelled(name),
      name === 'context_extensions' ? inner : camelCased(inner),
    ]),
  );
}

test('both spellings of a field count, in good configurations and in others', async () => {
  assert.deepEqual(await codes(write('camel.yaml', camelCased(goods.uds().envoy))), []);
  const open = goods.uds().envoy;
  set(open, `${AUTHZ}.failure_mode_allow`, true);
  assert.deepEqual(await codes(write('open.yaml', camelCased(open))), ['fails-open line']);
});

test('what Envoy reads as true or as an enum is read so', async () => {
  const { envoy } = goods.uds();
  const text = stringify(envoy).replace('failure_mode_allow: false', 'failure_mode_allow: yes');
  assert.deepEqual(await codes(write('yes.yaml', text)), ['fails-open line']);
  set(envoy, `${MANAGER}.forward_client_cert_details`, 4);
  assert.deepEqual(await codes(write('number.yaml', envoy)), ['xfcc-forwarded line']);
  set(envoy, `${MANAGER}.forward_client_cert_details`, 3);
  assert.deepEqual(await codes(write('number.yaml', envoy)), []);
});

test('a filter inside a TypedStruct is a filter', async () => {
  const { envoy } = goods.uds();
  const { '@type': type, ...value } = at(envoy, AUTHZ) as Json;
  const wrapped = { '@type': 'type.googleapis.com/xds.type.v3.TypedStruct', type_url: type, value };
  set(envoy, AUTHZ, wrapped);
  assert.deepEqual(await findingsIn(dir, envoy, null), []);
  value.failure_mode_allow = true;
  assert.deepEqual(
    (await findingsIn(dir, envoy, null)).map(({ code }) => code),
    ['fails-open'],
  );
});

test('subscriptions to files are followed, and what comes from a server is a finding', async () => {
  const { envoy } = goods.uds();
  const listener = at(envoy, LISTENER) as Json;
  const clusters = at(envoy, 'static_resources.clusters') as Json[];
  const routes = at(envoy, `${MANAGER}.route_config`) as Json;
  const typed = (name: string, value: Json) => ({ '@type': `type.googleapis.com/envoy.config.${name}`, ...value });
  const folder = join(dir, 'xds');
  mkdirSync(folder);
  set(envoy, `${MANAGER}.route_config`, undefined);
  const rds = { route_config_name: 'inbound', config_source: { path_config_source: { path: 'xds/rds.yaml' } } };
  set(envoy, `${MANAGER}.rds`, rds);
  write('xds/lds.yaml', { resources: [typed('listener.v3.Listener', listener)] });
  write('xds/cds.yaml', { resources: clusters.map((each) => typed('cluster.v3.Cluster', each)) });
  const bootstrap = write('bootstrap.yaml', {
    dynamic_resources: {
      lds_config: { path_config_source: { path: 'xds/lds.yaml' } },
      cds_config: { path_config_source: { path: 'xds/cds.yaml' } },
    },
  });
  assert.deepEqual(await codes(bootstrap), ['unseen line']);
  write('xds/rds.yaml', { resources: [typed('route.v3.RouteConfiguration', routes)] });
  assert.deepEqual(await codes(bootstrap), []);
  set(routes, 'virtual_hosts.0.domains', ['*']);
  write('xds/rds.yaml', { resources: [typed('route.v3.RouteConfiguration', routes)] });
  assert.deepEqual(await codes(bootstrap), ['host-wildcard line']);
  const ads = write('ads.yaml', { admin: {}, dynamic_resources: { lds_config: { ads: {} }, cds_config: { ads: {} } } });
  assert.deepEqual(await codes(ads), ['unseen line', 'unseen line']);
});

test('aliases are read, and what they would make of a small file is bounded', async () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  assert.match(await fault(write('bomb.yaml', `admin: {}\n${bomb.join('\n')}\n`)), /its aliases cannot be read/);
});

test('what cannot be read is said in one line, and nothing is found in it', async () => {
  assert.match(await fault(join(dir, 'absent.yaml')), /absent\.yaml: cannot be read \(ENOENT/);
  assert.match(
    await fault(write('other.yaml', 'hosts: [a.example]\n')),
    /holds no bootstrap, no dump and no resources/,
  );
  assert.match(await fault(write('list.json', '[1]')), /holds no configuration of Envoy/);
  assert.match(await fault(write('cut.json', '{"admin": {')), /cut\.json: .*line 1/);
  assert.match(await fault(write('twice.json', '{"admin": {}, "admin": {}}')), /is repeated/);
  assert.match(await fault(write('deep.json', `{"admin": ${'['.repeat(500)}`)), /nested deeper/);
  const server = createServer((_, response) => response.writeHead(404).end());
  const port = await listenOnLoopback(server);
  assert.match(await fault(`http://127.0.0.1:${port}`), /config_dump\?include_eds answered 404/);
  await closeServer(server);
  assert.match(await fault(`http://127.0.0.1:${port}`), /no answer \(ECONNREFUSED\)/);
});

test('a dump without end, and a file that is too long, are refused', async () => {
  const server = createServer((_, response) => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const more = (): void => void (response.destroyed || response.write(chunk, more));
    more();
  });
  const port = await listenOnLoopback(server);
  assert.match(await fault(`http://127.0.0.1:${port}`), /answered more than \d+ bytes/);
  server.closeAllConnections();
  await closeServer(server);
  assert.match(await fault(write('long.json', ' '.repeat(32 * 1024 * 1024 + 1))), /longer than \d+ bytes/);
});

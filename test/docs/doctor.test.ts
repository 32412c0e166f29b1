import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { checks } from '../../src/doctor/checks.ts';
import { goods, type Json, set } from '../support/doctor/goods.ts';
import { mutate, mutations } from '../support/doctor/mutations.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { finish } from '../support/run.ts';
import { anchors, blocks, page, repository } from './markdown.ts';

/** docs/doctor.md shows what the doctor says; UPDATE=1 writes it. */

const PAGE = join(repository, 'docs', 'doctor.md');
const dir = temporaryFolder();
after(() => removeFolder(dir));

/** The command in a folder of its own. */
const doctor = (...args: readonly string[]) =>
  finish(process.execPath, [join(repository, 'src', 'main.ts'), 'doctor', ...args], { cwd: dir });
const write = (name: string, tree: Json): void => writeFileSync(join(dir, name), stringify(tree));

/** The shipped configuration as text, with these lines in place of others. */
function edited(...edits: readonly (readonly [was: string, now: string])[]): string {
  return edits.reduce(
    (text, [was, now]) => {
      assert.ok(text.includes(was), was);
      return text.replace(was, now);
    },
    readFileSync(join(repository, 'envoy', 'uds.yaml'), 'utf8'),
  );
}

test('docs/doctor.md shows what the doctor says of two faults, and what it looks for', async () => {
  const route = '                        - match: { prefix: / }\n';
  const disabled = `${route}                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                              disabled: true
`;
  const text = edited(['failure_mode_allow: false', 'failure_mode_allow: true'], [route, disabled]);
  writeFileSync(join(dir, 'envoy.yaml'), text);
  write('config.yaml', goods.uds().product);
  const { code, stdout, stderr } = await doctor('envoy.yaml', '--config', 'config.yaml');
  assert.deepEqual([code, stderr], [1, '']);
  const shown = `$ cedar-ext-authz doctor envoy.yaml --config config.yaml\n${stdout}`;
  const rows = Object.entries(checks).map(
    ([name, { effect, message, write, reason }]) =>
      `| \`${name}\` | ${effect} | ${message} | \`${write}\` | [why](${reason.replace(/^docs\//, '')}) |`,
  );
  const table = ['| code | effect | what is wrong | write | |', '|---|---|---|---|---|', ...rows].join('\n');
  const written = readFileSync(PAGE, 'utf8')
    .replace(/(?<=```console findings\n)[\s\S]*?(?=```)/, () => shown)
    .replace(/(?<=<!-- checks -->\n)[\s\S]*?(?=<!-- \/checks -->)/, () => `${table}\n`);
  if (process.env.UPDATE === '1') writeFileSync(PAGE, written);
  assert.equal(readFileSync(PAGE, 'utf8'), written);
  assert.equal(blocks(written).find(({ info }) => info === 'console findings')?.text, shown);
});

test('the reason of each finding is a section that exists', () => {
  for (const [name, { reason }] of Object.entries(checks)) {
    const [file = '', anchor] = reason.split('#');
    assert.ok(anchor === undefined || anchors(page(file).text).has(anchor), `${name}: ${reason}`);
  }
});

test('--inventory says what servedBy assigns, and goes with --config', async () => {
  const { envoy, product } = goods.spire();
  set(
    envoy,
    'static_resources.listeners.0.filter_chains.0.filters.0.typed_config.route_config.virtual_hosts.0.typed_per_filter_config',
    undefined,
  );
  write('served.yaml', envoy);
  write('central.yaml', { ...product, hosts: [] });
  const example = readFileSync(join(repository, 'cedar', 'example', 'inventory.yaml'), 'utf8');
  writeFileSync(join(dir, 'inventory.yaml'), example);
  const given = ['served.yaml', '--config', 'central.yaml', '--inventory'];
  const good = await doctor(...given, 'inventory.yaml');
  assert.deepEqual([good.code, good.stderr], [0, ''], good.stdout);
  const line = 'servedBy: [spiffe://prod.example/ns/payments/sa/envoy]';
  assert.ok(example.includes(line));
  writeFileSync(join(dir, 'other.yaml'), example.replace(line, line.replace('payments', 'orders')));
  const other = await doctor(...given, 'other.yaml');
  assert.equal(other.code, 1);
  assert.match(other.stdout, /refuses: host-unserved: .*virtual host payments, route 1/);
  writeFileSync(join(dir, 'broken.yaml'), `${example}\nunknown: 1\n`);
  const broken = await doctor(...given, 'broken.yaml');
  assert.deepEqual([broken.code, broken.stdout], [2, '']);
  assert.match(broken.stderr, /^broken\.yaml:\d+:\d+: /);
  assert.match((await doctor(...given, 'absent.yaml')).stderr, /^absent\.yaml: /);
  assert.match((await doctor('served.yaml', '--inventory', 'inventory.yaml')).stderr, /goes with --config/);
});

test('--skip leaves a listener out, --accept counts without failing, --json has fields', async () => {
  const second = mutations.find(({ probe }) => probe === 'second listener')!;
  write('second.yaml', mutate(second).mutant.envoy);
  const found = await doctor('second.yaml', '--json');
  assert.equal(found.code, 1, found.stderr);
  const { findings, seen } = JSON.parse(found.stdout) as { findings: Json[]; seen: Json };
  assert.deepEqual(seen, { listeners: 2, chains: 2, routes: 4 });
  assert.deepEqual(
    findings.map(({ code, effect, place }) => ({ code, effect, place })),
    [{ code: 'filter-missing', effect: 'opens', place: { listener: 'debug', chain: 1 } }],
  );
  const skipped = await doctor('second.yaml', '--skip', 'debug');
  assert.deepEqual([skipped.code, skipped.stdout], [0, 'second.yaml: good: 1 listener, 1 filter chain, 2 routes\n']);
  const accepted = await doctor('second.yaml', '--accept', 'filter-missing');
  assert.deepEqual(
    [accepted.code, accepted.stdout],
    [0, 'second.yaml: good: 2 listeners, 2 filter chains, 4 routes; 1 accepted\n'],
  );
});

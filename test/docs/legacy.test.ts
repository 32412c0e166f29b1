import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { type App, start } from '../../src/app/app.ts';
import { isConfig, loadConfig } from '../../src/config/load.ts';
import { bundleDocument, TestCa } from '../support/ca.ts';
import { copyExample } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { legacyCa } from '../support/legacy.ts';
import { finish } from '../support/run.ts';
import { type Answer, type Ask, type CheckPort, checkPort, workload } from '../support/world.ts';
import { blocks, page, repository } from './markdown.ts';

/** docs/legacy.md from its first command to its last, with a sidecar that runs meanwhile. */

const { text } = page('docs/legacy.md');
// Steps of a list are indented.
const [narrow = '', steps = ''] = text.split('\n## Moving ');
const flat = narrow + steps.replace(/^ {3}/gm, '');
const ERP = workload('/legacy/erp');
const dir = temporaryFolder();
const ca = TestCa.root('prod.example');
let app: App;
let port: CheckPort;

function block(info: string): string {
  const found = blocks(flat).find((one) => one.info === info);
  assert.ok(found !== undefined, info);
  return found.text;
}

/** Types the one command line of a block. */
async function typed(info: string, change = (line: string) => line) {
  const [name, ...args] = change(block(info).trim()).split(' ');
  assert.equal(name, 'cedar-ext-authz');
  const done = await finish(process.execPath, [join(repository, 'src', 'main.ts'), ...args], { cwd: dir });
  assert.equal(done.code, 0, done.stdout + done.stderr);
  return done.stdout;
}

type Entry = { id?: string; legacy?: { hosts: string[]; keys?: object[]; certificates?: object[] } };
type Inventory = { workloads: Entry[] };
const inventoryFile = join(dir, 'inventory.yaml');

/** Puts an entry in place of that of the account. */
function write(entry: Entry): void {
  const inventory = parse(readFileSync(inventoryFile, 'utf8')) as Inventory;
  const workloads = inventory.workloads.map((one) => (one.id === ERP ? entry : one));
  writeFileSync(inventoryFile, stringify({ ...inventory, workloads }));
}

const documented = (info: string): Entry => (parse(block(info)) as [Entry])[0];
const keyOf = (file: string): string => readFileSync(join(dir, file), 'utf8').trim();
const lineOf = (printed: string): object => (parse(printed) as [object])[0];

const send = (ask: Partial<Ask>): Promise<Answer> => port.send({ svid: null, path: '/api/exports/october', ...ask });
const byKey = async (file: string, more: Partial<Ask> = {}): Promise<string> =>
  (await send({ headers: { 'x-api-key': keyOf(file) }, ...more })).reason;
const svid = () => ca.svid(ERP);

before(async () => {
  copyExample(dir);
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundleDocument([ca])));
  writeFileSync(join(dir, 'erp-ca.pem'), legacyCa.certificate.pem);
  writeFileSync(join(dir, 'config.yaml'), block('yaml legacy-config'));
});
after(async () => {
  port?.close();
  await app?.stop();
  removeFolder(dir);
});

test('a key is made, its line is written into the entry of the page, and check-config finds it good', async () => {
  const entry = documented('yaml legacy-entry');
  entry.legacy!.keys = [lineOf(await typed('sh legacy-key'))];
  write(entry);
  assert.match(await typed('sh legacy-check'), /config\.yaml: good/);
  const config = loadConfig(readFileSync(join(dir, 'config.yaml'), 'utf8'), join(dir, 'config.yaml'), {});
  assert.ok(isConfig(config));
  const ports = { stdout: new PassThrough(), log: () => {}, version: 'test', node: 'v24', startedAtMs: Date.now() };
  // A machine that runs every test at once keeps no deadline of a second.
  app = await start({ ...config, limits: { ...config.limits, deadlineMs: 20_000 } }, ports);
  port = checkPort(app.check ?? '', join(dir, 'audit.jsonl'));
  assert.equal(await byKey('erp.key'), 'permitted');
  assert.equal(await byKey('erp.key', { address: '10.3.0.9' }), 'identity_legacy_network');
});

test('two keys are good while one is rotated, and the old one ends with its line', async () => {
  const entry = documented('yaml legacy-entry');
  const old = (parse(readFileSync(inventoryFile, 'utf8')) as Inventory).workloads.find(({ id }) => id === ERP)!;
  const next = lineOf(await typed('sh legacy-key', (line) => line.replace('erp.key', 'next.key')));
  for (const [keys, answers] of [
    [
      [...old.legacy!.keys!, next],
      ['permitted', 'permitted'],
    ],
    [[next], ['identity_key_unknown', 'permitted']],
  ] as const) {
    write({ ...entry, legacy: { ...entry.legacy!, keys: [...keys] } });
    await app.reload();
    assert.deepEqual([await byKey('erp.key'), await byKey('next.key')], answers);
  }
});

test('what the page says of certificates is what configuration and inventory take', async () => {
  const config = parse(block('yaml legacy-config')) as { identity: object };
  const { identity } = parse(block('yaml legacy-authorities')) as { identity: object };
  const whole = { ...config, identity: { ...config.identity, ...identity } };
  const file = join(dir, 'with-authorities.yaml');
  const entry = documented('yaml legacy-entry');
  const before = readFileSync(inventoryFile, 'utf8');
  write({ ...entry, legacy: parse(block('yaml legacy-certificates')) as NonNullable<Entry['legacy']> });
  writeFileSync(file, JSON.stringify(whole));
  await typed('sh legacy-check', (line) => line.replace('config.yaml', 'with-authorities.yaml'));
  writeFileSync(inventoryFile, before);
});

test('the account moves to an SVID of the same id, and its key ends with the entry', async () => {
  assert.match(await typed('sh legacy-reach'), /payments\.internal\/exports +read/);
  const { reason, audit } = await send({ svid: svid(), headers: { 'x-api-key': keyOf('next.key') } });
  assert.equal(reason, 'permitted');
  assert.equal((audit.caller as { credential?: string }).credential, 'x509-svid');
  const lines = (await typed('sh legacy-find')).trim().split('\n');
  assert.match(lines.at(-1)!, /"credential":"x509-svid"/);
  assert.ok(lines.some((line) => line.includes('"credential":"api-key"')));

  write(documented('yaml legacy-moved'));
  const cases = join(dir, 'policies', 'tests', 'payments.yaml');
  const tests = parse(readFileSync(cases, 'utf8')) as { cases: { caller?: string }[] };
  writeFileSync(cases, stringify({ ...tests, cases: tests.cases.filter(({ caller }) => caller !== ERP) }));
  await app.reload();
  assert.equal((await send({ svid: svid() })).reason, 'permitted');
  assert.equal(await byKey('next.key'), 'identity_key_unknown');
});

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { routes } from '../../src/control/api/routes.ts';
import { bundleDocument, pemBundle } from '../support/ca.ts';
import { startControlProcess } from '../support/control-process.ts';
import { type Prepare, SidecarEstate, workload } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/ports.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { run } from '../support/run.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { jwk, jwtSvid, makeKey } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { checkPort } from '../support/world.ts';
import { blocks, page, repository } from './markdown.ts';

const { text } = page('docs/control.md');
const of = (info: string): readonly string[] =>
  blocks(text).flatMap((block) => (block.info === info ? [block.text] : []));
const yaml = (info: string) => parse(of(info).join('\n')) as Record<string, Record<string, unknown>>;
const main = join(repository, 'src', 'main.ts');
const AGENT = '/ns/agents/sa/billing-agent';
const READER = '/ns/support/sa/reader';
const domainKey = makeKey();
const stops: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const stop of stops.toReversed()) await stop();
});

/** A sidecar with the example, in whose folder the commands of the page are typed. */
async function sidecarWith(listen: Record<string, unknown>, more: Prepare) {
  const estate = await SidecarEstate.start({
    listen,
    prepare: (dir, ca) => {
      const keys = [...bundleDocument([ca]).keys, jwk(domainKey, { use: 'jwt-svid' })];
      writeFileSync(join(dir, 'bundle.json'), JSON.stringify({ keys }));
      return more(dir, ca);
    },
  });
  stops.push(estate.stop);
  const { check, auditFile } = estate.sidecar;
  const port = checkPort(`unix:${'socket' in check ? check.socket : ''}`, auditFile);
  stops.push(async () => port.close());
  const reasonFor = async (path: string): Promise<string> =>
    (await port.send({ svid: estate.svid(path), path: '/api/status' })).reason;
  return { ...estate, send: port.send, reasonFor };
}

/** The commands of the blocks, one after the other, in a shell that knows the program by its name. */
function typist(info: string, dir: () => string, edit: (line: string) => string) {
  const lines = of(info).flatMap((block) => block.trim().split('\n'));
  const settings = lines.filter((line) => line.startsWith('control='));
  const commands = lines.filter((line) => !line.startsWith('control='));
  const program = `cedar-ext-authz() { '${process.execPath}' '${main}' "$@"; }`;
  return {
    next: async (): Promise<string> => {
      const script = [program, ...settings, commands.shift() ?? 'exit 3'].map(edit).join('\n');
      return run('bash', ['-c', script], { cwd: dir() });
    },
    left: commands,
  };
}

test('from nothing to the first revocation, as docs/control.md writes it', async () => {
  const SOCKET = 'unix:///run/cedar-ext-authz/control.sock';
  const { listen, control } = yaml('yaml one');
  assert.equal((listen!.control as { address: string }).address, SOCKET);
  const { dir, reasonFor } = await sidecarWith({ control: { address: 'unix:./control.sock' } }, () => ({ control }));
  const shipped = readFileSync(join(repository, 'cedar', 'example', 'policies', 'control', 'incidents.cedar'), 'utf8');
  assert.ok(shipped.includes(of('cedar policy').join('')), 'the policy is one of the example');
  const responder = { key: domainKey, sub: workload('/ns/security/sa/responder'), aud: String(control?.audience) };
  writeFileSync(join(dir, 'responder.jwt'), jwtSvid(responder));
  const type = typist(
    'sh one',
    () => dir,
    (line) => line.replaceAll(SOCKET, `unix://${join(dir, 'control.sock')}`),
  );
  assert.match(await type.next(), /^nothing is changed; the order refuses 1 workload, /);
  assert.equal(await reasonFor(AGENT), 'permitted');
  assert.match(await type.next(), /^revoked INC-2041: .*; covers this process\n/);
  assert.equal(await reasonFor(AGENT), 'revoked_workload');
  assert.match(await type.next(), /^INC-2041 +workload spiffe:\S+billing-agent /m);
  assert.match(await type.next(), /revoked_workload +spiffe:\S+billing-agent /);
  assert.deepEqual(type.left, []);
});

test('a fleet with a control process of its own, as docs/control.md writes it', { skip: noRedis }, async () => {
  const redis = await Redis.start();
  stops.push(() => redis.remove());
  const keys = temporaryFolder();
  stops.push(async () => removeFolder(keys));
  const state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}` };
  const { listen, control } = yaml('yaml fleet');
  const { address, hosts: _, ...port } = listen!.control as { address: string; hosts: unknown; tls: object };
  assert.deepEqual([listen!.check, address], ['off', '0.0.0.0:9443']);
  const at = { dir: keys, url: '' };
  const type = typist(
    'sh fleet',
    () => at.dir,
    (line) => line.replaceAll('https://control.prod.example:9443', at.url),
  );
  await type.next();
  await type.next();
  const { dir, ca, svid, config, sidecar, reasonFor } = await sidecarWith({}, (folder) => {
    for (const name of ['control.key', 'control.pub']) copyFileSync(join(keys, name), join(folder, name));
    return { state, ...yaml('yaml sidecar') };
  });
  const [own, operator] = [svid('/ns/platform/sa/authz'), svid('/ns/platform/sa/operator')];
  const files = {
    ...{ 'tls.crt': own.pem, 'tls.key': own.pkcs8Pem, 'ca.pem': pemBundle(ca) },
    ...{ 'operator.crt': operator.pem, 'operator.key': operator.pkcs8Pem },
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  const process_ = await startControlProcess(dir, { ...config, control }, port);
  stops.push(process_.stop);
  Object.assign(at, { dir, url: process_.url });
  const known = (revocations: number) =>
    until('the order', async () => ((await sidecar.metric('authz_revocations')) === revocations ? true : null));
  assert.match(await type.next(), /^revoked INC-2042: owner support until .*; covers store\n/);
  await known(1);
  assert.equal(await reasonFor(READER), 'revoked_owner');
  assert.match(await type.next(), /^lifted INC-2042, .*; covers store\n/);
  await known(0);
  assert.notEqual(await reasonFor(READER), 'revoked_owner');
  assert.deepEqual(type.left, []);
});

test('a task begins, goes on and ends, as docs/control.md writes it', async () => {
  const tts = new TaskIssuer('prod.example');
  const tls = { files: { certificate: './tls.crt', key: './tls.key' } };
  const address = `127.0.0.1:${await freePort()}`;
  const { dir, ca, svid, send } = await sidecarWith({ control: { address, tls } }, (folder, authority) => {
    const own = authority.svid(workload('/ns/platform/sa/authz'));
    writeFileSync(join(folder, 'tls.crt'), own.pem);
    writeFileSync(join(folder, 'tls.key'), own.pkcs8Pem);
    return { task: tts.configure(folder, { registration: 'required' }) };
  });
  const agent = svid(AGENT);
  const files = { 'ca.pem': pemBundle(ca), 'agent.crt': agent.pem, 'agent.key': agent.pkcs8Pem };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  const check = async () => {
    const headers = { 'txn-token': tts.txnToken({ workload: workload(AGENT) }) };
    return (await send({ svid: agent, path: '/api/invoices/42', headers })).reason;
  };
  const type = typist(
    'sh task',
    () => dir,
    (line) => line.replaceAll('https://control.prod.example:9443', `https://${address}`),
  );
  assert.equal(await check(), 'task_unregistered');
  assert.match(
    await type.next(),
    /^began t-42 for reconcile-invoices until .*, lease until .*; covers this process\n$/,
  );
  assert.equal(await check(), 'permitted');
  assert.match(await type.next(), /^t-42 goes on, lease until /);
  assert.match(await type.next(), /^active +https:\/\/tts\.prod\.example +t-42 +reconcile-invoices /m);
  assert.match(await type.next(), /^ended t-42, taken at /);
  assert.equal(await check(), 'task_ended');
  assert.deepEqual(type.left, []);
});

test('docs/control.md names each call, with the action that policies judge', () => {
  const named = [...text.matchAll(/^\| (`[A-Z]+ .*?) \|.*?\| (?:`(\w+)`)? ?\|$/gm)].flatMap(([, calls = '', action]) =>
    [...calls.matchAll(/`([^`]+)`/g)].map(([, call]) => [call, action] as const),
  );
  const own = routes.map(({ name, method, path, action, open }) => {
    // Whoever is proven may read the one, and everybody the other.
    const judged = name === 'openapi' || open !== undefined ? undefined : action;
    return [`${method} ${path.replace('{id}', 'ID').replace('{key}', 'KEY')}`, judged] as const;
  });
  assert.deepEqual(new Map(named), new Map(own));
});

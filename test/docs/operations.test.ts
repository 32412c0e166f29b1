import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bundleDocument } from '../support/ca.ts';
import { SidecarEstate, workload } from '../support/estate.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { type Finished, finish } from '../support/run.ts';
import { jwk, jwtSvid, makeKey } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { checkPort } from '../support/world.ts';
import { blocks, page, repository } from './markdown.ts';

const AGENT = '/ns/agents/sa/billing-agent';
const domainKey = makeKey();
let estate: SidecarEstate;
let port: ReturnType<typeof checkPort>;
let store: Redis;

before(async () => {
  if (noRedis !== false) return;
  store = await Redis.start();
  estate = await SidecarEstate.start({
    listen: { control: { address: 'unix:./control.sock' } },
    config: {
      state: { store: 'redis', url: `redis://127.0.0.1:${store.port}` },
      control: { audience: 'operators', key: './control.key' },
      task: { dpop: { nonce: { secretFile: './nonces' } } },
    },
    prepare: (dir, ca) => {
      const keys = [...bundleDocument([ca]).keys, jwk(domainKey, { use: 'jwt-svid' })];
      writeFileSync(join(dir, 'bundle.json'), JSON.stringify({ keys }));
      const responder = { key: domainKey, sub: workload('/ns/security/sa/responder'), aud: 'operators' };
      writeFileSync(join(dir, 'operator.jwt'), jwtSvid(responder));
      writeFileSync(join(dir, 'nonces'), `${Buffer.alloc(32, 7).toString('base64')}\n`);
      writeFileSync(join(dir, 'control.key'), makeKey('EdDSA').privateKey.export({ type: 'pkcs8', format: 'pem' }));
      return {};
    },
  });
  const { check, auditFile } = estate.sidecar;
  port = checkPort(`unix:${'socket' in check ? check.socket : ''}`, auditFile);
});
after(async () => {
  port?.close();
  await estate?.stop();
  await store?.remove();
});

/** The lines of the blocks of a page, in order. */
const linesOf = (file: 'docs/drills.md' | 'docs/rotation.md', info: string): readonly string[] =>
  blocks(page(file).text).flatMap((block) => (block.info === info ? block.text.trim().split('\n') : []));

/** One line, typed in the folder of the sidecar by somebody who set the names of docs/alerts.md. */
function type(line: string, more = ''): Promise<Finished> {
  const { dir, sidecar } = estate;
  const script = [
    `cedar-ext-authz() { '${process.execPath}' '${join(repository, 'src', 'main.ts')}' "$@"; }`,
    `status=http://127.0.0.1:${sidecar.statusPort} audit=${sidecar.auditFile}`,
    `control='--control unix://${join(dir, 'control.sock')} --token-file operator.jwt'`,
    more,
    line,
  ];
  return finish('bash', ['-c', script.join('\n')], { cwd: dir });
}

const logged = (message: string): readonly Record<string, unknown>[] =>
  estate.sidecar.log
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line.message === message);

test('a stolen key: what it did, what an order would hit, the order, and the denial', { skip: noRedis }, async () => {
  const send = async () => (await port.send({ svid: estate.svid(AGENT), path: '/api/status' })).reason;
  assert.equal(await send(), 'permitted');
  const [find = '', dryRun = '', order = '', list = '', ...more] = linesOf('docs/drills.md', 'sh stolen');
  assert.deepEqual(more, []);
  assert.match((await type(find)).stdout, /permitted/);
  assert.match((await type(dryRun)).stdout, /^nothing is changed; /);
  assert.equal(await send(), 'permitted');
  assert.match((await type(order)).stdout, /^revoked DRILL-1: /);
  assert.equal(await send(), 'revoked_workload');
  assert.match((await type(list)).stdout, /^DRILL-1 +workload spiffe:\S+billing-agent /m);
});

test('a bad policy: it is found, the last good one decides, and taking it back is enough', {
  skip: noRedis,
}, async () => {
  const file = join(estate.policies, 'control', 'incidents.cedar');
  const good = readFileSync(file, 'utf8');
  writeFileSync(file, good.replace('permit', 'permitt'));
  const [look = '', check = '', find = ''] = linesOf('docs/drills.md', 'sh policy');
  const problems = async () => {
    const { policy } = JSON.parse((await type(look)).stdout) as { policy: { problems: readonly string[] } };
    return policy.problems;
  };
  await until('the problem', async () =>
    (await problems()).some((text) => text.includes('incidents.cedar')) ? true : null,
  );
  const { code, stdout, stderr } = await type(check);
  assert.equal(code, 1);
  assert.match(`${stdout}${stderr}`, /incidents\.cedar/);
  assert.ok([0, 1].includes((await type(find)).code ?? -1));
  writeFileSync(file, good);
  await until('the good one', async () => ((await problems()).length === 0 ? true : null));
});

test('the audit verifies, as it does after a drill', { skip: noRedis }, async () => {
  for (const info of ['sh audit', 'sh disk']) {
    for (const line of linesOf('docs/drills.md', info)) assert.equal((await type(line)).code, 0, line);
  }
});

test('the secret of nonces changes without a restart: both, and then the new one alone', {
  skip: noRedis,
}, async () => {
  const [make = '', both = '', only = ''] = linesOf('docs/rotation.md', 'sh nonce');
  for (const line of [make, both]) assert.equal((await type(line)).code, 0, line);
  await until('both', () => (logged('nonce secrets read').some(({ secrets }) => secrets === 2) ? true : null));
  assert.equal((await type(only)).code, 0);
  await until('the new one', () => (logged('nonce secrets read').at(-1)?.secrets === 1 ? true : null));
});

test('the key of the control process changes without a restart of it', { skip: noRedis }, async () => {
  for (const line of linesOf('docs/rotation.md', 'sh control')) assert.equal((await type(line)).code, 0, line);
  const before = logged('keys of lifts read').length;
  assert.equal((await type('mv control.new control.key')).code, 0);
  await until('the new key', () => (logged('keys of lifts read').length > before ? true : null));
  assert.deepEqual(logged('keys of lifts could not be read'), []);
  assert.match(readFileSync(join(estate.dir, 'control-new.pub'), 'utf8'), /^-----BEGIN PUBLIC KEY-----/);
});

test('keys of the token service: the new one behind the old one, and then alone', { skip: noRedis }, async () => {
  const keys = () =>
    readFileSync(join(estate.dir, 'service.key'), 'utf8').split('-----BEGIN PRIVATE KEY-----').slice(1);
  const [make = '', both = '', only = ''] = linesOf('docs/rotation.md', 'sh service');
  assert.equal((await type(make.replace('service.new', 'service.key'))).code, 0);
  const [old] = keys();
  for (const line of [make, both]) assert.equal((await type(line)).code, 0, line);
  assert.equal(keys().length, 2);
  assert.equal(keys()[0], old);
  assert.equal((await type(only)).code, 0);
  assert.equal(keys().length, 1);
  assert.notEqual(keys()[0], old);
});

test('the password of the store: both are good for a while, and then the new one alone', {
  skip: noRedis,
}, async (t) => {
  const redis = await Redis.start();
  t.after(() => redis.remove());
  await redis.admin('ACL', 'SETUSER', 'authz', 'on', '>before', '+acl|whoami');
  writeFileSync(join(estate.dir, 'old-password'), 'before\n');
  writeFileSync(join(estate.dir, 'new-password'), 'behind\n');
  const program = `redis-cli() { command redis-cli -p ${redis.port} "$@"; }`;
  const isGood = async (password: string) =>
    (await type(`redis-cli --no-auth-warning --user authz --pass ${password} ACL WHOAMI`, program)).stdout.includes(
      'authz',
    );
  const [add = '', write = '', remove = ''] = linesOf('docs/rotation.md', 'sh store');
  for (const line of [add, write]) assert.equal((await type(line, program)).code, 0, line);
  assert.deepEqual([await isGood('before'), await isGood('behind')], [true, true]);
  assert.equal((await type(remove, program)).code, 0);
  assert.deepEqual([await isGood('before'), await isGood('behind')], [false, true]);
});

test('exit codes are those of the page', { skip: noRedis }, async () => {
  const rows = page('docs/operations.md').text.matchAll(/^\| (\d+) \| ([^|]+) \|/gm);
  const said = new Map([...rows].map(([, code, meaning = '']) => [Number(code), meaning]));
  writeFileSync(join(estate.dir, 'wrong.yaml'), 'nonsense: true\n');
  const taken = readFileSync(estate.sidecar.configFile, 'utf8');
  writeFileSync(join(estate.dir, 'taken.yaml'), taken);
  for (const [line, code, meaning] of [
    ['cedar-ext-authz serve --config wrong.yaml', 2, /the configuration is wrong/],
    ['cedar-ext-authz serve --config taken.yaml', 1, /it could not start: a port that is taken/],
    ['cedar-ext-authz serve --nonsense', 64, /the command line is wrong/],
  ] as const) {
    assert.equal((await type(line)).code, code, line);
    assert.match(said.get(code) ?? '', meaning);
  }
});

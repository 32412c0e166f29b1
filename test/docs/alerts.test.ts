import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bundleDocument } from '../support/ca.ts';
import { SidecarEstate, workload } from '../support/estate.ts';
import { noRedis, Redis } from '../support/redis.ts';
import { finish } from '../support/run.ts';
import { jwk, jwtSvid, makeKey } from '../support/tokens.ts';
import { blocks, page, prose, repository } from './markdown.ts';

const { text } = page('docs/alerts.md');
const [setup = ''] = blocks(text).flatMap(({ info, text }) => (info === 'sh look' ? [text] : []));
/** Each command in code letters, without those of other programs. */
const commands = [
  ...new Set([...prose(text).matchAll(/`((?:curl|cedar-ext-authz) [^`]+)`/g)].map(([, command = '']) => command)),
];
const POLICY = `
@id("operator-views")
@description("The operator of these tests views everything.")
permit (principal == Control::Workload::"${workload('/ns/support/sa/reader')}", action, resource);
`;

let estate: SidecarEstate;
let redis: Redis;

before(async () => {
  if (noRedis !== false) return;
  redis = await Redis.start();
  const key = makeKey();
  estate = await SidecarEstate.start({
    listen: { control: { address: 'unix:./control.sock' } },
    config: {
      control: { audience: 'operators', key: './control.key' },
      state: { store: 'redis', url: `redis://127.0.0.1:${redis.port}` },
    },
    prepare: (dir, ca) => {
      const keys = [...bundleDocument([ca]).keys, jwk(key, { use: 'jwt-svid' })];
      writeFileSync(join(dir, 'bundle.json'), JSON.stringify({ keys }));
      writeFileSync(join(dir, 'policies', 'control', 'operator.cedar'), POLICY);
      const sub = workload('/ns/support/sa/reader');
      writeFileSync(
        join(dir, 'control.key'),
        generateKeyPairSync('ed25519', {
          privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
          publicKeyEncoding: { type: 'spki', format: 'pem' },
        }).privateKey,
      );
      writeFileSync(join(dir, 'operator.jwt'), jwtSvid({ key, sub, aud: 'operators' }));
      return {};
    },
  });
});
after(async () => {
  await estate?.stop();
  await redis?.remove();
});

/** The names that the page sets, as they are here. */
function names(): string {
  const { sidecar, dir } = estate;
  return setup
    .replace('http://127.0.0.1:9192', `http://127.0.0.1:${sidecar.statusPort}`)
    .replace('/var/log/cedar-ext-authz/audit.jsonl', sidecar.auditFile)
    .replace('/run/cedar-ext-authz/control.sock', join(dir, 'control.sock'));
}

test('the page has commands', () => assert.ok(commands.length > 20, String(commands.length)));

for (const command of commands) {
  test(command, { skip: noRedis }, async () => {
    const program = `cedar-ext-authz() { '${process.execPath}' '${join(repository, 'src', 'main.ts')}' "$@"; }`;
    const here = command.replace('http://127.0.0.1:9901', join(repository, 'envoy', 'uds.yaml'));
    const script = [program, names(), here].join('\n');
    const { code, stdout, stderr } = await finish('bash', ['-c', script], { cwd: estate.dir });
    // Nothing happened yet, so that nothing is found.
    const isEmpty = / audit find /.test(command) && code === 1;
    assert.ok(code === 0 || isEmpty, `${code}: ${stdout}${stderr}`);
  });
}

test('what the page looks for in /status is there', { skip: noRedis }, async () => {
  const status = (await (await estate.sidecar.status('/status')).json()) as Record<string, unknown>;
  const under = [...text.matchAll(/\$status\/status`, under ((?:`[\w.]+`(?:, | and )?)+)/g)];
  assert.ok(under.length > 10);
  for (const [, list = ''] of under) {
    for (const [, path = ''] of list.matchAll(/`([\w.]+)`/g)) {
      let at: unknown = status;
      for (const key of path.split('.')) {
        assert.ok(typeof at === 'object' && at !== null && key in at, path);
        at = (at as Record<string, unknown>)[key];
      }
    }
  }
});

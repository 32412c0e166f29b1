import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { stringify } from 'yaml';
import { blocks, page, repository } from '../../docs/markdown.ts';
import { type Issued, pemBundle, TestCa } from '../../support/ca.ts';
import { ask } from '../../support/client.ts';
import { type EnvoyTree, place, writeEnvoyCerts } from '../../support/envoy.ts';
import { findEnvoy } from '../../support/envoy-binary.ts';
import { copyExample, PAYMENTS, TRUST_DOMAIN, workload } from '../../support/estate.ts';
import { removeFolder, temporaryFolder } from '../../support/folder.ts';
import { freePort } from '../../support/ports.ts';
import { Program } from '../../support/process.ts';
import { finish, run } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { startUpstream, type Upstream } from '../../support/upstream.ts';

/** docs/vm.md as it stands: the commands of its units, its files and its renewal, with the paths of this test. */

const LEDGER = '/ns/payments/sa/ledger';
const ENVOY = '/ns/payments/sa/envoy';
const main = join(repository, 'src', 'main.ts');
const documented = (info: string): string => {
  const block = blocks(page('docs/vm.md').text).find((each) => each.info === info);
  if (block === undefined) throw new Error(`docs/vm.md has no block ${info}`);
  return block.text;
};

describe('Envoy and the sidecar by the units of docs/vm.md', () => {
  const dir = temporaryFolder();
  const ca = TestCa.root(TRUST_DOMAIN);
  const own = ca.svid(workload(ENVOY), { dns: [PAYMENTS] });
  const programs: Program[] = [];
  let envoyBinary: string;
  let upstream: Upstream;
  let [port, admin, status] = [0, 0, 0];

  /** The text with folders and ports of this test in place of those of the machine. */
  const placed = (text: string): string =>
    text
      .replaceAll('/opt/cedar-ext-authz/bin/cedar-ext-authz', `${process.execPath} ${main}`)
      .replaceAll('/usr/bin/envoy', envoyBinary)
      .replaceAll('/etc/cedar-ext-authz', join(dir, 'authz'))
      .replaceAll('/etc/envoy', join(dir, 'envoy'))
      .replaceAll('/var/lib/cedar-ext-authz', join(dir, 'state'))
      .replaceAll('/run/cedar-ext-authz', join(dir, 'run'))
      .replaceAll('127.0.0.1:9192', `127.0.0.1:${status}`)
      .replaceAll('http://127.0.0.1:9901', `http://127.0.0.1:${admin}`)
      .replaceAll('cedar-ext-authz doctor', `${process.execPath} ${main} doctor`);
  /** Starts what a unit says, in the folder that it says. */
  const startUnit = (name: string): Program => {
    const unit = placed(documented(`ini ${name}`));
    const setting = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];
    const [file = '', ...args] = (setting('ExecStart') ?? '').split(' ');
    const program = new Program(name, file, args, { cwd: setting('WorkingDirectory') ?? dir });
    programs.push(program);
    return program;
  };
  const get = (svid: Issued, chain: readonly Issued[] = []) =>
    ask({ port, svid, chain, host: PAYMENTS, path: '/api/invoices/42' });

  before(async () => {
    envoyBinary = await findEnvoy();
    upstream = await startUpstream();
    [port, admin, status] = [await freePort(), await freePort(), await freePort()];
    for (const folder of ['authz', 'envoy', 'state', 'run']) mkdirSync(join(dir, folder));
    copyExample(join(dir, 'authz'));
    // A machine that runs every test at once keeps no deadline of a quarter second.
    writeFileSync(
      join(dir, 'authz', 'config.yaml'),
      `${placed(documented('yaml config.yaml'))}limits: { deadline: 30s }\n`,
    );
    writeEnvoyCerts(join(dir, 'envoy'), own, pemBundle(ca));
    const check = { socket: join(dir, 'run', 'check.sock') };
    writeEnvoy(place({ config: 'files', check, upstream: upstream.port }));
    const sidecar = startUnit('cedar-ext-authz.service');
    await until('readiness of the sidecar', async () => {
      sidecar.assertRunning();
      return (await fetch(`http://127.0.0.1:${status}/readyz`)).status === 200 ? true : null;
    });
    const envoy = startUnit('envoy.service');
    const healthy = `http://127.0.0.1:${admin}/stats?filter=cluster.cedar-ext-authz.membership_healthy`;
    await until('a healthy sidecar', async () => {
      envoy.assertRunning();
      return (await (await fetch(healthy)).text()).includes(': 1') ? true : null;
    });
  });
  after(async () => {
    for (const program of programs.reverse()) await program.stop();
    await upstream?.close();
    removeFolder(dir);
  });

  function writeEnvoy(tree: EnvoyTree): void {
    tree.admin.address.socket_address.port_value = admin;
    tree.static_resources.listeners[0]!.address.socket_address.port_value = port;
    writeFileSync(join(dir, 'envoy', 'envoy.yaml'), stringify(tree));
  }

  test('a caller is proven, one with an intermediate too, and a stranger is refused', async () => {
    const answer = await get(ca.svid(workload(LEDGER)));
    assert.equal(answer.status, 200, answer.body);
    const issuing = ca.intermediate('issuing');
    assert.equal((await get(issuing.svid(workload(LEDGER)), issuing.chain)).status, 200);
    assert.equal((await get(ca.svid(workload('/ns/payments/sa/nobody')))).reason, 'caller_unregistered');
    await assert.rejects(get(TestCa.root(TRUST_DOMAIN).svid(workload(LEDGER))));
  });

  test('a certificate that is renewed as the page says is shown, and requests go on', async () => {
    assert.equal(await shownBy(port, ca.svid(workload(LEDGER))), own.thumbprint);
    const next = ca.svid(workload(ENVOY), { dns: [PAYMENTS] });
    mkdirSync(join(dir, 'envoy', 'new'));
    writeFileSync(join(dir, 'envoy', 'new', 'envoy.pem'), next.pem);
    writeFileSync(join(dir, 'envoy', 'new', 'envoy.key'), next.pkcs8Pem);
    await run('bash', ['-euo', 'pipefail', '-c', documented('sh renew')], { cwd: join(dir, 'envoy') });
    await until('the new certificate', async () =>
      (await shownBy(port, ca.svid(workload(LEDGER)))) === next.thumbprint ? true : null,
    );
    assert.equal((await get(ca.svid(workload(LEDGER)))).status, 200);
  });

  test('the doctor finds nothing in it, and the certificate of callers where it is not sent', async () => {
    const command = placed(documented('sh doctor')).trim();
    const good = await finish('bash', ['-c', command]);
    assert.deepEqual([good.code, good.stderr], [0, ''], good.stdout);
    assert.match(good.stdout, /: good: 1 listener, 1 filter chain, 2 routes/);
    const file = join(dir, 'envoy', 'without.yaml');
    const tree = place({ config: 'files', check: { socket: join(dir, 'run', 'check.sock') }, upstream: 1 });
    const manager = tree.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
    delete (manager.http_filters[0]!.typed_config as { include_peer_certificate?: boolean }).include_peer_certificate;
    writeFileSync(file, stringify(tree));
    const bad = await finish('bash', ['-c', command.replace(`http://127.0.0.1:${admin}`, file)]);
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /refuses: peer-certificate: .*\n {2}write: include_peer_certificate: true\n/);
    assert.equal(bad.stdout.match(/ {2}write: /g)?.length, 1, bad.stdout);
  });

  test('systemd accepts the units', { skip: !existsSync('/usr/bin/systemd-analyze') }, async () => {
    const units = ['cedar-ext-authz.service', 'envoy.service'].map((name) => {
      writeFileSync(join(dir, name), placed(documented(`ini ${name}`)));
      return join(dir, name);
    });
    const verify = () => finish('systemd-analyze', ['verify', '--man=no', ...units]);
    const good = await verify();
    const ours = (text: string) => text.split('\n').filter((line) => line.includes(dir) || /authz|envoy/.test(line));
    assert.deepEqual([good.code, ours(good.stderr)], [0, []]);
    writeFileSync(units[0]!, placed(documented('ini cedar-ext-authz.service')).replace('RestartSec', 'RestartSeconds'));
    assert.match((await verify()).stderr, /Unknown key.*RestartSeconds/);
  });
});

/** The thumbprint of the certificate that Envoy shows to a new connection. */
function shownBy(port: number, { pem, pkcs8Pem }: Issued): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', cert: pem, key: pkcs8Pem, rejectUnauthorized: false }, () => {
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.end();
      resolve(Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'));
    });
    socket.on('error', reject);
  });
}

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Refusal } from '../../src/base/outcome.ts';
import { refused } from '../../src/check/answer.ts';
import { serveChecks } from '../../src/envoy/server.ts';
import { CheckClient } from '../support/check-client.ts';
import { checkBytes } from '../support/check-request.ts';
import { ask } from '../support/client.ts';
import { connectionManager } from '../support/envoy.ts';
import { Estate, PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { H2Connection } from '../support/h2-client.ts';
import { connectionOf } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/process.ts';
import { until } from '../support/until.ts';

const LEDGER = workload('/ns/payments/sa/ledger');
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

describe('S7: the Unix socket', () => {
  let estate: SidecarEstate;
  let path: string;
  before(async () => {
    estate = await SidecarEstate.start();
    ({ socket: path } = estate.sidecar.check as { socket: string });
  });
  after(() => estate?.stop());

  const read = (): Uint8Array =>
    checkBytes({ path: '/api/invoices/42', attributes: connectionOf(LEDGER, estate.ca.svid(LEDGER)) });

  /** A second instance with the configuration of the first; its exit code and what it said. */
  async function second(): Promise<{ readonly code: number; readonly said: string }> {
    const config = JSON.parse(readFileSync(estate.sidecar.configFile, 'utf8'));
    config.listen.status = `127.0.0.1:${await freePort()}`;
    config.audit.sinks[0].file.path = join(estate.dir, 'second.jsonl');
    const file = join(estate.dir, 'second.yaml');
    writeFileSync(file, JSON.stringify(config));
    const program = new Program('a second instance', process.execPath, [main, 'serve', '--config', file]);
    return { code: await program.ended(), said: program.tail() };
  }

  for (const authority of ['%2Frun%2Fcedar-ext-authz%2Fcheck.sock', 'localhost', 'cedar_ext_authz']) {
    test(`whoever names it ${authority} is answered`, async () => {
      const connection = await H2Connection.to(estate.sidecar.check);
      assert.equal((await connection.check(read(), { ':authority': authority })).status.code, 0);
      connection.close();
      const client = new CheckClient(estate.sidecar.check, { 'grpc.default_authority': authority });
      assert.equal((await client.check(read())).status.code, 0);
      client.close();
    });
  }

  test('a second instance on the path of a live one ends with an error, and the first goes on', async () => {
    const { code, said } = await second();
    assert.equal(code, 1);
    assert.match(said, /is served by another instance/);
    const connection = await H2Connection.to(estate.sidecar.check);
    assert.equal((await connection.check(read())).status.code, 0);
    connection.close();
  });

  test('a live instance that is too busy to be reached is no leftover', async () => {
    process.kill(estate.sidecar.pid, 'SIGSTOP');
    const waiting: Socket[] = [];
    try {
      let full = false;
      while (!full) {
        const socket = connect(path);
        waiting.push(socket);
        full = await new Promise<boolean>((resolve) => {
          socket.once('connect', () => resolve(false));
          socket.once('error', () => resolve(true));
        });
      }
      const { code, said } = await second();
      assert.equal(code, 1, said);
      assert.match(said, /EAGAIN/);
    } finally {
      process.kill(estate.sidecar.pid, 'SIGCONT');
      for (const socket of waiting) socket.destroy();
    }
    // It has to accept those that waited first.
    const connection = await until('the first to go on', () => H2Connection.to(estate.sidecar.check));
    assert.equal((await connection.check(read())).status.code, 0);
    connection.close();
  });

  test('the socket that a killed instance left behind is replaced', async () => {
    await estate.sidecar.kill();
    const left = statSync(path);
    assert.ok(left.isSocket());
    await estate.sidecar.start();
    assert.notEqual(statSync(path).ino, left.ino);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    const connection = await H2Connection.to(estate.sidecar.check);
    assert.equal((await connection.check(read())).status.code, 0);
    connection.close();
  });
});

test('S7: of two instances that start on one path at the same time, one serves and the other is told', async () => {
  const dir = temporaryFolder();
  const socket = join(dir, 'check.sock');
  const refusal = new Refusal('policy_no_permit', 'nobody permits');
  const reference = { decision: 'd', seq: null, hash: null };
  const answer = async () => ({ decided: refused(refusal), reference });
  const start = () =>
    serveChecks(
      { socket },
      { requestBytes: 65_536, concurrentStreams: 16, sessionMemoryMb: 1 },
      { answer, read: () => refusal, onBug: assert.fail },
    );
  const both = await Promise.allSettled([start(), start()]);
  try {
    const refused = both.filter((one) => one.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.match(String(refused[0]!.reason), /is served by another instance/);
    assert.deepEqual(readdirSync(dir), ['check.sock']);
    (await H2Connection.to({ socket })).close();
  } finally {
    for (const one of both) if (one.status === 'fulfilled') await one.value.drain(0, 1000);
    removeFolder(dir);
  }
});

/** The status of a permitted read through an Envoy that calls the check port's cluster so. */
async function readThrough(cluster: string, authority: { authority?: string }): Promise<number> {
  const estate = await Estate.start({
    envoy: 'uds',
    edit: (tree) => {
      const filter = connectionManager(tree).http_filters.find(({ name }) => name === 'envoy.filters.http.ext_authz');
      Object.assign(filter!.typed_config.grpc_service!, { envoy_grpc: { cluster_name: cluster, ...authority } });
      const found = tree.static_resources.clusters.find(({ name }) => name === 'cedar-ext-authz')!;
      const grpc_health_check = { service_name: 'envoy.service.auth.v3.Authorization', ...authority };
      const health_checks = found.health_checks!.map((check) => ({ ...check, grpc_health_check }));
      Object.assign(found, { name: cluster, health_checks });
    },
  });
  try {
    const svid = estate.svid('/ns/payments/sa/ledger');
    return (await ask({ port: estate.envoy.port, svid, host: PAYMENTS, path: '/api/invoices/42' })).status;
  } finally {
    await estate.stop();
  }
}

test('S7: an Envoy that names the socket percent-encoded is answered', async () => {
  assert.equal(await readThrough('cedar-ext-authz', { authority: '%2Frun%2Fcheck.sock' }), 200);
});

test("S7: a cluster whose name is no authority needs one: Envoy sends its name, which Node's HTTP/2 refuses", async () => {
  const istio = 'outbound|9191||authz.mesh.svc.cluster.local';
  assert.equal(await readThrough(istio, {}), 503);
  assert.equal(await readThrough(istio, { authority: 'authz.mesh.svc.cluster.local' }), 200);
});

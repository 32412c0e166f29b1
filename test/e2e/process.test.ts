import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkBytes } from '../support/check-request.ts';
import { SidecarEstate, workload } from '../support/estate.ts';
import { H2Connection } from '../support/h2-client.ts';
import { connectionOf } from '../support/load.ts';
import { freePort } from '../support/ports.ts';
import { Program } from '../support/process.ts';
import { finish } from '../support/run.ts';
import { until } from '../support/until.ts';

const LEDGER = workload('/ns/payments/sa/ledger');
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const NEVER = '10m';

/** Starts the product once more, with a configuration that is a change of the estate's. */
async function startAlso(
  estate: SidecarEstate,
  change: (config: { listen: { check: string; status: string }; audit: { sinks: object[] } }) => void,
): Promise<{ readonly code: number; readonly said: string }> {
  const config = JSON.parse(readFileSync(estate.sidecar.configFile, 'utf8'));
  change(config);
  const file = join(estate.dir, 'also.yaml');
  writeFileSync(file, JSON.stringify(config));
  const program = new Program('another instance', process.execPath, [main, 'serve', '--config', file]);
  return { code: await program.ended(), said: program.tail() };
}

const read = (estate: SidecarEstate): Uint8Array =>
  checkBytes({ path: '/api/invoices/42', attributes: connectionOf(LEDGER, estate.ca.svid(LEDGER)) });

async function assertServing(estate: SidecarEstate): Promise<void> {
  const connection = await H2Connection.to(estate.sidecar.check);
  assert.equal((await connection.check(read(estate))).status.code, 0);
  connection.close();
}

async function assertAuditWhole({ sidecar }: SidecarEstate): Promise<void> {
  const verified = await finish(process.execPath, [main, 'audit', 'verify', sidecar.auditFile]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.equal(sidecar.audit().filter(({ event }) => event === 'boot').length, 1);
}

for (const tcp of [false, true]) {
  describe(`a start beside a sidecar on ${tcp ? 'TCP' : 'a Unix socket'}`, () => {
    let estate: SidecarEstate;
    before(async () => {
      estate = await SidecarEstate.start({ tcp });
    });
    after(() => estate?.stop());

    const taken: [what: string, change: Parameters<typeof startAlso>[1]][] = [
      ['both ports and the audit file', () => {}],
      [
        'the check port',
        ({ listen }) => {
          listen.status = 'off';
        },
      ],
      [
        'the status port',
        ({ listen }) => {
          listen.check = `unix://${join(estate.dir, 'other.sock')}`;
        },
      ],
    ];
    for (const [what, change] of taken) {
      test(`that would take ${what} exits 1 at once, leaves nothing, and the first serves on`, async () => {
        const { code, said } = await startAlso(estate, change);
        assert.equal(code, 1, said);
        assert.match(said, /is served by another instance|EADDRINUSE|address already in use/);
        assert.equal(existsSync(join(estate.dir, 'other.sock')), false);
        await assertServing(estate);
        await assertAuditWhole(estate);
      });
    }
  });
}

test('a start whose audit file cannot be used exits 1 at once, and gives its ports back', async () => {
  const estate = await SidecarEstate.start();
  try {
    const port = await freePort();
    const { code, said } = await startAlso(estate, (config) => {
      config.listen = { check: `unix://${join(estate.dir, 'other.sock')}`, status: `127.0.0.1:${port}` };
      config.audit.sinks = [{ file: { path: estate.dir } }];
    });
    assert.equal(code, 1, said);
    assert.match(said, /EISDIR/);
    assert.equal(existsSync(join(estate.dir, 'other.sock')), false);
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
  } finally {
    await estate.stop();
  }
});

describe('a signal', () => {
  let estate: SidecarEstate;
  before(async () => {
    estate = await SidecarEstate.start();
  });
  after(() => estate?.stop());

  for (const signal of ['SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR', 'SIGXFSZ', 'SIGHUP'] as const) {
    test(`${signal} does not end the process`, async () => {
      process.kill(estate.sidecar.pid, signal);
      await assertServing(estate);
      assert.equal(
        estate.sidecar.log.some((line) => line.includes('stopped')),
        false,
      );
    });
  }

  test('SIGHUP goes on in a new audit file, before any check comes', async () => {
    const { auditFile, pid } = estate.sidecar;
    const [moved, lines] = [`${auditFile}.1`, estate.sidecar.audit().length];
    renameSync(auditFile, moved);
    process.kill(pid, 'SIGHUP');
    await until('the new file', () => (existsSync(auditFile) ? true : null));
    await assertServing(estate);
    assert.equal(readFileSync(moved, 'utf8').trimEnd().split('\n').length, lines);
    assert.equal(estate.sidecar.audit().length, 1);
  });

  test('SIGHUP looks at the policies at once', async () => {
    const { revision } = estate.sidecar.audit().findLast(({ result }) => result !== undefined)!.policy!;
    const one = 'resource == Mesh::Endpoint::"payments.internal/api/invoices/77"';
    writeFileSync(join(estate.policies, 'hup.cedar'), `@id("hup") forbid (principal, action, ${one});`);
    process.kill(estate.sidecar.pid, 'SIGHUP');
    const now = await until('another revision', async () => {
      const { policy } = (await (await estate.sidecar.status('/status')).json()) as { policy: { revision: string } };
      return policy.revision === revision ? null : policy.revision;
    });
    assert.notEqual(now, revision);
  });
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  test(`${signal} says NOT_SERVING and takes checks for limits.drainDelay, and a second one ends it at once`, async () => {
    const estate = await SidecarEstate.start({ config: { limits: { deadline: '30s', drainDelay: NEVER } } });
    try {
      const { pid } = estate.sidecar;
      process.kill(pid, signal);
      await until('the end of readiness', async () =>
        (await estate.sidecar.status('/readyz')).status === 503 ? true : null,
      );
      await assertServing(estate);
      process.kill(pid, signal);
      await until('its end', () => {
        try {
          process.kill(pid, 0);
          return null;
        } catch {
          return true;
        }
      });
    } finally {
      await estate.stop();
    }
  });
}

test('after limits.drainDelay the port is gone, what is in flight is answered, and the exit code is 0', async () => {
  const estate = await SidecarEstate.start({ config: { limits: { deadline: '30s', drainDelay: '500ms' } } });
  try {
    const connection = await H2Connection.to(estate.sidecar.check);
    const slow = connection.begin();
    assert.equal((await connection.check(read(estate))).status.code, 0);
    const ended = estate.sidecar.stop();
    await until('GOAWAY', () => (connection.goaway ? true : null));
    assert.equal((await slow.finish(read(estate))).status.code, 0);
    assert.equal(await ended, 0);
    await assert.rejects(H2Connection.to(estate.sidecar.check), /ECONNREFUSED|ENOENT/);
  } finally {
    await estate.stop();
  }
});

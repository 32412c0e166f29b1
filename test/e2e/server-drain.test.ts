import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { checkBytes } from '../support/check-request.ts';
import { SidecarEstate, workload } from '../support/estate.ts';
import { H2Connection } from '../support/h2-client.ts';
import { connectionOf } from '../support/load.ts';
import { until } from '../support/until.ts';

const LEDGER = workload('/ns/payments/sa/ledger');
const BURST = 64;
/** Longer than any test run: whoever waits for it waits in vain. */
const NEVER = '10m';

describe('B46: SIGTERM', () => {
  let estate: SidecarEstate;
  before(async () => {
    estate = await SidecarEstate.start({ config: { limits: { deadline: '30s', drain: NEVER } } });
  });
  beforeEach(async () => {
    if (estate.sidecar.pid === -1) await estate.sidecar.start();
  });
  after(() => estate?.stop());

  const open = (): Promise<H2Connection> => H2Connection.to(estate.sidecar.check);
  const read = (): Uint8Array =>
    checkBytes({ path: '/api/invoices/42', attributes: connectionOf(LEDGER, estate.ca.svid(LEDGER)) });

  test('a check in flight is answered, a new one finds nobody, and an idle connection holds nothing up', async () => {
    const [busy, idle] = [await open(), await open()];
    const silent = connect((estate.sidecar.check as { socket: string }).socket);
    await once(silent.resume(), 'connect');
    assert.equal((await idle.check(read())).status.code, 0);
    const slow = busy.begin();
    assert.equal((await busy.check(read())).status.code, 0);

    const ended = estate.sidecar.stop();
    await until('the end of the connections', () => (busy.goaway && idle.session.destroyed ? true : null));
    const page = await estate.sidecar.status('/readyz');
    assert.deepEqual([page.status, await page.json()], [503, { ready: false, missing: ['shutting down'] }]);
    await assert.rejects(open(), /ECONNREFUSED|ENOENT/);
    await assert.rejects(busy.check(read()), { code: 'ERR_HTTP2_GOAWAY_SESSION' });
    assert.equal((await slow.finish(read())).status.code, 0);
    assert.equal(await ended, 0);
    assert.equal(estate.sidecar.audit().filter(({ result }) => result === 'allow').length, 3);
    silent.destroy();
  });

  test('whoever watches the health hears NOT_SERVING before the connection ends, and holds nothing up', async () => {
    const connection = await open();
    const heard: string[] = [];
    connection.session.on('goaway', () => heard.push('GOAWAY'));
    const watch = connection.session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Watch',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    watch.on('data', (bytes: Buffer) => heard.push(STATUS[bytes.at(-1)!]!));
    watch.end(Buffer.alloc(GRPC_PREFIX));
    await until('the health', () => (heard.includes('SERVING') ? true : null));
    assert.equal(await estate.sidecar.stop(), 0);
    // A connection may be told of its end more than once.
    assert.deepEqual([...new Set(heard)], ['SERVING', 'NOT_SERVING', 'GOAWAY']);
  });

  test('of a burst, every check that the last GOAWAY covers is answered, and the others may be sent again', async () => {
    const connection = await open();
    let last = 0;
    connection.session.on('goaway', (_code: number, lastStream: number) => {
      last = lastStream;
    });
    const calls = Array.from({ length: BURST }, () => connection.begin());
    const messages = calls.map(() => read());
    const answers = calls.map(({ finish }, n) => finish(messages[n]));
    await Promise.race(answers);
    const ended = estate.sidecar.stop();
    for (const [n, answer] of (await Promise.allSettled(answers)).entries()) {
      const { stream } = calls[n]!;
      if (answer.status === 'fulfilled') assert.equal(answer.value.status.code, 0);
      else assert.deepEqual([stream.id! > last, stream.rstCode], [true, constants.NGHTTP2_REFUSED_STREAM]);
    }
    assert.equal(await ended, 0);
  });
});

test('B46: what is not answered within limits.drain is cut, and the process ends by itself', async () => {
  const estate = await SidecarEstate.start({ config: { limits: { drain: '0s' } } });
  try {
    const connection = await H2Connection.to(estate.sidecar.check);
    const { finish } = connection.begin();
    await connection.check();
    assert.equal(await estate.sidecar.stop(), 0);
    await assert.rejects(finish());
  } finally {
    await estate.stop();
  }
});

const GRPC_PREFIX = 5;
const STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { checkBytes } from '../support/check-request.ts';
import { SidecarEstate, workload } from '../support/estate.ts';
import { H2Connection } from '../support/h2-client.ts';
import { begunAndCancelled, cutContinuation, preface } from '../support/h2-frames.ts';
import { connectionOf } from '../support/load.ts';
import { until } from '../support/until.ts';

const LEDGER = workload('/ns/payments/sa/ledger');
const PAIRS = 10_000;
const CONNECTIONS = 1000;
const CUTS = 200;
/** Bytes of a frame's head. */
const HEAD = 9;

describe('S8: HTTP/2 that no gRPC client speaks', () => {
  let estate: SidecarEstate;
  let bystander: H2Connection;
  let pid: number;
  before(async () => {
    estate = await SidecarEstate.start({ tcp: true });
    pid = estate.sidecar.pid;
    bystander = await H2Connection.to(estate.sidecar.check);
  });
  after(async () => {
    bystander?.close();
    await estate?.stop();
  });

  async function dial(): Promise<Socket> {
    const socket = connect((estate.sidecar.check as { port: number }).port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(preface);
    return socket;
  }

  /** The connection that was there all along is answered, a new one too, by the same process, and nothing is left over. */
  async function answersAll(): Promise<void> {
    const newcomer = await H2Connection.to(estate.sidecar.check);
    for (const connection of [bystander, newcomer]) {
      const attributes = connectionOf(LEDGER, estate.ca.svid(LEDGER));
      assert.equal((await connection.check(checkBytes({ path: '/api/invoices/42', attributes }))).status.code, 0);
    }
    newcomer.close();
    await until('no check in flight', async () =>
      (await estate.sidecar.metric('authz_inflight_checks')) === 0 ? true : null,
    );
    assert.equal(estate.sidecar.pid, pid);
  }

  test(`${PAIRS} checks that are begun and cancelled on one connection cost it the connection, and nobody else anything`, async () => {
    const socket = await dial();
    const closed = once(socket.resume(), 'close');
    socket.write(begunAndCancelled(PAIRS));
    await closed;
    await answersAll();
  });

  test(`${PAIRS} over ${CONNECTIONS} connections`, async () => {
    for (let n = 0; n < CONNECTIONS; n++) {
      const socket = await dial();
      socket.write(begunAndCancelled(PAIRS / CONNECTIONS));
      await once(socket, 'data');
      socket.destroy();
    }
    await answersAll();
  });

  for (const [end, leave] of [
    ['closes', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ] as const) {
    test(`a client that stops within a CONTINUATION and ${end} its connection`, async () => {
      for (let n = 0; n < CUTS; n++) {
        const socket = await dial();
        const closed = once(socket.resume(), 'close');
        // Nothing of the frame, a part of its head, its head, a part of what it holds.
        const bytes = cutContinuation(1, [0, HEAD - 4, HEAD, HEAD + 12][n % 4]!);
        // Written before it leaves: else a reset takes it back.
        await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
        leave(socket);
        await closed;
      }
      await answersAll();
    });
  }
});

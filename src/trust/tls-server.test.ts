import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { TestCa } from '../../test/support/ca.ts';
import { newFolder, removeFolders } from '../../test/support/policy-cli.ts';
import { TestClock } from '../../test/support/test-clock.ts';
import { until } from '../../test/support/until.ts';
import type { OwnSvid } from './own-svid.ts';
import { listenOverTls } from './tls-server.ts';

after(removeFolders);

/** Ends with an error where something was not read. */
const ended = (client: Socket) => new Promise((resolve) => client.once('close', resolve));

test('on a Unix socket, where clients have no addresses, each handshake has a time of its own', async () => {
  const { pem, pkcs8Pem } = TestCa.root('prod.example').svid('spiffe://prod.example/ns/platform/sa/authz');
  const own = { certificatesPem: pem, keyPem: pkcs8Pem } as OwnSvid;
  const clock = new TestClock();
  const path = join(newFolder(), 'tls.sock');
  const opened: TLSSocket[] = [];
  const refused: unknown[] = [];
  const listener = await listenOverTls(
    { path },
    { ownSvid: (tell) => tell(own), clock, onRefused: (...why) => refused.push(why) },
    { protocol: 'http/1.1', most: 16, opened: (socket) => opened.push(socket) },
  );
  const begin = async (plain: boolean) => {
    const client = plain ? dial(path) : connect({ path, rejectUnauthorized: false });
    client.on('error', () => {});
    await once(client.resume(), plain ? 'connect' : 'secureConnect');
    return client;
  };
  const slow = await begin(true);
  const first = await begin(false);
  const silent = await begin(true);
  const second = await begin(false);
  const strange = await begin(true);
  await until('both connections', () => (opened.length === 2 ? true : null));
  strange.write('GET / HTTP/1.1\r\n\r\n');
  await ended(strange);
  assert.deepEqual(
    refused.map((why) => (why as string[]).toSpliced(1, 1)),
    [['unix', 'handshake']],
  );
  slow.write(Buffer.from([0x16]));
  clock.advance(4_900);
  assert.deepEqual([slow.closed, silent.closed], [false, false]);
  clock.advance(200);
  await Promise.all([ended(slow), ended(silent)]);
  const late = ['unix', 'no handshake within 5 s', 'timeout'];
  assert.deepEqual(refused.slice(1), [late, late]);
  for (const [at, client] of [first, second].entries()) {
    opened[at]?.write(String(at));
    assert.equal(String((await once(client, 'data'))[0]), String(at));
  }
  const last = await begin(true);
  // Accepted in turn.
  await begin(false);
  const closed = ended(last);
  listener.close();
  await closed;
  for (const socket of opened) socket.destroy();
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { Fault } from '../../base/fault.ts';
import { Link } from './link.ts';
import { adopt, look } from './queries.ts';
import { changedFields, readFields, readPage } from './record-queries.ts';

/** What no script and no command of ours is answered with. */
const ODD = [
  ':5',
  '+OK',
  '$1\r\nx',
  '*0',
  '*-1',
  '*1\r\n:5',
  '*1\r\n$-1',
  '*1\r\n*0',
  '*1\r\n*2\r\n+log\r\n:5',
  '*1\r\n*2\r\n+log\r\n*1\r\n:5',
  '*1\r\n*2\r\n+log\r\n*1\r\n*2\r\n+1-0\r\n:5',
  '*1\r\n*2\r\n+log\r\n*1\r\n*2\r\n+1-0\r\n*2\r\n+f\r\n:5',
  `*8\r\n${'+x\r\n'.repeat(8).trimEnd()}`,
];

test('who answers in the place of the server with something else ends no question by an error', async (t) => {
  let answer = '';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(`${answer}\r\n`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const endpoint = { kind: 'tcp', host: '127.0.0.1', port } as const;
  const link = await Link.open({ endpoint, database: 0, tls: null, user: null, timeoutMs: 5000 });
  assert.ok(link instanceof Link);
  t.after(() => link.close());
  const after = { after: 0, most: 10, blockMs: 0, timeoutMs: 5000 };
  const none = { nowMs: 0, latest: '', inDoubt: '' };
  for (answer of ODD) {
    const changed = await changedFields(link, 'log', after);
    assert.ok(changed instanceof Fault || changed === null || changed.length === 0, answer);
    for (const read of [
      await readFields(link, ['k'], [], 5000),
      await readPage(link, ['k'], '0', 50, 5000),
      await look(link, ['k'], 5000),
      await adopt(link, 'k', none, 5000),
    ])
      assert.ok(read instanceof Fault, answer);
  }
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { storeOptions } from '../../../test/support/redis-states.ts';
import { Fault } from '../../base/fault.ts';
import { Link } from './link.ts';
import { adopt, look } from './queries.ts';
import { changedFields, readFields, readPage } from './record-queries.ts';
import { ReplicaWait } from './replica-wait.ts';

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
  '*6\r\n:5\r\n+x\r\n:5\r\n:1\r\n:1\r\n:1',
  '*6\r\n+x\r\n+x\r\n:5\r\n+x\r\n:1\r\n:1',
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

async function linkTo(t: TestContext, redis: Redis): Promise<Link> {
  const link = await Link.open({ ...storeOptions(redis), endpoint: storeOptions(redis).endpoint! });
  assert.ok(link instanceof Link);
  t.after(() => link.close());
  return link;
}

test('what did not change is no change, and needs no other connection', { skip: noRedis }, async (t) => {
  const link = await linkTo(t, await Redis.of(t));
  for (const blockMs of [0, 1])
    assert.deepEqual(await changedFields(link, 'log', { after: 0, most: 10, blockMs, timeoutMs: 5000 }), []);
});

test('why a server gives no answer is what every question says', { skip: noRedis }, async (t) => {
  const link = await linkTo(t, await Redis.of(t));
  link.close('cut off');
  const after = { after: 0, most: 10, blockMs: 0, timeoutMs: 5000 };
  for (const answer of [
    await changedFields(link, 'log', after),
    await readFields(link, ['k'], [], 5000),
    await readPage(link, ['k'], '0', 50, 5000),
    await look(link, ['k'], 5000),
    await adopt(link, 'k', { nowMs: 0, latest: '', inDoubt: '' }, 5000),
  ])
    assert.equal(answer instanceof Fault ? answer.detail : answer, 'cut off');
  assert.equal(await new ReplicaWait(link, 1, 5000).confirm(), 'cut off');
  link.close('closed again');
  assert.equal(link.lost, 'cut off');
});

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { orderOf } from '../../../test/support/orders.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { bookOf, signs } from '../../../test/support/redis-books.ts';
import { storeOptions } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import { RedisBook } from './book.ts';
import type { StoreOptions } from './options.ts';

const skip = noRedis;

test('an order says how many replicas have it; with fewer than it must have it is unavailable, and so is what is known', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const replica = await Redis.of(t, { config: [`replicaof 127.0.0.1 ${redis.port}`] });
  await until('replication', async () =>
    (await redis.admin('INFO', 'replication')).includes('state=online') ? true : null,
  );
  const careless = await bookOf(t, storeOptions(redis));
  const { book } = await bookOf(t, storeOptions(redis, { replicas: 1 }));
  const stored = await book.revoke(orderOf('r-1'), Date.now());
  assert.ok(stored.result === 'stored' && stored.replicas === 1, JSON.stringify(stored));
  await replica.kill();
  await until('the loss', () => (/0 of 1 replicas/.test(book.unknown(Date.now()) ?? '') ? true : null));
  const refused = await book.revoke(orderOf('r-2'), Date.now());
  assert.ok(refused.result === 'unavailable' && /0 of 1 replicas/.test(refused.detail), JSON.stringify(refused));
  // It may hold all the same, and is the same order then.
  assert.equal(
    (await careless.book.revoke(orderOf('r-2', book.get('r-2')!.revocation), Date.now())).result,
    'unchanged',
  );
});

test('without a store an order is unavailable, and is taken once when it is given again', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await bookOf(t, storeOptions(redis));
  redis.signal('SIGSTOP');
  const order = orderOf('r-1');
  const refused = await book.revoke(order, Date.now());
  assert.ok(refused.result === 'unavailable' && /may have been taken/.test(refused.detail), JSON.stringify(refused));
  redis.signal('SIGCONT');
  await until('the order', async () => {
    const { result } = await book.revoke(order, Date.now());
    return result === 'unchanged' || result === 'stored' ? true : null;
  });
  assert.equal(await redis.admin('HLEN', 'authz:{test}:revocations'), '1');
});

test('while nobody knows the primary, that is why nothing is known, and it is found later', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { state } = await bookOf(t, storeOptions(redis));
  let primary: StoreOptions['endpoint'] = null;
  const book = await RedisBook.start({
    ...state.followed,
    primary: () => primary,
    liftKeys: () => signs,
    onEvent: () => {},
  });
  t.after(() => book.stop());
  assert.match(book.unknown(Date.now()) ?? '', /nobody knows where the store is/);
  const order = orderOf('r-1');
  const nowhere = 'nobody knows where the store is';
  const unavailable = (detail: string) => ({ result: 'unavailable', detail });
  assert.deepEqual(await book.revoke(order, Date.now()), unavailable(`the store is not reached: ${nowhere}`));
  primary = storeOptions(redis).endpoint;
  await until('the store', () => (book.unknown(Date.now()) === null ? true : null));
  assert.equal((await book.revoke(order, Date.now())).result, 'stored');
  // The feed follows it still, and orders find no way any more.
  primary = null;
  assert.deepEqual(await book.revoke(orderOf('r-2'), Date.now()), unavailable(nowhere));
  primary = { kind: 'tcp', host: '127.0.0.1', port: 1 };
  for (const id of ['r-2', 'r-3']) assert.equal((await book.revoke(orderOf(id), Date.now())).result, 'unavailable');
  primary = storeOptions(redis).endpoint;
  await until('the order', async () =>
    (await book.revoke(orderOf('r-2', order), Date.now())).result === 'unavailable' ? null : true,
  );
});

test('orders need one connection', { skip }, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  const { book } = await bookOf(t, storeOptions(redis), signs);
  await book.revoke(orderOf('r-0'), Date.now());
  const connections = async () => /total_connections_received:(\d+)/.exec(await redis.admin('INFO', 'stats'))![1];
  const before = Number(await connections());
  for (const id of ['r-1', 'r-2', 'r-3']) assert.equal((await book.revoke(orderOf(id), Date.now())).result, 'stored');
  // One more of redis-cli.
  assert.equal(Number(await connections()), before + 1);
});

test('a replica that cannot be asked for makes an order unavailable, though the primary has it', {
  skip,
}, async (t) => {
  const redis = await Redis.of(t);
  await redis.age('test');
  await Redis.of(t, { config: [`replicaof 127.0.0.1 ${redis.port}`] });
  await until('replication', async () =>
    (await redis.admin('INFO', 'replication')).includes('state=online') ? true : null,
  );
  const passwordFile = join(redis.dir, 'password');
  writeFileSync(passwordFile, 'one');
  await redis.admin('ACL', 'SETUSER', 'authz', 'reset', 'on', '>one', '~*', '+@all', '-wait');
  const { book } = await bookOf(t, storeOptions(redis, { user: { username: 'authz', passwordFile } }), signs);
  await until('the replica', () => (book.status().head?.replicas === 1 ? true : null));
  const order = orderOf('r-1');
  const refused = await book.revoke(order, Date.now());
  assert.ok(
    refused.result === 'unavailable' && /^NOPERM.*; the primary has it$/.test(refused.detail),
    JSON.stringify(refused),
  );
  assert.equal(book.get('r-1')?.revocation.id, 'r-1');
});

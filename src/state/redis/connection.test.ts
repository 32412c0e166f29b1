import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CertificateParts, TestCa } from '../../../test/support/ca.ts';
import { loopbackName } from '../../../test/support/https-keys.ts';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { claimOn as claim, sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import type { StoreOptions } from './options.ts';

const skip = noRedis;

/** What a state makes of these options: `fresh`, or why the store cannot be used. */
async function outcome(t: TestContext, options: StoreOptions): Promise<string> {
  const { state } = await sidecarState(t, options);
  await until('the first attempt', () => (state.status().fault === 'not reached yet' ? null : true));
  const claimed = await claim(state, 'proof');
  return claimed.result === 'unavailable' ? (state.status().fault ?? claimed.detail) : claimed.result;
}

// TLS

/** A server with a certificate of its own authority, and the options to reach it. */
async function tlsServer(t: TestContext, parts: CertificateParts = {}, clients: 'no' | 'yes' = 'no') {
  const ca = TestCa.root('redis.example', { uris: [] });
  const { pem, pkcs8Pem } = ca.issue({ otherNames: [loopbackName], ...parts });
  const redis = await Redis.of(t, {
    files: { 'server.pem': pem, 'server.key': pkcs8Pem, 'ca.pem': ca.certificate.pem },
    tls: { clients },
  });
  const other = TestCa.root('redis.example', { uris: [] });
  const client = ca.issue();
  const stranger = other.issue();
  const files = {
    'other.pem': other.certificate.pem,
    'client.pem': client.pem,
    'client.key': client.pkcs8Pem,
    'stranger.pem': stranger.pem,
    'stranger.key': stranger.pkcs8Pem,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(redis.dir, name), text);
  const at = (name: string) => join(redis.dir, name);
  const options = (tls: Partial<NonNullable<StoreOptions['tls']>> | null) =>
    storeOptions(redis, { tls: tls === null ? null : { ca: at('ca.pem'), client: null, serverName: null, ...tls } });
  return { redis, options, at };
}

test('a server is proven by the authority and the name that are configured', { skip }, async (t) => {
  const { options, at } = await tlsServer(t);
  assert.equal(await outcome(t, options({})), 'fresh');
  assert.match(await outcome(t, options({ ca: at('other.pem') })), /certificate|signature/);
  assert.match(await outcome(t, options({ ca: null })), /certificate/);
  assert.match(await outcome(t, options({ serverName: 'another.example' })), /altnames/);
  assert.match(await outcome(t, options(null)), /closed|reset|connection/i);
});

test('a certificate that has expired is refused', { skip }, async (t) => {
  const { options } = await tlsServer(t, { notAfter: Date.now() - 1000 });
  assert.match(await outcome(t, options({})), /expired/);
});

test('a client certificate, where the server asks for one', { skip }, async (t) => {
  const { options, at } = await tlsServer(t, {}, 'yes');
  const client = (name: string) => ({ client: { certificate: at(`${name}.pem`), key: at(`${name}.key`) } });
  assert.equal(await outcome(t, options(client('client'))), 'fresh');
  assert.match(await outcome(t, options(client('stranger'))), /alert|unknown|closed|reset/i);
  assert.match(await outcome(t, options({})), /alert|required|closed|reset/i);
});

test('a Unix socket', { skip }, async (t) => {
  const redis = await Redis.of(t, { socket: true });
  const options = storeOptions(redis, { endpoint: { kind: 'unix', path: redis.socket } });
  assert.equal(await outcome(t, options), 'fresh');
});

test('another database and another namespace are another memory', { skip }, async (t) => {
  const redis = await Redis.of(t);
  for (const more of [{}, { database: 1 }, { namespace: 'other' }])
    assert.equal(await outcome(t, storeOptions(redis, more)), 'fresh');
  const { state } = await sidecarState(t, storeOptions(redis, { database: 1 }));
  assert.equal((await claim(state, 'proof')).result, 'replayed');
});

// Users

test('a password is read again for each connection; a wrong one is refused', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const passwordFile = join(redis.dir, 'password');
  writeFileSync(passwordFile, 'one\n');
  const setUser = (password: string) =>
    redis.admin('ACL', 'SETUSER', 'authz', 'reset', 'on', `>${password}`, '~*', '+@all');
  await setUser('one');
  const options = storeOptions(redis, { user: { username: 'authz', passwordFile } });
  const { state } = await sidecarState(t, options);
  assert.equal((await claim(state, 'a')).result, 'fresh');
  await redis.admin('ACL', 'DELUSER', 'authz');
  await until('the loss', () => (/WRONGPASS/.test(state.status().fault ?? '') ? true : null));
  assert.equal((await claim(state, 'b')).result, 'unavailable');
  await setUser('two');
  writeFileSync(passwordFile, 'two\r\n');
  await until('the connection', () => (state.status().fault === null ? true : null));
  assert.equal((await claim(state, 'b')).result, 'fresh');
  writeFileSync(passwordFile, '');
  assert.match(await outcome(t, options), /has no password in its first line/);
});

test('a user who may not look at the server is told so', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const passwordFile = join(redis.dir, 'password');
  writeFileSync(passwordFile, 'one');
  await redis.admin('ACL', 'SETUSER', 'authz', 'reset', 'on', '>one', '~*', '+@all', '-info');
  assert.match(await outcome(t, storeOptions(redis, { user: { username: 'authz', passwordFile } })), /NOPERM.*info/);
});

// Settings of the server

test('a server that evicts is not used, with advice', { skip }, async (t) => {
  const redis = await Redis.of(t, { config: ['maxmemory-policy volatile-ttl'] });
  const { state } = await sidecarState(t, storeOptions(redis));
  assert.match(state.status().fault ?? '', /maxmemory-policy is volatile-ttl.*set maxmemory-policy noeviction/);
  assert.equal((await claim(state, 'a')).result, 'unavailable');
  await redis.admin('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  await until('the connection', () => (state.status().fault === null ? true : null));
  assert.equal((await claim(state, 'a')).result, 'fresh');
});

test('a server that cannot be used is tried again at leisure', { skip }, async (t) => {
  const redis = await Redis.of(t, { config: ['maxmemory-policy volatile-ttl'] });
  const connections = async () =>
    Number(/total_connections_received:(\d+)/.exec(await redis.admin('INFO', 'stats'))?.[1] ?? Number.NaN);
  await sidecarState(t, storeOptions(redis));
  const before = await connections();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  // One of them is that of the question.
  const more = (await connections()) - before - 1;
  assert.ok(more >= 1 && more <= 12, `${more} connections in 2 s`);
});

test('a replica is not used, with advice', { skip }, async (t) => {
  const primary = await Redis.of(t);
  const replica = await Redis.of(t, { config: [`replicaof 127.0.0.1 ${primary.port}`] });
  assert.match(await outcome(t, storeOptions(replica)), /is a replica, which takes no claims; name the primary/);
});

test('a server with too little memory is warned of, and one that is full refuses', { skip }, async (t) => {
  const redis = await Redis.of(t, { config: ['maxmemory 3mb'] });
  const { state, events } = await sidecarState(t, storeOptions(redis));
  assert.ok(events.some((event) => event.kind === 'warning' && /maxmemory is 3 MiB/.test(event.detail)));
  await redis.admin('EVAL', 'redis.call("SET", "x", string.rep("x", 4000000))', '0');
  const refused = await claim(state, 'full');
  assert.ok(refused.result === 'unavailable' && /OOM/.test(refused.detail));
  await redis.admin('DEL', 'x');
  assert.equal((await claim(state, 'full')).result, 'fresh');
});

test('a server that writes nothing refuses', { skip }, async (t) => {
  const redis = await Redis.of(t, { config: ['min-replicas-to-write 1'] });
  assert.match(await outcome(t, storeOptions(redis)), /NOREPLICAS/);
});

// Replicas and Sentinels

test('a use counts only when the replicas have it', { skip }, async (t) => {
  const primary = await Redis.of(t);
  const replica = await Redis.of(t, { config: [`replicaof 127.0.0.1 ${primary.port}`] });
  await until('replication', async () =>
    (await primary.admin('INFO', 'replication')).includes('state=online') ? true : null,
  );
  const { state } = await sidecarState(t, storeOptions(primary, { replicas: 1, timeoutMs: 2000 }));
  const many = await Promise.all(Array.from({ length: 200 }, (_, n) => claim(state, `many ${n}`)));
  assert.ok(many.every(({ result }) => result === 'fresh'));
  assert.equal(await replica.admin('EXISTS', 'authz:{test}:proof:many 7'), '1');
  replica.signal('SIGSTOP');
  const refused = await claim(state, 'alone');
  assert.ok(refused.result === 'unavailable' && /0 of 1 replicas/.test(refused.detail));
  assert.equal((await claim(state, 'many 7')).result, 'replayed', 'what was used needs no replica to say so');
  replica.signal('SIGCONT');
  await until('the replica', async () => ((await claim(state, 'again')).result === 'fresh' ? true : null));
  assert.equal((await claim(state, 'alone')).result, 'replayed');
});

test('Sentinels name the primary, and the next one after a failover', { skip }, async (t) => {
  const first = await Redis.of(t);
  const second = await Redis.of(t, { config: [`replicaof 127.0.0.1 ${first.port}`] });
  const sentinel = await Redis.of(t, {
    sentinel: true,
    config: [
      `sentinel monitor main 127.0.0.1 ${first.port} 1`,
      'sentinel down-after-milliseconds main 500',
      'sentinel failover-timeout main 3000',
    ],
  });
  await until('the replica', async () =>
    (await sentinel.admin('SENTINEL', 'REPLICAS', 'main')).includes(String(second.port)) ? true : null,
  );
  const sentinels = {
    name: 'main',
    addresses: [
      { host: '127.0.0.1', port: 1 },
      { host: '127.0.0.1', port: sentinel.port },
    ],
    user: null,
  };
  const options = storeOptions(first, { endpoint: null, sentinels });
  let ahead = -4000;
  const { state } = await sidecarState(t, options, () => ahead);
  const before = state.history();
  assert.equal((await claim(state, 'proof')).result, 'fresh');
  // They are asked again, and name the one that is used.
  ahead = 4000;
  const { answeredAtMs } = state.status();
  await until('more looks', () => (state.status().answeredAtMs! > answeredAtMs! + 9500 ? true : null));
  assert.deepEqual([state.status().fault, state.status().connects], [null, 1]);
  await first.kill();
  await until('the failover', () => (state.status().server?.endsWith(`:${second.port}`) ? true : null));
  assert.notEqual(state.history().id, before.id);
  assert.equal((await claim(state, 'proof', before)).result, 'unavailable');
  assert.equal((await claim(state, 'new')).result, 'fresh');
  const unknown = { ...sentinels, name: 'other' };
  assert.match(await outcome(t, { ...options, sentinels: unknown }), /it knows no primary other/);
});

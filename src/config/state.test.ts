import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isConfig, loadConfig } from './load.ts';

const REST = 'identity: { trustDomains: { prod.example: { local: true, bundle: { file: b.pem } } } }\n';

const load = (state: string, more = '') => loadConfig(`${REST}state: ${state}\n${more}`, '/c/config.yaml', {});

function stateOf(state: string) {
  const config = load(state);
  assert.ok(isConfig(config), JSON.stringify(config));
  assert.ok(config.state.store === 'redis');
  return config.state;
}

test('without a section the state is the memory of the process', () => {
  const config = loadConfig(REST, '/c/config.yaml', {});
  assert.ok(isConfig(config));
  const activity = { denials: 10_000, allows: 1000, oneAllowIn: 100, workloads: 10_000 };
  const tasks = { perWorkload: 1000, all: 100_000 };
  const touched = { window: 86_400_000, accounts: 32_768, nothingBefore: null };
  assert.deepEqual(config.state, {
    store: 'memory',
    activity,
    tasks,
    touched,
    unsafePlaintext: false,
    unsafeMaxStale: false,
  });
});

test('a store by its URL: host, port, database, TLS, socket', () => {
  const at = (url: string) => {
    const { endpoint, database, tls } = stateOf(`{ store: redis, url: "${url}" }`);
    return [endpoint, database, tls !== null];
  };
  const tcp = { kind: 'tcp', port: 6379, loopback: true };
  assert.deepEqual(at('redis://127.0.0.1'), [{ ...tcp, host: '127.0.0.1', tls: false, database: 0 }, 0, false]);
  assert.deepEqual(at('redis://[::1]:7000/2'), [
    { ...tcp, host: '::1', port: 7000, tls: false, database: 2 },
    2,
    false,
  ]);
  assert.deepEqual(at('rediss://redis.prod.example'), [
    { ...tcp, host: 'redis.prod.example', tls: true, database: 0, loopback: false },
    0,
    true,
  ]);
  assert.deepEqual(at('unix:///run/redis.sock'), [{ kind: 'unix', path: '/run/redis.sock', database: 0 }, 0, false]);
});

test('how old revocations may be: two seconds, up to a minute, and beyond only by the unsafe choice', () => {
  const staleOf = (more: string) => {
    const { maxStaleMs, unsafeMaxStale } = stateOf(`{ store: redis, url: "redis://127.0.0.1"${more} }`);
    return [maxStaleMs, unsafeMaxStale];
  };
  assert.deepEqual(staleOf(''), [2000, false]);
  assert.deepEqual(staleOf(', maxStale: 60s'), [60_000, false]);
  assert.deepEqual(staleOf(', unsafeMaxStale: 10m'), [600_000, true]);
  for (const more of ['maxStale: 61s', 'maxStale: 100ms', 'unsafeMaxStale: 59s', 'unsafeMaxStale: 2d'])
    assert.ok(!isConfig(load(`{ store: redis, url: "redis://127.0.0.1", ${more} }`)), more);
  assert.ok(!isConfig(load('{ unsafeMaxStale: 10m }')));
});

test('keys of lifts are for a store', () => {
  const store = '{ store: redis, url: "redis://127.0.0.1" }';
  const config = load(store, 'control: { key: k.pem, trustedKeys: [a.pem, b.pem] }');
  assert.ok(isConfig(config));
  const { key, trustedKeys } = config.control;
  assert.deepEqual({ key, trustedKeys }, { key: '/c/k.pem', trustedKeys: ['/c/a.pem', '/c/b.pem'] });
  assert.ok(!isConfig(load(store, 'control: { trustedKeys: [a.pem, a.pem] }')));
  for (const control of ['{ key: k.pem }', '{ trustedKeys: [a.pem] }']) {
    const wrong = load('{ store: memory }', `control: ${control}`);
    assert.ok(!isConfig(wrong));
    assert.match(JSON.stringify(wrong), /set state.store: redis, or drop it/);
  }
});

test('Sentinels instead of a URL, each with its port; a user for them and one for the server', () => {
  const { sentinels, user, endpoint, tls } = stateOf(
    '{ store: redis, username: authz, passwordFile: p, tls: { ca: ca.pem }, sentinel: { name: main, addresses: [a.example, "b.example:1"], passwordFile: q } }',
  );
  assert.equal(endpoint, null);
  assert.deepEqual(user, { username: 'authz', passwordFile: '/c/p' });
  assert.deepEqual(tls, { ca: '/c/ca.pem', serverName: null, client: null });
  assert.deepEqual(sentinels, {
    name: 'main',
    addresses: [
      { host: 'a.example', port: 26379 },
      { host: 'b.example', port: 1 },
    ],
    user: { username: 'default', passwordFile: '/c/q' },
  });
});

test('a use waits for replicas only where that is asked for', () => {
  const of = (more: string) => stateOf(`{ store: redis, url: "redis://127.0.0.1"${more} }`).replicas;
  assert.equal(of(''), 0);
  assert.equal(of(', replicas: 3'), 0);
  assert.equal(of(', durability: replicas'), 1);
  assert.equal(of(', durability: replicas, replicas: 3'), 3);
});

for (const [what, state, wanted] of [
  ['a password in the URL', '{ store: redis, url: "redis://u:p@127.0.0.1" }', /state.url: holds a user or a password/],
  ['another scheme', '{ store: redis, url: "valkey://127.0.0.1" }', /state.url: is not the address of a store/],
  ['a query', '{ store: redis, url: "redis://127.0.0.1/0?x" }', /state.url: is not the address of a store/],
  ['no server', '{ store: redis }', /state.url: or state.sentinel says where the store is/],
  [
    'two servers',
    '{ store: redis, url: "redis://127.0.0.1", sentinel: { name: m, addresses: [127.0.0.1] } }',
    /state.url: or state.sentinel/,
  ],
  ['a server for the memory', '{ url: "redis://127.0.0.1" }', /state.url: is for state.store: redis/],
  ['replicas of the memory', '{ durability: replicas }', /state.durability: is for state.store: redis/],
  ['no TLS over a network', '{ store: redis, url: "redis://redis.example" }', /without TLS/],
  ['an address that only looks like loopback', '{ store: redis, url: "redis://127.0.0.1.example" }', /without TLS/],
  [
    'Sentinels without TLS over a network',
    '{ store: redis, sentinel: { name: m, addresses: [sentinel.example] } }',
    /state.sentinel: lies off the loopback address/,
  ],
  ['TLS on a plain URL', '{ store: redis, url: "redis://127.0.0.1", tls: {} }', /state.tls: needs a rediss URL/],
  [
    'a certificate without key',
    '{ store: redis, url: "rediss://r", tls: { certificate: c } }',
    /state.tls.key: is missing/,
  ],
  ['a user without password', '{ store: redis, url: "rediss://r", username: u }', /state.username: needs/],
  [
    'allows without the workloads by which they are counted',
    '{ activity: { workloads: 0 } }',
    /state.activity.allows: are counted by workload/,
  ],
  ['a namespace that ends the hash tag', '{ store: redis, url: "rediss://r", namespace: "a}b" }', /state.namespace/],
] as const) {
  test(`refused: ${what}`, () => {
    const problems = load(state);
    assert.ok(!isConfig(problems));
    assert.match(problems.map(({ message }) => message).join('\n'), wanted);
  });
}

test('nothing is kept for lists where that is asked for', () => {
  const none = { denials: 0, allows: 0, oneAllowIn: 100, workloads: 0 };
  assert.deepEqual(
    stateOf('{ store: redis, url: "unix:///r", activity: { denials: 0, allows: 0, workloads: 0 } }').activity,
    none,
  );
});

test('shared secrets of nonces need a shared store', () => {
  const task = 'task: { dpop: { nonce: { secretFile: s } } }';
  const problems = load('{ store: memory }', task);
  assert.ok(!isConfig(problems));
  assert.match(problems[0]?.message ?? '', /task.dpop.nonce.secretFile: is for sidecars that share a store/);
  assert.ok(isConfig(load('{ store: redis, url: "unix:///r.sock" }', task)));
});

test('the example of docs/state.md is a configuration', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/state.md'), 'utf8');
  const example = /```yaml state\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const config = loadConfig(REST + example, '/c/config.yaml', {});
  assert.ok(isConfig(config), JSON.stringify(config));
  assert.ok(config.state.store === 'redis' && config.state.tls?.ca === '/etc/redis/ca.pem');
  assert.equal(config.task.dpop.nonce.secretFile, '/run/secrets/dpop-nonces');
});

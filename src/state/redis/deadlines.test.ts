import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { claimOn as claim, sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { until } from '../../../test/support/until.ts';
import { Wire, type WireMode } from '../../../test/support/wire.ts';
import type { Claim } from '../model.ts';
import { MAX_WAITING } from './link.ts';
import { MAX_SKEW_MS } from './options.ts';

const skip = noRedis;
/** How long a refusal may take that has to come within `timeoutMs`, on a busy machine. */
const SLACK_MS = 2000;
const TIMEOUT_MS = 300;

/** A state that reaches its server over a wire that can go wrong. */
async function wired(t: TestContext) {
  const redis = await Redis.of(t);
  const wire = await Wire.to(() => redis.port);
  t.after(() => wire.close());
  const endpoint = { kind: 'tcp', host: '127.0.0.1', port: wire.port } as const;
  const { state } = await sidecarState(t, storeOptions(redis, { endpoint, timeoutMs: TIMEOUT_MS }));
  const recovered = () =>
    until('the store', async () => ((await claim(state, `${Date.now()}`)).result === 'fresh' ? true : null));
  await recovered();
  return { redis, wire, state, recovered };
}

for (const [what, mode] of [
  ['answers nothing over an open connection', 'hold'],
  ['answers too late', { delayMs: 1000 }],
  ['is cut off in the middle of an answer', 'reset'],
] as [string, WireMode][]) {
  test(`a store that ${what} refuses in time, and the use counts as made`, { skip }, async (t) => {
    const { wire, state, recovered } = await wired(t);
    wire.mode = mode;
    const began = performance.now();
    assert.equal((await claim(state, 'proof')).result, 'unavailable');
    assert.ok(performance.now() - began < TIMEOUT_MS + SLACK_MS);
    // The connection is given up by itself.
    if (mode === 'hold') await until('the loss', () => (state.status().fault === null ? null : true));
    wire.mode = 'pass';
    await recovered();
    assert.equal((await claim(state, 'proof')).result, 'replayed');
  });
}

test('a store that is stopped for a while is used again once it goes on', { skip }, async (t) => {
  const { redis, state, recovered } = await wired(t);
  redis.signal('SIGSTOP');
  const refused = await Promise.all(Array.from({ length: 20 }, (_, n) => claim(state, `stopped ${n}`)));
  assert.ok(refused.every(({ result }) => result === 'unavailable'));
  redis.signal('SIGCONT');
  await recovered();
});

test('no more than so many calls wait for a store that does not answer; the next is refused at once', {
  skip,
}, async (t) => {
  const { redis, state } = await wired(t);
  redis.signal('SIGSTOP');
  const all = await Promise.all(Array.from({ length: MAX_WAITING + 50 }, (_, n) => claim(state, `stopped ${n}`)));
  const details = all.map((each) => (each.result === 'unavailable' ? each.detail : each.result));
  const others = details.filter((detail) => !/no answer within|calls wait/.test(detail));
  assert.deepEqual([...new Set(others)], []);
  assert.ok(details.filter((detail) => /calls wait/.test(detail)).length >= 50);
  assert.ok(state.status().waiting <= MAX_WAITING);
  redis.signal('SIGCONT');
});

test('an answer that came while this thread was busy is in time', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis, { timeoutMs: TIMEOUT_MS }));
  const claimed = claim(state, 'proof');
  // The command is written by then.
  for (let n = 0; n < 3; n++) await new Promise(setImmediate);
  const busyUntil = performance.now() + 4 * TIMEOUT_MS;
  while (performance.now() < busyUntil);
  assert.deepEqual(await claimed, { result: 'fresh' });
});

test('scripts that the server forgot are loaded again', { skip }, async (t) => {
  const { redis, state } = await wired(t);
  await redis.admin('SCRIPT', 'FLUSH');
  assert.equal((await claim(state, 'proof')).result, 'fresh');
  await redis.admin('SCRIPT', 'FLUSH');
  assert.equal((await claim(state, 'proof')).result, 'replayed');
});

test('a server that is gone refuses at once, and is used again when it is back', { skip }, async (t) => {
  const { redis, state, recovered } = await wired(t);
  await redis.kill();
  await until('the loss', () => (state.status().fault === null ? null : true));
  assert.equal((await claim(state, 'proof')).result, 'unavailable');
  await redis.start();
  await recovered();
});

test('a window that has ended by the clock of the server is not claimed', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  for (const [beforeMs, result] of [
    [4000, 'fresh'],
    [6000, 'unavailable'],
  ] as const) {
    const over = { key: `over ${beforeMs}`, until: Date.now() - beforeMs, history: state.history() };
    const use = { requestId: '', caller: 'a', checkPeer: null, digest: '', deadline: Date.now(), judgedBy: '' };
    assert.equal((await state.claim([over], use)).result, result);
  }
});

test('what was counted leaves the count when its window is over', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis, { maxEntries: 10 }));
  const ended = Math.floor(Date.now() / 10_000) - 1;
  await redis.admin('HSET', 'authz:{test}:proofs', String(ended), '10');
  assert.equal((await claim(state, 'proof')).result, 'fresh');
  assert.equal(await redis.admin('HEXISTS', 'authz:{test}:proofs', String(ended)), '0');
  await until('the count', () => (state.load?.entries === 1 ? true : null));
});

const use = { requestId: 'r', checkPeer: null, digest: 'd', deadline: Date.now() + 60_000, judgedBy: 'r' };

test('counts end with their window, and leave their share', { skip }, async (t) => {
  const redis = await Redis.of(t);
  const { state } = await sidecarState(t, storeOptions(redis));
  const end = Date.now() + 60_000;
  const count = (key: string, until = end): Claim => ({
    key,
    until,
    history: state.history(),
    count: { limit: 2, member: 'm' },
  });
  assert.equal((await state.claim([count('a')], { ...use, caller: 'a' })).result, 'fresh');
  assert.equal(await redis.admin('PEXPIRETIME', 'authz:{test}:count:a'), String(end + MAX_SKEW_MS));
  await until('the count', () => (state.countLoad?.entries === 1 ? true : null));
  assert.equal((await state.claim([count('b', Date.now() - 6000)], { ...use, caller: 'b' })).result, 'unavailable');
  for (const entry of ['9007199254740991', 'x'])
    assert.equal(
      (await state.claim([count('c', Number(entry))], { ...use, caller: 'c' })).result,
      'unavailable',
      entry,
    );
});

for (const [what, count] of [
  ['used proof', null],
  ['count', { limit: 2 ** 40, member: null }],
  ['member of a count', { limit: 2 ** 40, member: 'm' }],
] as const) {
  test(`a ${what} takes no more of the store than it counts as`, { skip }, async (t) => {
    const redis = await Redis.of(t);
    const { state } = await sidecarState(t, storeOptions(redis, { maxEntries: 100_000, maxCounts: 100_000 }));
    const used = async () => Number(/used_memory:(\d+)/.exec(await redis.admin('INFO', 'memory'))?.[1]);
    const before = await used();
    const COUNT = 2000;
    for (let n = 0; n < COUNT; n += 200) {
      const until = Date.now() + 60_000;
      const claim = (i: number): Claim => {
        const text = `${n + i}`.padEnd(43, 'x');
        if (count === null) return { key: text, until, history: state.history() };
        const { limit, member } = count;
        const counted = { limit, member: member === null ? null : text };
        return { key: member ?? text, until, history: state.history(), count: counted };
      };
      await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          state.claim([claim(i)], { ...use, requestId: '', caller: `caller ${n + i}` }),
        ),
      );
    }
    const load = count === null ? state.load : state.countLoad;
    assert.ok(load !== null);
    const each = ((await used()) - before) / COUNT;
    assert.ok(each < load.byteLimit / load.limit, `${each} bytes each`);
    t.diagnostic(`${Math.round(each)} bytes each`);
  });
}

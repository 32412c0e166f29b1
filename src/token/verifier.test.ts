import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  dpopProof,
  jwk,
  jwtSvid,
  type Mutation,
  makeKey,
  otherSignature,
  type SigningKey,
} from '../../test/support/tokens.ts';
import type { JsonValue } from '../base/strict-json.ts';
import { UnverifiedJws } from './jws.ts';
import { standardAlgorithms } from './jws-algorithms.ts';
import type { JwsProfile } from './jws-compact.ts';
import { TokenFault } from './jws-fault.ts';
import { KeySet } from './key-set.ts';
import { TokenVerifier, verifyProof } from './verifier.ts';

const NOW = Date.UTC(2026, 10, 25);
const SECOND = 1000;
const LIFE = 300 * SECOND;
const signer = makeKey('ES256', 'k1');
const stranger = makeKey('ES256', 'k1');
const profile: JwsProfile = { algorithms: standardAlgorithms, types: ['jwt', null] };
const setOf = (...keys: readonly SigningKey[]) =>
  KeySet.of(
    keys.map((key) => jwk(key) as JsonValue),
    'jwks',
  );
const keys = setOf(signer);
const token = (mutation: Mutation = {}) =>
  jwtSvid({ key: signer, now: NOW, sub: 'spiffe://example.org/a', aud: 'x' }, mutation);

afterEach(() => mock.restoreAll());

/** Counts the signatures that are checked from here on. */
function counted() {
  mock.restoreAll();
  return mock.method(crypto.subtle, 'verify');
}

interface Asked {
  readonly by?: TokenVerifier;
  readonly rules?: JwsProfile;
  readonly under?: KeySet;
  readonly nowMs?: number;
}

/** `good`, or the kind of the fault. */
async function ask(text: string, { by = new TokenVerifier(), rules = profile, under = keys, nowMs = NOW }: Asked) {
  const read = by.read(text);
  const outcome = read instanceof TokenFault ? read : await by.verify(read, rules, under, nowMs);
  return outcome instanceof TokenFault ? outcome.kind : 'good';
}

test('a token is decoded and verified once, and gives the same verified object', async () => {
  const by = new TokenVerifier();
  const text = token();
  const checks = counted();
  const outcomes: unknown[] = [];
  for (const _ of [1, 2, 3]) {
    const read = by.read(`${text} `.trimEnd());
    assert.ok(read instanceof UnverifiedJws);
    outcomes.push(await by.verify(read, profile, keys, NOW));
  }
  assert.ok(!(outcomes[0] instanceof TokenFault));
  assert.ok(outcomes.every((one) => one === outcomes[0]));
  assert.equal(by.read(text), by.read(text));
  assert.equal(checks.mock.callCount(), 1);
});

test('a remembered token is good under its own keys alone: the next keys, also the same anew, verify it again', async () => {
  const by = new TokenVerifier();
  const text = token();
  assert.equal(await ask(text, { by }), 'good');
  assert.equal(await ask(text, { by, under: setOf(stranger) }), 'signature');
  assert.equal(await ask(text, { by, under: setOf(makeKey('ES256', 'k2')) }), 'key_unknown');
  assert.equal(await ask(text, { by, under: KeySet.of([], 'jwks') }), 'key_unknown');
  assert.equal(await ask(text, { by }), 'good');
  const checks = counted();
  assert.equal(await ask(text, { by, under: setOf(signer) }), 'good');
  assert.equal(checks.mock.callCount(), 1);
});

test('a token that was refused under other keys is good under its own', async () => {
  const by = new TokenVerifier();
  const text = token();
  assert.equal(await ask(text, { by, under: setOf(stranger) }), 'signature');
  assert.equal(await ask(text, { by }), 'good');
});

test('a key that is not known is asked for each time', async () => {
  const by = new TokenVerifier();
  const text = token({ header: { kid: 'k2' } });
  for (const _ of [1, 2]) assert.equal(await ask(text, { by }), 'key_unknown');
  assert.equal(by.load.entries, 0);
});

test('typ and algorithm are looked at each time, by the profile of whoever asks', async () => {
  const by = new TokenVerifier();
  const text = token();
  assert.equal(await ask(text, { by }), 'good');
  assert.equal(await ask(text, { by, rules: { ...profile, types: ['at+jwt'] } }), 'type');
  assert.equal(await ask(text, { by, rules: { ...profile, algorithms: ['RS256'] } }), 'algorithm');
  const checks = counted();
  assert.equal(await ask(text, { by }), 'good');
  assert.equal(checks.mock.callCount(), 0);
});

test('what is remembered as good ends with exp, whatever the leeway; what expired keeps no place among the good', async () => {
  const by = new TokenVerifier();
  const text = token();
  const checks = counted();
  assert.equal(await ask(text, { by }), 'good');
  assert.equal(await ask(text, { by, nowMs: NOW + LIFE - 1 }), 'good');
  assert.equal(checks.mock.callCount(), 1);
  assert.equal(await ask(text, { by, nowMs: NOW + LIFE }), 'good');
  assert.equal(checks.mock.callCount(), 2);
  assert.equal(await ask(text, { by, nowMs: NOW + LIFE + SECOND }), 'good');
  assert.equal(checks.mock.callCount(), 2);
  // All of these are in the share of the bad: twice as many evict one another, and leave a good one alone.
  const other = token({ claims: { n: 1 } });
  assert.equal(await ask(other, { by }), 'good');
  await flood(by, (n) => token({ claims: { n, exp: NOW / SECOND - 1 } }), 700);
  const afterwards = counted();
  assert.equal(await ask(other, { by }), 'good');
  assert.equal(afterwards.mock.callCount(), 0);
});

test('nothing is remembered by less than the whole text', async () => {
  const by = new TokenVerifier();
  const text = token();
  assert.equal(await ask(text, { by }), 'good');
  const checks = counted();
  assert.equal(await ask(otherSignature(text), { by }), 'good');
  assert.equal(checks.mock.callCount(), 1);
  const foreign = token({ signWith: stranger });
  const spliced = text.slice(0, text.lastIndexOf('.')) + foreign.slice(foreign.lastIndexOf('.'));
  assert.equal(await ask(spliced, { by }), 'signature');
});

test('what is wrong for good is remembered: its form, its type, its signature', async () => {
  for (const [kind, text, checked] of [
    ['malformed', 'a.b.c', 0],
    ['malformed', token({ header: { jwk: { kty: 'EC' } } }), 0],
    ['type', token({ header: { typ: 'at+jwt' } }), 0],
    ['signature', token({ signWith: stranger }), 1],
  ] as const) {
    const by = new TokenVerifier();
    const checks = counted();
    const decoded = mock.method(UnverifiedJws, 'decodeUnverified');
    for (const _ of [1, 2, 3]) assert.equal(await ask(text, { by }), kind);
    assert.deepEqual([checks.mock.callCount(), decoded.mock.callCount(), by.load.entries], [checked, 1, 1], kind);
  }
});

test('a text that is too long for a token is refused, and not remembered', async () => {
  const by = new TokenVerifier();
  assert.equal(await ask(`${'a'.repeat(16_384)}.b.c`, { by }), 'malformed');
  assert.equal(by.load.entries, 0);
});

test('a flood of bad tokens evicts no good one', async () => {
  const by = new TokenVerifier({ byteLimit: 256 * 1024 });
  const good = token();
  assert.equal(await ask(good, { by }), 'good');
  await flood(by, (n) => `${n}.a.b`, 3000);
  await flood(by, (n) => token({ header: { typ: `t${n}` } }), 300);
  await flood(by, (n) => token({ claims: { n }, signWith: stranger }), 300);
  const checks = counted();
  assert.equal(await ask(good, { by }), 'good');
  assert.equal(checks.mock.callCount(), 0);
});

test('what is forgotten is verified again', async () => {
  const by = new TokenVerifier();
  const text = token();
  await ask(text, { by });
  await ask('a.b.c', { by });
  by.forget();
  assert.deepEqual({ ...by.load, byteLimit: 0 }, { entries: 0, bytes: 0, byteLimit: 0 });
  const checks = counted();
  assert.equal(await ask(text, { by }), 'good');
  assert.equal(checks.mock.callCount(), 1);
});

test('no proof of possession is remembered', async () => {
  const proof = UnverifiedJws.decodeUnverified(
    dpopProof({ key: signer, now: NOW, method: 'GET', uri: 'https://api.example/x' }),
  );
  assert.ok(proof instanceof UnverifiedJws);
  const checks = counted();
  for (const _ of [1, 2]) await verifyProof(proof, { algorithms: ['ES256'], types: ['dpop+jwt'] }, 'its own key');
  assert.equal(checks.mock.callCount(), 2);
});

/** Claims that take many times their text in memory. */
const swollen: readonly ((n: number) => JsonValue)[] = [
  () => Array.from({ length: 1500 }, () => ({})),
  () => Array.from({ length: 1500 }, () => [1]),
  (n) => Object.fromEntries(Array.from({ length: 700 }, (_, i) => [(n * 700 + i).toString(36), 1])),
  () => Array.from({ length: 300 }, (_, i) => `ä${'x'.repeat(16)}${i}`),
];

test('a hundred thousand distinct tokens take no more than is stated, however their claims are made', async () => {
  const by = new TokenVerifier({ byteLimit: 8 * 2 ** 20 });
  const collect = garbageCollector();
  await ask(token(), { by });
  const before = collect();
  let most = 0;
  const growth = async (make: (n: number) => string, count: number) => {
    await flood(by, make, count);
    most = Math.max(most, by.load.bytes);
  };
  await growth((n) => `${n}${' '.repeat(500)}.a.b`, 96_000);
  for (const [at, claim] of swollen.entries()) {
    await growth((n) => token({ claims: { n, claim: claim(n) } }), 750);
    await growth((n) => token({ claims: { n, claim: claim(n) }, signWith: stranger }), 250);
    const grown = collect() - before;
    assert.ok(grown < by.load.byteLimit + 4 * 2 ** 20, `${at}: the heap grew by ${grown} bytes`);
  }
  assert.ok(most > by.load.byteLimit / 2 && most <= by.load.byteLimit, `${most} of ${by.load.byteLimit} bytes`);
  assert.ok(by.load.entries > 100);
});

test('a token keeps nothing in memory of the header that it was a part of', async () => {
  const by = new TokenVerifier();
  const collect = garbageCollector();
  const before = collect();
  const padding = ' '.repeat(60_000);
  for (let n = 0; n < 400; n++) {
    const header = `Bearer${padding}${token({ claims: { n }, header: { typ: 'at+jwt' } })}`;
    await ask(
      Buffer.from(header)
        .toString()
        .slice(6 + padding.length),
      { by },
    );
  }
  const grown = collect() - before;
  assert.ok(by.load.entries > 200 && grown < 8 * 2 ** 20, `the heap grew by ${grown} bytes`);
});

/** Asks for so many distinct tokens, some at a time. */
async function flood(by: TokenVerifier, make: (n: number) => string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 50)
    await Promise.all(Array.from({ length: Math.min(50, count - n) }, (_, i) => ask(make(n + i), { by })));
}

/** Collects all garbage, and gives the bytes of the heap that are left. */
function garbageCollector(): () => number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  return () => {
    gc();
    return process.memoryUsage().heapUsed;
  };
}

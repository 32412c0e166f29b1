import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { noRedis, Redis } from '../../../test/support/redis.ts';
import { documentedAcl } from '../../../test/support/redis-acl.ts';
import { sidecarState, storeOptions } from '../../../test/support/redis-states.ts';
import { sha256 } from '../../../test/support/tokens.ts';
import { until } from '../../../test/support/until.ts';
import { Fault } from '../../base/fault.ts';
import { Seal } from '../../base/seal.ts';
import { MemorySessions } from '../../state/sessions/memory.ts';
import type { SessionStore } from '../../state/sessions/model.ts';
import { RedisSessions } from '../../state/sessions/redis-sessions.ts';
import { NoAnswer, type SignedIn, SignInFault } from './provider.ts';
import { Sessions } from './sessions.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SECRET = 'a-secret-of-the-client-0123456789';

const signedIn = (subject = 'anna', more: Partial<SignedIn> = {}): SignedIn => ({
  person: {
    issuer: 'https://idp.example',
    subject,
    groups: ['operators'],
    acr: 'mfa',
    amr: ['otp'],
    signedInMs: Date.now(),
    name: null,
  },
  sid: `sid-of-${subject}`,
  refreshToken: 'refresh',
  ...more,
});

/** Sessions over a store, with what the provider would say by now. */
function over(store: SessionStore, reread: () => SignedIn | SignInFault = () => signedIn()) {
  const asked: string[] = [];
  const rules = { store, idleMs: 30 * MINUTE, lifetimeMs: 8 * HOUR, rereadMs: HOUR };
  const sessions = new Sessions({
    ...rules,
    reread: async (token) => {
      asked.push(token);
      return reread();
    },
  });
  return { sessions, asked };
}

function id(begun: string | Fault | null): string {
  assert.equal(typeof begun, 'string', JSON.stringify(begun));
  return begun as string;
}

/** A server whose user has the rights that docs/state.md gives it. */
async function redisState(t: TestContext) {
  const redis = await Redis.of(t);
  await redis.age('test');
  await redis.admin('ACL', 'SETUSER', 'authz', 'reset', ...documentedAcl('test', 'secret'));
  const passwordFile = join(redis.dir, 'password');
  writeFileSync(passwordFile, 'secret');
  const { state } = await sidecarState(t, storeOptions(redis, { user: { username: 'authz', passwordFile } }));
  await until('contact', () => state.link);
  return { redis, state };
}

const stores: Record<string, (t: TestContext) => Promise<SessionStore>> = {
  memory: async () => new MemorySessions(),
  store: async (t) => new RedisSessions((await redisState(t)).state, new Seal(SECRET, 'sessions')),
};

for (const [name, open] of Object.entries(stores))
  suite(`sessions in the ${name}`, { skip: name === 'store' ? noRedis : false }, () => {
    test('go on while they are used, and end when nobody does, or after their whole time', async (t) => {
      const { sessions } = over(await open(t));
      const start = Date.now();
      const used = id(await sessions.begin(signedIn(), 'browser', start));
      const idle = id(await sessions.begin(signedIn('ben'), 'browser', start));
      const last = 8 * HOUR - 1;
      for (let at = 20 * MINUTE; at < last; at += 20 * MINUTE)
        assert.ok(await sessions.find(used, 'browser', start + at, true), String(at));
      assert.ok(await sessions.find(used, 'browser', start + last, true));
      assert.equal(await sessions.find(used, 'browser', start + 8 * HOUR, true), null);
      assert.ok(await sessions.find(idle, 'browser', start + 30 * MINUTE - 1, false), 'asking who is there is no use');
      assert.equal(await sessions.find(idle, 'browser', start + 30 * MINUTE, true), null);
      assert.equal(await sessions.find(idle, 'browser', start, true), null, 'what is over does not begin again');
    });

    test('are of one kind, and known by their whole id', async (t) => {
      const { sessions } = over(await open(t));
      const now = Date.now();
      const browser = id(await sessions.begin(signedIn(), 'browser', now));
      const code = id(await sessions.beginCode(signedIn(), sha256('v'), now));
      assert.ok(await sessions.find(browser, 'browser', now, true));
      for (const other of ['', browser.slice(1), `${browser}x`, code, browser.toLowerCase()])
        assert.equal(await sessions.find(other, 'browser', now, true), null);
      assert.equal(await sessions.find(browser, 'cli', now, true), null);
      assert.equal(await sessions.redeem(browser, 'v', now), null, 'a session is no code');
    });

    test('of a command line begin by a code, once, with its verifier, within a minute', async (t) => {
      const { sessions } = over(await open(t));
      const now = Date.now();
      const coded = async () => id(await sessions.beginCode(signedIn(), sha256('verifier'), now));
      const [good, wrong, late] = [await coded(), await coded(), await coded()];
      const all = await Promise.all(Array.from({ length: 5 }, () => sessions.redeem(good, 'verifier', now)));
      const given = all.filter((one) => one !== null);
      assert.equal(given.length, 1);
      assert.ok(await sessions.find(id(given[0] ?? null), 'cli', now, true));
      assert.equal(await sessions.redeem(wrong, 'another', now), null);
      assert.equal(await sessions.redeem(wrong, 'verifier', now), null, 'used up');
      assert.equal(await sessions.redeem(late, 'verifier', now + MINUTE + 1), null);
    });

    test('know the groups of an hour ago at most', async (t) => {
      const store = await open(t);
      const start = Date.now();
      const now = signedIn('anna', { refreshToken: 'next' });
      const changed = { ...now, person: { ...now.person, groups: ['finance'] } };
      const { sessions, asked } = over(store, () => changed);
      const one = id(await sessions.begin(signedIn(), 'browser', start));
      const groupsAt = async (at: number) => {
        const found = await sessions.find(one, 'browser', start + at, true);
        return found === null || found instanceof Fault ? found : found.person.groups;
      };
      assert.deepEqual(await groupsAt(20 * MINUTE), ['operators']);
      assert.deepEqual(await groupsAt(40 * MINUTE), ['operators']);
      const both = await Promise.all([groupsAt(HOUR), groupsAt(HOUR)]);
      assert.deepEqual([both, asked], [[['finance'], ['finance']], ['refresh']], 'asked once');
      await groupsAt(80 * MINUTE);
      await groupsAt(100 * MINUTE);
      assert.deepEqual(await groupsAt(2 * HOUR), ['finance']);
      assert.deepEqual(asked, ['refresh', 'next']);
    });

    test('end where the provider does not say any more who the person is, and wait where it gives no answer', async (t) => {
      const store = await open(t);
      const start = Date.now();
      const begun = async (given: SignedIn, reread: () => SignedIn | SignInFault) => {
        const { sessions } = over(store, reread);
        const one = id(await sessions.begin(given, 'browser', start));
        await sessions.find(one, 'browser', start + 29 * MINUTE, true);
        await sessions.find(one, 'browser', start + 58 * MINUTE, true);
        return { sessions, one, later: await sessions.find(one, 'browser', start + HOUR, true) };
      };
      const refused = await begun(signedIn(), () => new SignInFault('invalid_grant'));
      assert.equal(refused.later, null);
      assert.equal(await refused.sessions.find(refused.one, 'browser', start, true), null);
      const none = await begun(signedIn('anna', { refreshToken: null }), () => signedIn());
      assert.equal(none.later, null, 'without a refresh token');
      let silent = true;
      const waits = await begun(signedIn(), () => (silent ? new NoAnswer('down') : signedIn()));
      assert.ok(waits.later instanceof NoAnswer);
      silent = false;
      assert.ok(!((await waits.sessions.find(waits.one, 'browser', start + HOUR, true)) instanceof Fault));
    });

    test('end by person or by sign-in, those alone that had begun', async (t) => {
      const { sessions } = over(await open(t));
      const start = Date.now();
      const issuer = 'https://idp.example';
      const begin = async (of: SignedIn, at: number) => id(await sessions.begin(of, 'browser', at));
      const first = await begin(signedIn(), start);
      const second = await begin(signedIn('anna', { sid: 'other' }), start);
      const later = await begin(signedIn(), start + 5000);
      const other = await begin(signedIn('ben'), start);
      const there = async (one: string) => (await sessions.find(one, 'browser', start + 6000, false)) !== null;
      assert.equal(await sessions.endAll({ issuer, sid: 'sid-of-anna' }, start + 1000), 1);
      assert.deepEqual(await Promise.all([first, second, later, other].map(there)), [false, true, true, true]);
      assert.equal(await sessions.endAll({ issuer, subject: 'anna' }, start + 9000), 2);
      assert.deepEqual(await Promise.all([first, second, later, other].map(there)), [false, false, false, true]);
      assert.equal(await sessions.endAll({ issuer: 'https://other.example', subject: 'ben' }, start + 9000), 0);
    });

    test('end by person and sign-in where it is not known of which sign-in they are', async (t) => {
      const { sessions } = over(await open(t));
      const start = Date.now();
      const begin = async (sid: string | null) => id(await sessions.begin(signedIn('anna', { sid }), 'browser', start));
      const ids = [await begin('one'), await begin('other'), await begin(null)];
      assert.equal(await sessions.endAll({ issuer: 'https://idp.example', subject: 'anna', sid: 'one' }, start), 2);
      const there = await Promise.all(ids.map((one) => sessions.find(one, 'browser', start, false)));
      assert.deepEqual(
        there.map((one) => one !== null),
        [false, true, false],
      );
    });

    test('of one person are twenty at most: the oldest end', async (t) => {
      const { sessions } = over(await open(t));
      const start = Date.now();
      const ids: string[] = [];
      for (let at = 0; at < 22; at++) ids.push(id(await sessions.begin(signedIn(), 'browser', start + at)));
      const there = await Promise.all(ids.map((one) => sessions.find(one, 'browser', start + 100, false)));
      assert.deepEqual(
        there.map((one) => one !== null),
        ids.map((_, at) => at >= 2),
      );
    });

    test('that ended leave the place of one that goes on', async (t) => {
      const { sessions } = over(await open(t));
      const start = Date.now();
      const first = id(await sessions.begin(signedIn(), 'cli', start));
      for (let at = 1; at <= 30; at++) await sessions.end(id(await sessions.begin(signedIn(), 'browser', start + at)));
      assert.ok(await sessions.find(first, 'cli', start + 100, false));
    });

    test('that end while the provider is asked let the call that waits for it do nothing', async (t) => {
      const start = Date.now();
      const asked = Promise.withResolvers<void>();
      const answer = Promise.withResolvers<SignedIn>();
      const sessions = new Sessions({
        ...{ store: await open(t), idleMs: 2 * HOUR, lifetimeMs: 8 * HOUR, rereadMs: HOUR },
        reread: () => {
          asked.resolve();
          return answer.promise;
        },
      });
      const one = id(await sessions.begin(signedIn(), 'browser', start));
      const waiting = sessions.find(one, 'browser', start + HOUR, true);
      await asked.promise;
      assert.equal(await sessions.end(one), true);
      answer.resolve(signedIn());
      assert.equal(await waiting, null);
    });

    test('that ended are not written again by what was under way', async (t) => {
      const store = await open(t);
      const { sessions } = over(store);
      const now = Date.now();
      const one = id(await sessions.begin(signedIn(), 'browser', now));
      assert.equal(await sessions.end(one), true);
      assert.equal(await sessions.end(one), false);
      assert.equal(await store.update(sha256(`session ${one}`), '{}', now + HOUR, now), false);
      assert.equal(await store.get(sha256(`session ${one}`), now), null);
    });
  });

test('sessions in the memory are so many at most, of those that go on', async () => {
  const { sessions } = over(new MemorySessions());
  const start = Date.now();
  const begin = (person: number, at: number) => sessions.begin(signedIn(`p${person}`), 'browser', at);
  for (let person = 0; person < 2000; person++) id(await begin(person, start));
  assert.ok((await begin(2000, start)) instanceof Fault);
  id(await begin(2000, start + 8 * HOUR));
});

test('whoever reads the store learns no id and nobody, and whoever writes there begins nothing', {
  skip: noRedis,
}, async (t) => {
  const { redis, state } = await redisState(t);
  const now = Date.now();
  const { sessions } = over(new RedisSessions(state, new Seal(SECRET, 'sessions')));
  const [anna, ben] = [
    id(await sessions.begin(signedIn(), 'browser', now)),
    id(await sessions.begin(signedIn('ben'), 'browser', now)),
  ];
  const keys = (await redis.admin('KEYS', 'authz:{test}:session*')).split('\n').filter((key) => key !== '');
  const own = keys.filter((key) => key.startsWith('authz:{test}:session:'));
  assert.equal(own.length, 2);
  const values = await Promise.all(own.map((key) => redis.admin('GET', key)));
  const all = [...keys, ...values].join('\n');
  for (const secret of [anna, ben, 'anna', 'operators', 'refresh', 'idp.example'])
    assert.ok(!all.includes(secret), secret);
  const [first = '', second = ''] = own;
  await redis.admin('SET', first, values[1] ?? '');
  await redis.admin('SET', second, JSON.stringify({ kind: 'browser', person: signedIn().person }));
  assert.deepEqual(
    [await sessions.find(anna, 'browser', now, false), await sessions.find(ben, 'browser', now, false)],
    [null, null],
  );
  const stranger = new RedisSessions(state, new Seal('another-secret-0123456789-0123456', 'sessions'));
  const forged = id(await over(stranger).sessions.begin(signedIn(), 'browser', now));
  assert.equal(await sessions.find(forged, 'browser', now, false), null);
  assert.ok(await over(stranger).sessions.find(forged, 'browser', now, false));
});

test('processes that read groups again at one time bring no refresh token twice', { skip: noRedis }, async (t) => {
  const { redis, state } = await redisState(t);
  const start = Date.now();
  const used = new Set<string>();
  const process = () =>
    new Sessions({
      store: new RedisSessions(state, new Seal(SECRET, 'sessions')),
      ...{ idleMs: 8 * HOUR, lifetimeMs: 8 * HOUR, rereadMs: HOUR },
      reread: async (token) => {
        if (used.has(token)) return new SignInFault('the refresh token was used before');
        used.add(token);
        // As long as the others take to look.
        await new Promise((resolve) => setImmediate(resolve));
        return signedIn('anna', { refreshToken: `after ${token}` });
      },
    });
  const all = [process(), process(), process(), process()];
  const one = id(await all[0]!.begin(signedIn(), 'browser', start));
  for (let hours = 1; hours < 4; hours++) {
    const found = await Promise.all(all.map((sessions) => sessions.find(one, 'browser', start + hours * HOUR, true)));
    assert.ok(found.every((each) => each !== null && !(each instanceof Fault)));
    assert.equal(used.size, hours);
  }
  // Whoever keeps the turn in the store has nobody believed for longer by more than that.
  const key = await redis.admin('KEYS', '*:session:*');
  await redis.admin('SET', key.replace(':session:', ':session-turn:'), '1');
  assert.ok(await all[1]!.find(one, 'browser', start + 4 * HOUR, false));
  assert.equal(used.size, 3);
  assert.ok(await all[1]!.find(one, 'browser', start + 4 * HOUR + MINUTE, false));
  assert.equal(used.size, 4);
});

/** A store that loses the answers of one method from the time on that `loses` is set. */
function losing(store: SessionStore, method: keyof SessionStore) {
  const switched = { loses: false };
  const lossy = new Proxy(store, {
    get: (of, name) => {
      if (name === method && switched.loses) return async () => new Fault('lost');
      const value: unknown = Reflect.get(of, name);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
  return { store: lossy, switched };
}

const calls: Readonly<Record<string, (sessions: Sessions, one: string, code: string, start: number) => unknown>> = {
  'a look': (sessions, one, _, start) => sessions.find(one, 'browser', start + 1, false),
  'a use': (sessions, one, _, start) => sessions.find(one, 'browser', start + 2 * MINUTE, true),
  'a use after an hour': (sessions, one, _, start) => sessions.find(one, 'browser', start + HOUR, true),
  'the end of all': (sessions, _, __, start) =>
    sessions.endAll({ issuer: 'https://idp.example', subject: 'anna' }, start + 1),
  'a code': (sessions, _, code, start) => sessions.redeem(code, 'verifier', start + 1),
};
const lost: readonly (readonly [method: keyof SessionStore, calls: readonly string[]])[] = [
  ['get', ['a look', 'a use', 'a use after an hour', 'the end of all', 'a code']],
  ['update', ['a use', 'a use after an hour']],
  ['takeTurn', ['a use after an hour']],
  ['keysOf', ['the end of all']],
  ['end', ['the end of all', 'a code']],
  ['add', ['a code']],
];
for (const [method, needing] of lost)
  test(`a store that loses what it is asked by ${method} leaves unknown what needs it`, async () => {
    for (const [what, call] of Object.entries(calls)) {
      const start = Date.now();
      const { store, switched } = losing(new MemorySessions(), method);
      const rules = { idleMs: 2 * HOUR, lifetimeMs: 8 * HOUR, rereadMs: HOUR };
      const sessions = new Sessions({ store, ...rules, reread: async () => signedIn() });
      const one = id(await sessions.begin(signedIn(), 'browser', start));
      const code = id(await sessions.beginCode(signedIn(), sha256('verifier'), start));
      switched.loses = true;
      assert.equal((await call(sessions, one, code, start)) instanceof Fault, needing.includes(what), what);
    }
  });

test('a use that comes with the end of its session is none', async () => {
  const start = Date.now();
  const memory = new MemorySessions();
  const ending: SessionStore['update'] = async (key, value, untilMs) => {
    await memory.end(key);
    return memory.update(key, value, untilMs);
  };
  const store = new Proxy<SessionStore>(memory, {
    get: (of, name) => (name === 'update' ? ending : (Reflect.get(of, name) as () => unknown).bind(of)),
  });
  const { sessions } = over(store);
  const one = id(await sessions.begin(signedIn(), 'browser', start));
  assert.equal(await sessions.find(one, 'browser', start + 2 * MINUTE, true), null);
});

test('a store that is lost in the middle begins no session', { skip: noRedis }, async (t) => {
  const { state } = await redisState(t);
  const { link } = state;
  const start = Date.now();
  let gone = '';
  const lossy = new Proxy(link!, {
    get: (of, name) =>
      name === 'call'
        ? async (args: readonly string[], ms: number) => (args[0] === gone ? new Fault('lost') : of.call(args, ms))
        : Reflect.get(of, name),
  });
  const store = new RedisSessions({ link: lossy, key: (name) => state.key(name) }, new Seal(SECRET, 'sessions'));
  const { sessions } = over(store);
  for (let at = 0; at < 20; at++) id(await sessions.begin(signedIn(), 'browser', start + at));
  for (gone of ['SET', 'ZADD', 'PEXPIREAT', 'ZRANGE', 'GET', 'DEL', 'ZREM'])
    assert.ok((await sessions.begin(signedIn(), 'browser', start + 50)) instanceof Fault, gone);
});

test('a store that is gone signs nobody in, and nobody out', { skip: noRedis }, async () => {
  const { sessions } = over(new RedisSessions({ link: null, key: (name) => name }, new Seal(SECRET, 'sessions')));
  const now = Date.now();
  const one = 'a'.repeat(43);
  assert.ok((await sessions.begin(signedIn(), 'browser', now)) instanceof Fault);
  assert.ok((await sessions.find(one, 'browser', now, true)) instanceof Fault);
  assert.ok((await sessions.end(one)) instanceof Fault);
  assert.ok((await sessions.endAll({ issuer: 'i', subject: 's' }, now)) instanceof Fault);
});

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Answer, JwksServer, plainAnswer } from '../../test/support/jwks-server.ts';
import { TestClock } from '../../test/support/test-clock.ts';
import { jwk, makeKey } from '../../test/support/tokens.ts';
import { systemClock } from '../base/clock.ts';
import { JwksSource, type JwksSourceOptions, type KeyEvent } from './jwks-source.ts';
import { TokenFault } from './jws-fault.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const jwks = (...kids: string[]) => ({ keys: kids.map((kid) => jwk(makeKey('ES256', kid), { use: 'sig' })) });

const server = await JwksServer.start();
after(() => server.stop());
let paths = 0;

/** A source over a path of its own, with a clock that stands still, and the events of its attempts. */
async function open(answer: Answer, options: Partial<JwksSourceOptions> = {}) {
  const path = `/jwks/${paths++}`;
  server.serve(path, answer);
  const clock = new TestClock();
  const events = new EventEmitter<{ attempt: [KeyEvent] }>();
  const source = await JwksSource.open({
    issuer: server.url,
    origin: { from: 'url', url: server.url + path, ca: null },
    maxStaleMs: 24 * HOUR,
    clock,
    onEvent: (event) => events.emit('attempt', event),
    ...options,
  });
  after(() => source.close());
  const kids = (now = clock.now()) => {
    const set = source.current(now);
    return set instanceof TokenFault ? set.kind : set.keys.map((key) => key.kid).join();
  };
  /** Does something, and waits for the attempt that follows from it. */
  const attemptAfter = async (act: () => void): Promise<KeyEvent> => {
    const attempt = once(events, 'attempt');
    act();
    const [event] = await attempt;
    return event;
  };
  /** Lets the time pass until the next attempt; how many milliseconds that took. */
  const untilNext = async (): Promise<number> => {
    const from = clock.now();
    await attemptAfter(() => {
      // While a read is under way there is no timer.
      for (let next = clock.nextIn; next !== null; next = clock.nextIn) clock.advance(next);
    });
    return clock.now() - from;
  };
  return { path, clock, source, kids, attemptAfter, untilNext, requests: () => server.count(path) };
}

test('B33: a thousand unknown kids cost two fetches, and the new key works within the cooldown', async () => {
  const { path, clock, source, kids, attemptAfter, requests } = await open(jwks('old'));
  assert.equal(requests(), 1);
  clock.advance(MINUTE);
  // Over five seconds. The first asks at once; the others wait for the end of the cooldown.
  await attemptAfter(() => source.refreshSoon());
  server.serve(path, jwks('old', 'new'));
  for (let i = 0; i < 1000; i++) {
    clock.advance(5);
    source.refreshSoon();
  }
  assert.deepEqual([requests(), kids()], [2, 'old']);
  await attemptAfter(() => clock.advance(5000));
  assert.deepEqual([requests(), kids()], [3, 'old,new']);
});

test('B33: right after the start too, an unknown kid is looked for at the end of the cooldown', async () => {
  const { path, clock, source, kids, attemptAfter } = await open(jwks('old'));
  server.serve(path, jwks('new'));
  source.refreshSoon();
  await attemptAfter(() => clock.advance(10_000));
  assert.equal(kids(), 'new');
});

const badAnswers: readonly [string, Answer][] = [
  ['an error', plainAnswer(500, JSON.stringify(jwks('bad')))],
  ['an empty key list', { keys: [] }],
  ['HTML', plainAnswer(200, '<html></html>', { 'content-type': 'text/html' })],
  ['nothing', plainAnswer(200, '')],
  ['no JWKS', { error: 'x' }],
  ['keys of another use only', { keys: [jwk(makeKey(), { use: 'enc' })] }],
  ['a repeated member', plainAnswer(200, `{"keys":[],${JSON.stringify(jwks('bad')).slice(1)}`)],
  ['another success', plainAnswer(203, JSON.stringify(jwks('bad')))],
  ['two megabytes', plainAnswer(200, `${JSON.stringify(jwks('bad')).slice(0, -1)}${' '.repeat(2 ** 21)}}`)],
  ['a broken connection', (request) => request.socket.destroy()],
];
for (const [what, answer] of badAnswers)
  test(`B33: ${what} keeps the last good keys, is seen, and is tried again`, async () => {
    const { path, clock, source, kids, attemptAfter } = await open(jwks('good'));
    server.serve(path, answer);
    const event = await attemptAfter(() => clock.advance(5 * MINUTE));
    assert.equal(event.result, 'rejected');
    assert.equal(kids(), 'good');
    assert.equal(source.status().fault, event.detail);
    server.serve(path, jwks('next'));
    const again = await attemptAfter(() => clock.advance(20_000));
    assert.equal(again.result, 'updated');
    assert.deepEqual([kids(), source.status().fault], ['next', null]);
  });

test('a redirect is not followed', async () => {
  server.serve('/elsewhere', jwks('elsewhere'));
  const { kids } = await open(plainAnswer(302, '', { location: '/elsewhere' }));
  assert.deepEqual([kids(), server.count('/elsewhere')], ['keys_stale', 0]);
});

test('a start without network is a start: it refuses, and recovers by itself', async () => {
  const { path, clock, source, kids, attemptAfter } = await open(plainAnswer(503, ''));
  assert.deepEqual([kids(), source.status().state], ['keys_stale', 'absent']);
  server.serve(path, jwks('late'));
  await attemptAfter(() => clock.advance(20_000));
  assert.deepEqual([kids(), source.status().state], ['late', 'fresh']);
});

test('keys are believed for maxStale since the last good read, and no longer', async () => {
  const { path, clock, source, kids } = await open(jwks('k'), { maxStaleMs: HOUR });
  server.serve(path, plainAnswer(500, ''));
  clock.jump(HOUR);
  assert.equal(kids(), 'k');
  clock.jump(1);
  assert.deepEqual([kids(), source.status().state], ['keys_stale', 'stale']);
});

test('B26: after a suspend the first token finds the keys stale, and has them read again', async () => {
  const { clock, kids, attemptAfter } = await open(jwks('k'));
  clock.jump(48 * HOUR);
  await attemptAfter(() => assert.equal(kids(), 'keys_stale'));
  assert.equal(kids(), 'k');
});

test('B26: a key that is withdrawn is gone with the next read', async () => {
  const { path, clock, kids, attemptAfter } = await open(jwks('one', 'two'));
  server.serve(path, jwks('two'));
  await attemptAfter(() => clock.advance(5 * MINUTE));
  assert.equal(kids(), 'two');
});

test('an unchanged document keeps the imported keys and is fresh again', async () => {
  const { clock, source, attemptAfter } = await open(jwks('k'));
  const before = source.current(clock.now());
  const event = await attemptAfter(() => clock.advance(5 * MINUTE));
  assert.equal(event.result, 'unchanged');
  assert.equal(source.current(clock.now()), before);
  assert.equal(source.status().freshAt, clock.now());
});

test('a failing server is asked ever more rarely, down to the usual interval', async () => {
  const { untilNext } = await open(plainAnswer(500, ''));
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) delays.push(await untilNext());
  assert.deepEqual(delays, [20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
});

test('B27: no interval makes the timer fire at once', async () => {
  for (const refreshMs of [0, -1, Number.NaN]) {
    const { untilNext } = await open(jwks('k'), { refreshMs });
    assert.equal(await untilNext(), 10_000, String(refreshMs));
  }
  const { clock, requests } = await open(jwks('k'), { refreshMs: 1e15, maxStaleMs: 1e16 });
  clock.advance(24 * HOUR);
  assert.equal(requests(), 1);
});

test('keys that may be stale soon are read in time', async () => {
  const { untilNext } = await open(jwks('k'), { maxStaleMs: MINUTE });
  assert.equal(await untilNext(), 20_000);
});

test('a clock that is set back by a day puts a read off by no more than the cooldown', async () => {
  const { clock, source } = await open(jwks('k'));
  clock.jump(-24 * HOUR);
  source.refreshSoon();
  assert.equal(clock.nextIn, 10_000);
});

test('one read at a time: what is asked for during a read is read after it', async () => {
  const { path, clock, source, kids, attemptAfter, requests } = await open(jwks('old'), { cooldownMs: 1000 });
  clock.advance(1000);
  const started = new EventEmitter<{ request: [() => void] }>();
  server.serve(path, (_request, response) =>
    started.emit('request', () => response.writeHead(200).end(JSON.stringify(jwks('old')))),
  );
  const request = once(started, 'request');
  source.refreshSoon();
  const [answer] = await request;
  for (let i = 0; i < 100; i++) source.refreshSoon();
  server.serve(path, jwks('new'));
  await attemptAfter(answer);
  assert.deepEqual([requests(), kids()], [2, 'old']);
  await attemptAfter(() => clock.advance(1000));
  assert.deepEqual([requests(), kids()], [3, 'new']);
});

test('closed, it gives up a read that is under way, and asks no more', async () => {
  const seen: KeyEvent[] = [];
  const { path, clock, source, requests } = await open(jwks('k'), { onEvent: (event) => seen.push(event) });
  const asked = new EventEmitter<{ request: [] }>();
  server.serve(path, () => asked.emit('request'));
  const request = once(asked, 'request');
  clock.advance(MINUTE);
  source.refreshSoon();
  await request;
  await source.close();
  assert.equal(clock.nextIn, null);
  clock.advance(HOUR);
  source.refreshSoon();
  assert.deepEqual([requests(), clock.nextIn, seen.length], [2, null, 1]);
});

const metadata = (members: object = {}) => ({ issuer: server.url, jwks_uri: `${server.url}/discovered`, ...members });
const OPENID = '/.well-known/openid-configuration';
const OAUTH = '/.well-known/oauth-authorization-server';
const discovery = { origin: { from: 'discovery', ca: null } } as const;

test('discovery: OpenID metadata, else OAuth metadata, names the keys', async () => {
  server.serve('/discovered', jwks('found'));
  server.serve(OPENID, metadata());
  assert.equal((await open({}, discovery)).kids(), 'found');
  server.serve(OPENID, plainAnswer(404, ''));
  server.serve(OAUTH, metadata());
  assert.equal((await open({}, discovery)).kids(), 'found');
});

test('discovery: the path of an issuer stands behind the well-known name of OAuth, before that of OpenID', async () => {
  const issuer = `${server.url}/tenant/`;
  const { kids } = await open({}, { ...discovery, issuer });
  assert.equal(kids(), 'keys_stale');
  assert.equal(server.count(`/tenant${OPENID}`), 1);
  assert.equal(server.count(`${OAUTH}/tenant`), 1);
});

test('discovery: metadata of another issuer, or keys at an address without TLS, are not believed', async () => {
  server.serve('/discovered', jwks('found'));
  server.serve(OAUTH, plainAnswer(404, ''));
  const wrong = [
    { issuer: `${server.url}/` },
    { issuer: 'https://other.example' },
    { jwks_uri: 'http://keys.example/jwks' },
    { jwks_uri: 'file:///etc/passwd' },
    { jwks_uri: server.url.replace('http://', 'http://user@') },
    { jwks_uri: undefined },
  ];
  for (const members of wrong) {
    server.serve(OPENID, metadata(members));
    const { kids, source } = await open({}, discovery);
    assert.equal(kids(), 'keys_stale', JSON.stringify(members));
    assert.match(source.status().fault ?? '', /does not describe|no https URL/);
  }
});

test('discovery: an issuer that is no URL is a fault, not an exception', async () => {
  const { source } = await open({}, { ...discovery, issuer: 'not a url' });
  assert.match(source.status().fault ?? '', /no https URL/);
});

test('B44: a key file in a ConfigMap: each swap of the symbolic link is seen; a torn file keeps the last good keys', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'authz-jwks-'));
  after(() => rmSync(folder, { recursive: true }));
  const version = (name: string, text: string) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'jwks.json'), text);
    symlinkSync(name, join(folder, '..data.new'));
    renameSync(join(folder, '..data.new'), join(folder, '..data'));
  };
  version('..1', JSON.stringify(jwks('v1')));
  symlinkSync('..data/jwks.json', join(folder, 'jwks.json'));
  const path = join(folder, 'jwks.json');
  const { source, kids } = await open({}, { origin: { from: 'file', path }, clock: systemClock, ...eventsOf() });
  assert.equal(kids(Date.now()), 'v1');
  for (const [name, text, wanted] of [
    ['..2', JSON.stringify(jwks('v2')), 'v2'],
    ['..3', JSON.stringify(jwks('v3')).slice(0, -9), 'v2'],
    ['..4', JSON.stringify(jwks('v4')), 'v4'],
  ] as const) {
    const seen = next(wanted === 'v2' && name === '..3' ? 'rejected' : 'updated');
    version(name, text);
    await seen;
    assert.equal(kids(Date.now()), wanted);
    assert.equal(source.status().fault === null, name !== '..3');
  }
});

const fileEvents = new EventEmitter<Record<KeyEvent['result'], []>>();
function eventsOf(): Pick<JwksSourceOptions, 'onEvent'> {
  return { onEvent: ({ result }) => fileEvents.emit(result) };
}
const next = (result: KeyEvent['result']) => once(fileEvents, result);

test('a file that is absent is a fault, and found once it is there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'authz-jwks-'));
  after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'jwks.json');
  const { clock, kids, source, attemptAfter } = await open({}, { origin: { from: 'file', path } });
  assert.match(source.status().fault ?? '', /ENOENT/);
  writeFileSync(path, JSON.stringify(jwks('here')));
  await attemptAfter(() => clock.advance(5000));
  assert.equal(kids(), 'here');
});

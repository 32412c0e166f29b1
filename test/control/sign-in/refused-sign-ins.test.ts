import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import type { Loaded } from '../../support/browser.ts';
import { type ConsoleWorld, LANDING, startConsoleWorld } from '../../support/console-world.ts';
import { CLIENT, type Mutations } from '../../support/identity-provider.ts';
import { makeKey } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';

let world: ConsoleWorld;
before(async () => {
  world = await startConsoleWorld();
});
after(() => world.stop());
afterEach(() => {
  for (const name of Object.keys(world.provider.mutations) as (keyof Mutations)[])
    world.provider.mutations[name] = undefined;
});

const same = (claims: Record<string, unknown>) => claims;
const with_ = (more: Record<string, unknown>) => (claims: Record<string, unknown>) => ({ ...claims, ...more });
const seconds = (): number => Math.floor(Date.now() / 1000);

/** Signs in with what is wrong at the provider: the code of the problem; null: the person is in. */
async function codeOf(mutations: Mutations): Promise<string | null> {
  Object.assign(world.provider.mutations, mutations);
  const browser = world.browser();
  const loaded = await world.signInAs(browser, 'anna');
  const isIn = browser.cookies('localhost').has('__Host-session');
  assert.equal(isIn, loaded.status === 303);
  return problemIn(loaded);
}

function problemIn({ status, headers, text }: Loaded): string | null {
  if (status === 303 && headers.location === LANDING) return null;
  return /<small>(\w+)<\/small>/.exec(text)?.[1] ?? text;
}

const stranger = makeKey('ES256', 'idp-1');
/** A token of another algorithm, with the signature that this gives. */
const forged = (alg: string, signature: (text: string) => Buffer | string): Mutations => ({
  idToken: same,
  forge: (header, claims) => {
    const text = [{ ...header, alg }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
    return `${text.join('.')}.${Buffer.from(signature(text.join('.'))).toString('base64url')}`;
  },
});
const macBy = (key: string) => (text: string) => createHmac('sha256', key).update(text).digest();
const idTokens: readonly (readonly [string, Mutations])[] = [
  ['of another nonce', { idToken: with_({ nonce: 'another' }) }],
  ['without a nonce', { idToken: with_({ nonce: undefined }) }],
  ['of another issuer', { idToken: with_({ iss: 'https://other.example' }) }],
  ['for another client', { idToken: with_({ aud: 'another' }) }],
  ['that has expired', { idToken: (claims) => ({ ...claims, exp: seconds() - 120 }) }],
  ['signed with a key of somebody else', { idToken: same, signWith: stranger }],
  ['that is not signed', forged('none', () => '')],
  ['signed with the secret of the client', forged('HS256', macBy(CLIENT.secret))],
  [
    'signed with the public key as a secret',
    forged('HS256', (text) => macBy(JSON.stringify(world.provider.jwks().keys[0]))(text)),
  ],
  [
    'for two clients, by the other one',
    { idToken: (claims) => ({ ...claims, aud: [claims.aud, 'another'], azp: 'another' }) },
  ],
  ['without the time of the sign-in', { idToken: with_({ auth_time: undefined }) }],
  ['of a sign-in long ago', { idToken: (claims) => ({ ...claims, auth_time: seconds() - 9 * 3600 }) }],
  ['of a sign-in to come', { idToken: (claims) => ({ ...claims, auth_time: seconds() + 3600 }) }],
  ['without a subject', { idToken: with_({ sub: undefined }) }],
  ['of a subject that is too long', { idToken: with_({ sub: 'a'.repeat(256) }) }],
  ['with groups that are a text', { idToken: with_({ groups: 'operators' }) }],
  ['with a group that is a number', { idToken: with_({ groups: ['operators', 7] }) }],
  ['with 201 groups', { idToken: with_({ groups: Array.from({ length: 201 }, (_, at) => `g${at}`) }) }],
  ['with groups that are elsewhere', { idToken: with_({ _claim_names: { groups: 'src1' } }) }],
  ['with a strength that is a number', { idToken: with_({ acr: 2 }) }],
  ['with methods that are a text', { idToken: with_({ amr: 'otp' }) }],
];

test('an ID token that is signed again, and is otherwise the same, is taken; so are 200 groups', async () => {
  assert.equal(await codeOf({ idToken: same }), null);
  assert.equal(await codeOf({ idToken: with_({ groups: Array.from({ length: 200 }, (_, at) => `g${at}`) }) }), null);
});
for (const [what, mutations] of idTokens)
  test(`refused: an ID token ${what}`, async () => assert.equal(await codeOf(mutations), 'sign_in_refused'));

test('what comes back has to be of this provider, and of a sign-in of this browser', async () => {
  assert.equal(await codeOf({ back: () => {} }), null);
  const cases: readonly (readonly [string, (query: URLSearchParams) => void, string])[] = [
    ['another state', (query) => query.set('state', 'x'.repeat(43)), 'login_unknown'],
    ['no state', (query) => query.delete('state'), 'login_unknown'],
    ['two states', (query) => query.append('state', query.get('state') ?? ''), 'login_unknown'],
    ['another issuer', (query) => query.set('iss', 'https://other.example'), 'sign_in_refused'],
    ['no issuer', (query) => query.delete('iss'), 'sign_in_refused'],
    ['another code', (query) => query.set('code', 'x'.repeat(43)), 'sign_in_refused'],
    ['an error', (query) => query.set('error', 'access_denied'), 'sign_in_refused'],
  ];
  for (const [what, back, code] of cases) assert.equal(await codeOf({ back }), code, what);
});

test('a code is good once, in the browser that asked for it', async () => {
  const browser = world.browser();
  const begun = await browser.load(`${world.url}/sign-in?return=${LANDING}`);
  const asked = await browser.visit(begun.headers.location ?? '', world.url);
  const isBack = (next: URL) => next.origin === world.url;
  const last = await browser.visit(`${asked.url}?as=anna`, asked.url, isBack);
  const back = last.headers.location ?? '';
  const kept = new Map(browser.cookies('localhost'));
  const stranger = world.browser();
  assert.equal(problemIn(await stranger.visit(back)), 'login_unknown', 'another browser');
  const isLanded = (next: URL) => next.pathname === LANDING;
  assert.equal(problemIn(await browser.visit(back, asked.url, isLanded)), null);
  assert.equal(problemIn(await browser.visit(back, asked.url, isLanded)), 'login_unknown', 'the same browser again');
  for (const [name, value] of kept) browser.cookies('localhost').set(name, value);
  assert.equal(problemIn(await browser.visit(back, asked.url, isLanded)), 'sign_in_refused', 'with the cookie again');
});

test('ten tabs of one browser sign in at one time', async () => {
  const browser = world.browser();
  const begun: string[] = [];
  for (let tab = 0; tab < 10; tab++)
    begun.push((await browser.load(`${world.url}/sign-in?return=${LANDING}`)).headers.location ?? '');
  const isLanded = (next: URL) => next.pathname === LANDING;
  const ids = new Set<string | undefined>();
  for (const location of begun) {
    const asked = await browser.visit(location, world.url, isLanded);
    const ended = asked.url.includes('/interaction/')
      ? await browser.visit(`${asked.url}?as=anna`, asked.url, isLanded)
      : asked;
    assert.equal(problemIn(ended), null);
    ids.add(browser.cookies('localhost').get('__Host-session'));
  }
  assert.equal(ids.size, 10, 'each sign-in has an id of its own');
});

test('sign-ins that another site has a browser begin, as long as may be, lock it out of nothing', async () => {
  const browser = world.browser();
  const line = `port=4000&state=${'s'.repeat(128)}&challenge=${'c'.repeat(43)}`;
  for (let count = 0; count < 40; count++) {
    const begun = await browser.load(`${world.url}/sign-in?return=/${'a'.repeat(511)}&${line}`);
    assert.equal(begun.status, 302, String(count));
  }
  const sent = [...browser.cookies('localhost')].map((pair) => pair.join('=')).join('; ');
  assert.ok(sent.length < 7000, `${sent.length} characters`);
  assert.equal(problemIn(await world.signInAs(browser, 'anna')), null);
});

test('a fresh sign-in asks the person again, and takes no old proof', async () => {
  const browser = world.browser();
  await world.signInAs(browser, 'anna');
  const fresh = `/sign-in?fresh=true&return=${LANDING}`;
  world.provider.people.set('anna', { groups: ['operators'], age: 1000 });
  try {
    const other = world.browser();
    assert.equal(problemIn(await world.signInAs(other, 'anna')), null, 'an old proof is good for a session');
    assert.equal(problemIn(await world.signInAs(other, 'anna', fresh)), 'sign_in_refused');
    assert.ok(other.visited.filter((url) => url.includes('/interaction/')).length >= 4, 'it was asked again');
  } finally {
    world.provider.people.set('anna', { groups: ['operators'] });
  }
  const asked = () => browser.visited.filter((url) => url.includes('/interaction/')).length;
  const before = asked();
  assert.equal(problemIn(await world.signInAs(browser, 'anna')), null);
  assert.equal(asked(), before, 'the provider knows the person');
  assert.equal(problemIn(await world.signInAs(browser, 'anna', fresh)), null);
  assert.ok(asked() > before, 'and asks again all the same');
});

test('a provider that gives no answer signs nobody in, and does again when it is back', async () => {
  const browser = world.browser();
  const silent: Mutations['answer'] = (request) => {
    if (request.url !== '/token') return false;
    request.socket.destroy();
    return true;
  };
  const answers =
    (status: number, type: string, body: string): Mutations['answer'] =>
    (request, response) => {
      if (request.url !== '/token') return false;
      response.writeHead(status, { 'content-type': type, location: '/elsewhere' }).end(body);
      return true;
    };
  const error = (code: string): string => JSON.stringify({ error: code });
  const none = [
    silent,
    answers(502, 'text/html', '<h1>bad gateway</h1>'),
    // What limits rates knows nobody: sessions whose groups are read again must not end by it.
    answers(429, 'text/html', '<h1>too many requests</h1>'),
    answers(429, 'application/json', error('too_many_requests')),
    answers(400, 'application/json', error('temporarily_unavailable')),
    answers(403, 'text/html', '<h1>blocked</h1>'),
    answers(302, 'text/html', ''),
    answers(200, 'text/html', '<h1>we are back soon</h1>'),
    answers(200, 'application/json', '{'),
  ];
  for (const [at, answer] of none.entries()) assert.equal(await codeOf({ answer }), 'provider_unavailable', String(at));
  for (const status of [400, 401, 403]) {
    const answer = answers(status, 'application/json', error('invalid_grant'));
    assert.equal(await codeOf({ answer }), 'sign_in_refused', String(status));
  }
  world.provider.mutations.answer = undefined;
  assert.equal(problemIn(await world.signInAs(browser, 'anna')), null);
});

test('where a sign-in leads is a path of the console', async () => {
  const browser = world.browser();
  const statusOf = async (query: string) => (await browser.load(`${world.url}/sign-in?${query}`)).status;
  assert.equal(await statusOf('return=/x/y?z=1'), 302);
  for (const to of ['//evil.example', '/\\evil.example', 'https://evil.example', 'x', '/a%0d%0ab'])
    assert.equal(await statusOf(`return=${to}`), 400, to);
  const line = `state=${'s'.repeat(43)}&challenge=${'c'.repeat(43)}`;
  assert.equal(await statusOf(`port=4000&${line}`), 302);
  for (const port of ['80', '70000', 'x', '127.0.0.1:4000'])
    assert.equal(await statusOf(`port=${port}&${line}`), 400, port);
  assert.equal(await statusOf(`port=4000&state=${'s'.repeat(43)}`), 400, 'no challenge');
});

test('each sign-in, refused or not, has its line, without secrets', async () => {
  const browser = world.browser();
  await world.signInAs(browser, 'anna');
  const lines = world.auditLines().filter(({ event }) => event === 'sign-in');
  const { result, reason, session, person } = lines.at(-1) ?? {};
  assert.deepEqual([result, reason, session], ['allow', 'permitted', 'browser']);
  assert.equal((person as Record<string, unknown>).subject, 'anna');
  const refused = lines.filter((line) => line.result === 'deny');
  // So many refused ones of a second have a line each.
  await until('a line', async () => {
    const unknown = await browser.load(`${world.url}/sign-in/callback?state=x`);
    return world.auditLines().some(({ decision }) => decision === unknown.headers['x-authz-decision']) || null;
  });
  assert.ok(refused.some((line) => line.reason === 'sign_in_refused' && /nonce/.test(String(line.detail))));
  const id = browser.cookies('localhost').get('__Host-session') ?? '';
  assert.ok(id.length === 43 && !JSON.stringify(world.auditLines()).includes(id));
});

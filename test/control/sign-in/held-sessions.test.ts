import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { personAsks } from '../../../src/control/asker.ts';
import { staleSignIn } from '../../../src/control/http/exchange.ts';
import { provenPerson } from '../../../src/identity/person.ts';
import type { Browser, Loaded } from '../../support/browser.ts';
import { type ConsoleWorld, LANDING, startConsoleWorld } from '../../support/console-world.ts';
import { CLIENT } from '../../support/identity-provider.ts';
import { life, makeKey, mint } from '../../support/tokens.ts';
import { workload } from '../../support/world.ts';

let world: ConsoleWorld;
before(async () => {
  world = await startConsoleWorld({
    accounts: {
      anna: { groups: ['operators'] },
      ben: { groups: ['finance'] },
      eve: { groups: ['operators'] },
      ivy: {},
    },
  });
});
after(() => world.stop());

async function signedIn(person = 'anna'): Promise<Browser> {
  const browser = world.browser();
  assert.equal((await world.signInAs(browser, person)).status, 303);
  return browser;
}
const idOf = (browser: Browser): string => browser.cookies('localhost').get('__Host-session') ?? '';
const codeOf = ({ text }: Loaded): unknown => (JSON.parse(text) as Record<string, unknown>).code ?? 'good';

/** A change that changes nothing. */
const dryRun = (): { path: string; body: string } => ({
  path: '/revocations?dryRun=true',
  body: JSON.stringify({
    workload: workload('/ns/payments/sa/api'),
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'test',
  }),
});

test('a session is read in one place alone, and one way', async () => {
  const browser = await signedIn();
  const id = idOf(browser);
  const state = async (headers: Record<string, string>): Promise<unknown> =>
    codeOf(await world.browser().load(`${world.url}/state`, { headers }));
  assert.equal(await state({ cookie: `__Host-session=${id}` }), 'good');
  assert.equal(await state({ cookie: `other=1; __Host-session=${id}` }), 'good');
  const cases: Record<string, Record<string, string>> = {
    session_missing: { cookie: `session=${id}` },
    'session_missing by a bearer': { authorization: `Bearer ${id}` },
    'session_missing of another id': { cookie: `__Host-session=${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}` },
    'session_missing of nothing': {},
    'malformed by two cookies': { cookie: `__Host-session=${id}; __Host-session=${id}` },
    'malformed by cookie and bearer': { cookie: `__Host-session=${id}`, authorization: 'Bearer x' },
    'cross_site by a page': { cookie: `__Host-session=${id}`, 'sec-fetch-site': 'cross-site' },
    'cross_site by a sibling': { cookie: `__Host-session=${id}`, 'sec-fetch-site': 'same-site' },
    'cross_site by origin': { cookie: `__Host-session=${id}`, origin: 'https://evil.example' },
    'host_unknown by rebinding': { cookie: `__Host-session=${id}`, host: 'evil.example' },
  };
  for (const [what, headers] of Object.entries(cases)) assert.equal(await state(headers), what.split(' ')[0], what);
});

test('a change has to come from a page of the console, as JSON', async () => {
  const browser = await signedIn();
  const { path, body } = dryRun();
  const sent = async (headers: Record<string, string>): Promise<unknown> =>
    codeOf(await browser.load(`${world.url}${path}`, { method: 'POST', body, headers }));
  const json = { 'content-type': 'application/json' };
  const site = { 'sec-fetch-site': 'same-origin' };
  const origin = { origin: world.url };
  assert.equal(await sent({ ...json, ...site, ...origin }), 'good');
  assert.equal(await sent({ ...json, ...site }), 'good');
  assert.equal(await sent({ ...json, ...origin }), 'good', 'a browser without fetch metadata');
  const form = 'application/x-www-form-urlencoded';
  const cases: Record<string, Record<string, string>> = {
    'media_type by a form': { ...site, ...origin, 'content-type': form },
    'media_type by fetch without cors': { ...site, ...origin, 'content-type': 'text/plain' },
    'media_type by nothing': { ...site, ...origin },
    'cross_site by another site': { ...json, ...origin, 'sec-fetch-site': 'cross-site' },
    'cross_site by a sibling': { ...json, ...origin, 'sec-fetch-site': 'same-site' },
    'cross_site by no page': { ...json, ...origin, 'sec-fetch-site': 'none' },
    'cross_site by another origin': { ...json, origin: 'https://evil.example' },
    'cross_site by a sandbox': { ...json, origin: 'null' },
    'cross_site by nobody': json,
  };
  for (const [what, headers] of Object.entries(cases)) assert.equal(await sent(headers), what.split(' ')[0], what);
});

test('a person may what policies permit its groups, and gets no token of a workload', async () => {
  const ben = await signedIn('ben');
  assert.equal(codeOf(await world.fetchAs(ben, '/state')), 'not_permitted');
  const anna = await signedIn();
  assert.equal(codeOf(await world.fetchAs(anna, '/state')), 'good');
  const { path, body } = dryRun();
  assert.equal(codeOf(await world.fetchAs(anna, path, { method: 'POST', body })), 'good');
  assert.equal(codeOf(await world.fetchAs(anna, '/workloads')), 'good');
  const token = await world.fetchAs(anna, '/token', { method: 'POST', body: '{}' });
  assert.equal(token.status >= 400, true);
});

test('signing out ends the session, by POST from the console alone', async () => {
  const browser = await signedIn();
  const id = idOf(browser);
  const cookie = { cookie: `__Host-session=${id}` };
  const json = { 'content-type': 'application/json' };
  const out = async (method: string, headers: Record<string, string>) =>
    world.browser().load(`${world.url}/sign-out`, { method, headers: { ...cookie, ...headers } });
  assert.equal((await out('GET', { 'sec-fetch-site': 'same-origin' })).status, 405);
  assert.equal(codeOf(await out('POST', { ...json, 'sec-fetch-site': 'cross-site' })), 'cross_site');
  assert.equal(codeOf(await out('POST', json)), 'cross_site');
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/jsonx'])
    assert.equal(codeOf(await out('POST', { 'sec-fetch-site': 'same-origin', 'content-type': type })), 'media_type');
  const nobody = await world.browser().load(`${world.url}/sign-out`, { method: 'POST' });
  assert.equal(codeOf(nobody), 'session_missing');
  assert.equal(codeOf(await world.fetchAs(browser, '/state')), 'good', 'it goes on');
  const ended = await world.fetchAs(browser, '/sign-out', { method: 'POST', body: '{}' });
  assert.equal(ended.status, 200);
  assert.equal(idOf(browser), '');
  const again = await world.browser().load(`${world.url}/state`, { headers: cookie });
  assert.equal(codeOf(again), 'session_missing', 'replayed');
});

test('a sign-in begins a new session, and the one that the browser had ends', async () => {
  const browser = await signedIn();
  const before = idOf(browser);
  assert.equal((await world.signInAs(browser, 'anna')).status, 303);
  assert.notEqual(idOf(browser), before);
  const replayed = await world
    .browser()
    .load(`${world.url}/state`, { headers: { cookie: `__Host-session=${before}` } });
  assert.equal(codeOf(replayed), 'session_missing');
});

test('the page learns who is signed in, and for how long', async () => {
  const browser = await signedIn();
  const { status, text } = await world.fetchAs(browser, '/session');
  assert.equal(status, 200);
  const session = JSON.parse(text) as Record<string, unknown> & { person: Record<string, unknown> };
  assert.deepEqual([session.person.subject, session.person.groups], ['anna', ['operators']]);
  const at = (name: string): number => Date.parse(String(session[name]));
  assert.equal(at('freshUntil') - at('signedIn'), 900_000);
  assert.ok(at('idleEnds') <= at('ends') && at('ends') <= Date.now() + 8 * 3_600_000);
  assert.equal((await world.browser().load(`${world.url}/session`)).status, 401);
});

/** The sessions of a person after this logout token: whether it goes on. */
async function goesOnAfter(browser: Browser, token: string): Promise<boolean> {
  const body = `logout_token=${token}`;
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  await world.browser().load(`${world.url}/sign-in/back-channel-logout`, { method: 'POST', headers, body });
  return (await world.fetchAs(browser, '/session')).status === 200;
}

test('the provider ends sessions by a logout token of its own', async () => {
  const { provider } = world;
  const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
  const claims = () => ({
    iss: provider.url,
    aud: CLIENT.id,
    sub: 'ivy',
    jti: 'j',
    events: { [EVENT]: {} },
    ...life(),
  });
  const header = { typ: 'logout+jwt' };
  const browser = await signedIn('ivy');
  const past = Math.floor(Date.now() / 1000) - 3600;
  const bad: Record<string, string> = {
    'another signature': mint(provider.key, header, claims(), { signWith: makeKey('ES256', provider.key.kid) }),
    'another key': mint(makeKey('ES256', 'other'), header, claims()),
    'another client': mint(provider.key, header, { ...claims(), aud: 'other' }),
    'another issuer': mint(provider.key, header, { ...claims(), iss: 'https://other.example' }),
    'the nonce of an ID token': mint(provider.key, header, { ...claims(), nonce: 'n' }),
    'no event': mint(provider.key, header, { ...claims(), events: {} }),
    'no id': mint(provider.key, header, { ...claims(), jti: undefined }),
    'no time': mint(provider.key, header, { ...claims(), iat: undefined }),
    'an end that is over': mint(provider.key, header, { ...claims(), iat: past, exp: past + 120 }),
    'a long life': mint(provider.key, header, { ...claims(), ...life(undefined, 3600) }),
    'a time before the sign-in': mint(provider.key, header, { ...claims(), iat: past + 3300, exp: past + 3700 }),
    'another type': mint(provider.key, { typ: 'at+jwt' }, claims()),
    'another person': mint(provider.key, header, { ...claims(), sub: 'ben' }),
    nobody: mint(provider.key, header, { ...claims(), sub: undefined }),
  };
  for (const [what, token] of Object.entries(bad)) assert.equal(await goesOnAfter(browser, token), true, what);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const body of ['logout_token=no.token', 'logout_token=', 'other=1']) {
    const sent = { method: 'POST', headers, body };
    assert.equal((await world.browser().load(`${world.url}/sign-in/back-channel-logout`, sent)).status, 400, body);
  }
  assert.equal(await goesOnAfter(browser, mint(provider.key, header, claims())), false, 'a good one');
  const line = world.auditLines().findLast(({ event, result }) => event === 'sign-out' && result === 'allow');
  assert.deepEqual([line?.endedBy, line?.sessions], ['provider', 1]);
});

test('the logout of the provider itself ends one sign-in there, and no other', async () => {
  const sids: string[] = [];
  world.provider.mutations.idToken = (token) => {
    sids.push(String(token.sid));
    return token;
  };
  const [first, second] = [await signedIn('eve'), await signedIn('eve')];
  world.provider.mutations.idToken = undefined;
  await world.provider.logOut('eve', sids[0] ?? '', world.consoleCa);
  assert.equal((await world.fetchAs(first, '/session')).status, 401);
  assert.equal((await world.fetchAs(second, '/session')).status, 200);
});

test('a person whose subject is revoked is refused, and the session is over', async () => {
  const [anna, eve] = [await signedIn(), await signedIn('eve')];
  assert.equal(codeOf(await world.fetchAs(eve, '/state')), 'good');
  const order = {
    subject: { issuer: world.provider.url, subject: 'eve' },
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'left',
  };
  const ordered = await world.fetchAs(anna, '/revocations', { method: 'POST', body: JSON.stringify(order) });
  assert.equal(ordered.status, 201, ordered.text);
  const { revocation } = JSON.parse(ordered.text) as { revocation: { by: string } };
  assert.equal(revocation.by, JSON.stringify([world.provider.url, 'anna']));
  assert.equal(codeOf(await world.fetchAs(eve, '/state')), 'revoked_subject');
  assert.equal(codeOf(await world.fetchAs(eve, '/state')), 'session_missing', 'nor does it go on after a lift');
});

test('what needs a fresh sign-in takes one of the last fifteen minutes', () => {
  const now = Date.now();
  const asks = (agoMs: number) => {
    const person = { issuer: 'i', subject: 's', groups: [], acr: null, amr: [], signedInMs: now - agoMs, name: null };
    return staleSignIn(personAsks(provenPerson(person)), now)?.code ?? null;
  };
  assert.deepEqual([asks(0), asks(900_000), asks(900_001)], [null, null, 'sign_in_too_old']);
});

test('a grant and a lift take a fresh sign-in, and then are judged as such', async () => {
  const browser = world.browser();
  const { people } = world.provider;
  people.set('anna', { groups: ['operators'], age: 1000 });
  const grant = async () => {
    const body = JSON.stringify({ digest: 'd', reason: 'seen' });
    return codeOf(await world.fetchAs(browser, `/approvals/${'a'.repeat(22)}/grant`, { method: 'POST', body }));
  };
  const lift = async () =>
    codeOf(await world.fetchAs(browser, '/revocations/none/lift', { method: 'POST', body: '{"reason":"seen"}' }));
  try {
    assert.equal((await world.signInAs(browser, 'anna')).status, 303);
    assert.deepEqual([await grant(), await lift()], ['sign_in_too_old', 'sign_in_too_old']);
    assert.equal(codeOf(await world.fetchAs(browser, '/state')), 'good', 'all else goes on');
  } finally {
    people.set('anna', { groups: ['operators'] });
  }
  assert.equal((await world.signInAs(browser, 'anna', `/sign-in?fresh=true&return=${LANDING}`)).status, 303);
  assert.deepEqual([await grant(), await lift()], ['not_found', 'not_found']);
});

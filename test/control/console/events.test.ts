import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, afterEach, before, mock, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { approvalOrder, askedFor } from '../../support/approvals.ts';
import type { Browser } from '../../support/browser.ts';
import { ALL_TO_OPERATORS, type ConsoleWorld, startConsoleWorld } from '../../support/console-world.ts';
import { readEvents } from '../../support/event-reader.ts';
import { until } from '../../support/until.ts';
import { HOST, workload } from '../../support/world.ts';

const LEDGER = '/ns/payments/sa/api';
const AGENT = workload('/ns/agents/sa/billing-agent');
const watchersSee = (host: string) => `
${ALL_TO_OPERATORS}
@id("watchers")
permit (principal in Control::PersonGroup::"watchers", action == Control::Action::"view", resource is Control::Approval)
when { resource.host == "${host}" };
`;

let world: ConsoleWorld;
before(async () => {
  world = await startConsoleWorld({
    accounts: {
      anna: { groups: ['operators'] },
      ben: { groups: ['watchers'] },
      eve: { groups: ['operators'] },
      ivy: {},
    },
    policies: watchersSee('ben.internal'),
  });
});
after(() => world.stop());

async function signedIn(person: string, at = world): Promise<Browser> {
  const browser = at.browser();
  assert.equal((await at.signInAs(browser, person)).status, 303);
  return browser;
}

function events(browser: Browser, path = '/events', headers: Record<string, string> = {}, at = world, method = 'GET') {
  const cookie = `__Host-session=${browser.cookies('localhost').get('__Host-session')}`;
  const asking = request(`${at.url}${path}`, {
    method,
    agent: false,
    ca: at.authorities,
    headers: { cookie, accept: 'text/event-stream', 'sec-fetch-site': 'same-origin', ...headers },
  });
  asking.on('error', () => {});
  asking.end();
  left.push(() => asking.destroy());
  return readEvents(asking);
}

const left: (() => void)[] = [];
afterEach(async () => {
  for (const leave of left.splice(0)) leave();
  await until('no stream to be open', async () => ((await openStreams()) === 0 ? true : null));
});

/** A decision, and its id. */
const decided = async (at = world): Promise<string> =>
  (await at.send({ svid: at.svid(LEDGER), host: HOST, path: '/nowhere' } as never)).decision;
const isAbout = (decision: string) => (event: { readonly data: unknown }) =>
  (event.data as { readonly decision?: string }).decision === decision;
const asked = (host: string, path = '/refunds') =>
  askedFor(world.approvals!, approvalOrder({ caller: AGENT, chain: [AGENT], task: null, host, path }));
const isRequest = (id: string) => (event: { readonly data: unknown }) =>
  (event.data as { readonly id?: string }).id === id;
const openStreams = async (at = world): Promise<number> =>
  (JSON.parse(await at.status('/status')) as { control: { streams: number } }).control.streams;

test('decisions and approvals come as they happen, and a stream goes on behind the event that was read last', async () => {
  const anna = await signedIn('anna');
  const first = await events(anna);
  assert.equal(first.status, 200);
  assert.match(String(first.headers['cache-control']), /no-store, no-transform/);
  assert.equal(first.headers['cross-origin-resource-policy'], 'same-origin');
  await first.first('the beginning', ({ name }) => name === 'ready');
  const one = await decided();
  const { id } = await first.first('the decision', isAbout(one));
  const request1 = await asked(HOST, '/refunds/1');
  const pending = await first.first('the request', isRequest(request1));
  assert.equal((pending.data as { state: string }).state, 'pending');
  first.leave();

  const meanwhile = [await decided(), await decided()];
  await until('the stream to be gone', async () => ((await openStreams()) === 0 ? true : null));
  for (const [path, headers] of [
    ['/events', { 'last-event-id': id }],
    [`/events?after=${id}`, {}],
  ] as const) {
    const resumed = await events(anna, path, headers);
    await resumed.first('the last decision', isAbout(meanwhile.at(-1)!));
    const told = resumed.named('decisions').map(({ data }) => (data as { decision: string }).decision);
    assert.deepEqual(told, meanwhile, 'all that came meanwhile, in order, and nothing twice');
    assert.equal(resumed.named('reset').length, 0);
    assert.ok(resumed.named('approvals').some(isRequest(request1)));
    resumed.leave();
  }
  const only = await events(anna, `/events?of=approvals&after=${id}`);
  await only.first('the request', isRequest(request1));
  assert.equal(only.named('decisions').length, 0);
});

test('where something may be missing, the stream says so', async () => {
  const anna = await signedIn('anna');
  const begun = await events(anna);
  const { id } = await begun.first('the beginning', ({ name }) => name === 'ready');
  const [run = '', place = ''] = id.split('.');
  for (const [name, last] of [
    ['reset', `${run.startsWith('0') ? '1' : '0'}${run.slice(1)}.${place}`],
    ['reset', `${run}.${Number(place) + 1000}`],
    ['reset', 'from another product'],
    ['ready', id],
  ] as const) {
    const stream = await events(anna, '/events', { 'last-event-id': last });
    assert.equal((await stream.first('the first event', () => true)).name, name, last);
    stream.leave();
  }
  const wrong = await events(anna, '/events?after=x');
  assert.deepEqual([wrong.status, (JSON.parse(wrong.body) as { code: string }).code], [400, 'parameters_invalid']);
});

test('a viewer is told only of what it may view, and has neither list nor stream where it may view nothing', async () => {
  const ben = await signedIn('ben');
  const code = async (person: string, path = '/events'): Promise<unknown> => {
    const stream = await events(await signedIn(person), path);
    stream.leave();
    return stream.status === 200 ? 200 : (JSON.parse(stream.body) as { code: string }).code;
  };
  assert.equal(await code('ivy'), 'not_permitted');
  assert.equal(await code('ivy', '/events?of=approvals'), 'not_permitted');
  assert.equal(await code('anna'), 200);
  assert.equal(await code('ben'), 200, 'there is nothing yet, and there may be');
  assert.equal(await code('ben', '/events?of=approvals'), 200);
  assert.equal(await code('ben', '/events?of=decisions'), 'not_permitted');
  const items = async (path: string, browser = ben) => {
    const { text } = await world.fetchAs(browser, path);
    const { items, code } = JSON.parse(text) as { items?: readonly unknown[]; code?: string };
    return items?.length ?? code;
  };
  assert.equal(await items('/approvals?state=refused'), 0);
  assert.equal(await items('/approvals?state=refused', await signedIn('ivy')), 'not_permitted');
  for (const path of ['/decisions', '/workloads', '/tasks', '/revocations'])
    assert.equal(await items(path), 'not_permitted', path);
  await asked('ben.internal', '/refunds/1');
  const [bens, annas] = [await events(ben), await events(await signedIn('anna'))];
  await bens.first('the beginning', ({ name }) => name === 'ready');
  await annas.first('the beginning', ({ name }) => name === 'ready');
  const [decision, other] = [await decided(), await asked('anna.internal', '/refunds/2')];
  const own = await asked('ben.internal', '/refunds/3');
  await annas.first('the decision', isAbout(decision));
  await annas.first('the request', isRequest(other));
  await annas.first('the request', isRequest(own));
  await bens.first('the request', isRequest(own));
  assert.ok(bens.events.every(({ data }) => ['ben.internal', undefined].includes((data as { host?: string }).host)));
  assert.equal(bens.named('decisions').length, 0);
});

test('only what wants events gets them, and only by a session of ours', async () => {
  const anna = await signedIn('anna');
  const code = async (browser: Browser, headers: Record<string, string>): Promise<unknown> => {
    const stream = await events(browser, '/events', headers);
    stream.leave();
    return stream.status === 200 ? 200 : (JSON.parse(stream.body) as { code: string }).code;
  };
  assert.equal(await code(anna, {}), 200);
  assert.equal(await code(anna, { accept: '*/*' }), 200);
  assert.equal(await code(anna, { accept: 'application/json' }), 'not_acceptable');
  assert.equal(await code(anna, { 'sec-fetch-site': 'cross-site' }), 'cross_site');
  assert.equal(await code(anna, { origin: 'https://evil.example' }), 'cross_site');
  assert.equal(await code(world.browser(), {}), 'session_missing');
  const head = await events(anna, '/events', {}, world, 'HEAD');
  assert.equal(await head.ended(), true);
});

test('of one person four streams are open at a time, which a metric counts', async () => {
  const anna = await signedIn('anna');
  const open = [];
  for (let count = 0; count < 4; count++) open.push(await events(anna));
  assert.match(await world.status('/metrics'), /^authz_control_streams 4$/m);
  assert.deepEqual(
    open.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  const over = await events(anna);
  assert.deepEqual([over.status, (JSON.parse(over.body) as { code: string }).code], [429, 'too_many_requests']);
  const other = await events(await signedIn('eve'));
  assert.equal(other.status, 200, 'another person has places of its own');
  open[0]!.leave();
  await until('a free place', async () => {
    const again = await events(anna);
    again.leave();
    return again.status === 200 ? true : null;
  });
});

test('a stream ends when its session does: signed out here, signed out by the provider, the person revoked', async () => {
  const endings: Record<string, (browser: Browser) => Promise<unknown>> = {
    'sign-out': (browser) => world.fetchAs(browser, '/sign-out', { method: 'POST', body: '{}' }),
    revocation: async () => {
      const subject = { subject: { issuer: world.provider.url, subject: 'eve' } };
      const order = { ...subject, until: new Date(Date.now() + 3_600_000).toISOString(), reason: 'left' };
      const sent = { method: 'POST', body: JSON.stringify(order) };
      assert.equal((await world.fetchAs(await signedIn('anna'), '/revocations', sent)).status, 201);
    },
  };
  for (const [what, end] of Object.entries(endings)) {
    const eve = await signedIn('eve');
    const [ends, goesOn] = [await events(eve), await events(await signedIn('anna'))];
    await ends.first('the beginning', ({ name }) => name === 'ready');
    await end(eve);
    assert.equal(await ends.ended(), true, what);
    const still = await decided();
    await goesOn.first('what comes after it', isAbout(still));
  }
});

test('who may view nothing any more is told nothing any more', async () => {
  await asked('ben.internal', '/refunds/5');
  const [bens, annas] = [await events(await signedIn('ben')), await events(await signedIn('anna'))];
  await bens.first('the beginning', ({ name }) => name === 'ready');
  writeFileSync(join(world.folder, 'policies', 'control', 'operators.cedar'), ALL_TO_OPERATORS);
  assert.equal(await bens.ended(), true);
  const still = await decided();
  await annas.first('what comes after it', isAbout(still));
});

test('a process that ends lets its streams end, and does not wait for them', async () => {
  const own = await startConsoleWorld({
    edit: (config) => {
      config.limits = { ...config.limits, drain: '60s', drainDelay: '0s' };
    },
  });
  const stream = await events(await signedIn('anna', own), '/events', {}, own);
  await stream.first('the beginning', ({ name }) => name === 'ready');
  const stopped = own.stop();
  assert.equal(await stream.ended(), true, 'in order, and not with the connection');
  await stopped;
});

test('a stream keeps no session going: neither by being opened nor by being open', async () => {
  let aheadMs = 0;
  const clock = mock.method(systemClock, 'now', () => Date.now() + aheadMs);
  const own = await startConsoleWorld();
  try {
    const idle = await signedIn('anna', own);
    const used = await signedIn('anna', own);
    aheadMs = 20 * 60_000;
    const [ends, goesOn] = [await events(idle, '/events', {}, own), await events(used, '/events', {}, own)];
    for (const stream of [ends, goesOn]) await stream.first('the beginning', ({ name }) => name === 'ready');
    assert.equal((await own.fetchAs(used, '/decisions')).status, 200);
    aheadMs = 31 * 60_000;
    assert.equal(await ends.ended(), true);
    assert.equal((await own.fetchAs(idle, '/session')).status, 401);
    const still = await decided(own);
    await goesOn.first('what comes after it', isAbout(still));
  } finally {
    for (const leave of left.splice(0)) leave();
    await own.stop();
    clock.mock.restore();
  }
});

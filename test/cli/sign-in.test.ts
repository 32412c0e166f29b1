import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser } from '../support/browser.ts';
import { backFrom, cliSignIn } from '../support/cli-sign-in.ts';
import { type ConsoleWorld, startConsoleWorld } from '../support/console-world.ts';
import { controlCli } from '../support/control-cli.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';

let world: ConsoleWorld;
const folder = temporaryFolder();
const file = join(folder, 'kept', 'session.json');
before(async () => {
  world = await startConsoleWorld();
  writeFileSync(join(folder, 'ca.pem'), world.consoleCa);
});
after(async () => {
  await world.stop();
  removeFolder(folder);
});

const there = (): string[] => ['--control', world.url, '--ca', join(folder, 'ca.pem'), '--session-file', file];

/** Signs in, with what the person does at the page of the command line. */
const signIn = (atPage: (page: string, browser: Browser) => Promise<void>) =>
  cliSignIn(there(), (page) => atPage(page, world.browser()));

test('a person signs in with the browser, asks as itself, and signs out', async () => {
  const done = await signIn(async (page, browser) => {
    const back = await backFrom(page, browser, 'anna');
    assert.equal(browser.cookies('localhost').has('__Host-session'), false, 'the browser gets no session by this');
    assert.equal((await browser.load(back.href)).status, 200);
  });
  assert.deepEqual([done.code, done.stdout.startsWith('signed in as Anna (anna of ')], [0, true], done.stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const state = await controlCli(['state', ...there()]);
  assert.deepEqual([state.code, state.stderr], [0, '']);
  const kept = readFileSync(file, 'utf8');
  const { token } = JSON.parse(kept) as { token: string };
  assert.ok(!done.stdout.includes(token) && !done.stderr.includes(token));
  const asCookie = await world.browser().load(`${world.url}/state`, { headers: { cookie: `__Host-session=${token}` } });
  assert.equal(asCookie.status, 401, 'the session of a command line is no cookie');
  const out = await controlCli(['sign-out', ...there()]);
  assert.deepEqual([out.code, out.stdout], [0, 'signed out\n']);
  writeFileSync(file, kept, { mode: 0o600 });
  const replayed = await controlCli(['state', ...there()]);
  assert.equal(replayed.code, 1);
  assert.match(replayed.stderr, /session_missing/);
});

test('only the sign-in that was asked for counts, and a code is good once, with its verifier', async () => {
  let code = '';
  const done = await signIn(async (page, browser) => {
    const back = await backFrom(page, browser, 'anna');
    code = back.searchParams.get('code') ?? '';
    const changed = (change: (url: URL) => void): string => {
      const url = new URL(back);
      change(url);
      return url.href;
    };
    const passedOver = [
      changed(({ searchParams }) => searchParams.set('state', 's'.repeat(43))),
      changed(({ searchParams }) => searchParams.set('iss', 'https://evil.example')),
      changed(({ searchParams }) => searchParams.delete('iss')),
      changed((url) => {
        url.pathname = '/other';
      }),
    ];
    for (const url of passedOver) assert.equal((await browser.load(url)).status, 400, url);
    assert.equal((await browser.load(back.href, { headers: { host: 'evil.example' } })).status, 400);
    assert.equal((await exchange(code, 'v'.repeat(43), { 'sec-fetch-site': 'cross-site' })).status, 403, 'a page');
    assert.equal((await browser.load(back.href)).status, 200);
  });
  assert.equal(done.code, 0, done.stderr);
  assert.equal((await exchange(code, 'v'.repeat(43))).status, 400, 'used');
  await controlCli(['sign-out', ...there()]);
});

test('no page has a person sign in for a command line', async () => {
  const line = new URLSearchParams({ port: '4000', state: 's'.repeat(43), challenge: 'c'.repeat(43) });
  const at = async (site: string | null) =>
    (
      await world.browser().load(`${world.url}/sign-in?${line}`, {
        headers: site === null ? {} : { 'sec-fetch-site': site },
      })
    ).status;
  assert.deepEqual([await at('none'), await at(null)], [302, 302], 'opened, and by an old browser');
  for (const site of ['cross-site', 'same-site', 'same-origin']) assert.equal(await at(site), 403, site);
});

test('a wrong verifier gets nothing, and uses the code up', async () => {
  const done = await signIn(async (page, browser) => {
    const back = await backFrom(page, browser, 'anna');
    assert.equal((await exchange(back.searchParams.get('code') ?? '', 'v'.repeat(43))).status, 400);
    await browser.load(back.href);
  });
  assert.equal(done.code, 1);
  assert.match(done.stderr, /login_unknown/);
});

test('who signs in again has the session before ended', async () => {
  const again = () =>
    signIn(async (page, browser) => {
      await browser.load((await backFrom(page, browser, 'anna')).href);
    });
  assert.equal((await again()).code, 0);
  const before = readFileSync(file, 'utf8');
  assert.equal((await again()).code, 0);
  const after = readFileSync(file, 'utf8');
  assert.equal((await controlCli(['state', ...there()])).code, 0);
  writeFileSync(file, before);
  assert.match((await controlCli(['state', ...there()])).stderr, /session_missing/);
  writeFileSync(file, after);
  await controlCli(['sign-out', ...there()]);
});

test('a session that others could read is ended by its person', async () => {
  await signIn(async (page, browser) => {
    await browser.load((await backFrom(page, browser, 'anna')).href);
  });
  chmodSync(file, 0o644);
  const kept = readFileSync(file, 'utf8');
  assert.match((await controlCli(['state', ...there()])).stderr, /others may read .* sign out/);
  const out = await controlCli(['sign-out', ...there()]);
  assert.deepEqual([out.code, out.stdout, out.stderr], [0, 'signed out\n', '']);
  writeFileSync(file, kept, { mode: 0o600 });
  assert.match((await controlCli(['state', ...there()])).stderr, /session_missing/, 'whoever read it has nothing');
});

test('a session that others may read, or that is for another console, is not shown', async () => {
  const session = { url: world.url, token: 't'.repeat(43), expires: new Date().toISOString() };
  writeFileSync(file, JSON.stringify(session), { mode: 0o600 });
  assert.match((await controlCli(['state', ...there()])).stderr, /session_missing/);
  chmodSync(file, 0o640);
  const read = await controlCli(['state', ...there()]);
  assert.deepEqual([read.code, /others may read/.test(read.stderr)], [2, true], read.stderr);
  chmodSync(file, 0o600);
  writeFileSync(file, JSON.stringify({ ...session, url: 'https://other.example' }));
  const other = await controlCli(['state', ...there()]);
  assert.deepEqual([other.code, /sign-in/.test(other.stderr)], [64, true], other.stderr);
  writeFileSync(file, 'no session');
  assert.equal((await controlCli(['state', ...there()])).code, 2);
});

const exchange = (code: string, verifier: string, headers: Record<string, string> = {}) =>
  world.browser().load(`${world.url}/sign-in/token`, {
    method: 'POST',
    body: JSON.stringify({ code, verifier }),
    headers: { 'content-type': 'application/json', ...headers },
  });

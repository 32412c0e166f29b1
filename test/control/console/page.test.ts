import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import axe from 'axe-core';
import type { BrowserContext, Browser as Chromium, Page } from 'playwright-core';
import { approvalOrder, askedFor } from '../../support/approvals.ts';
import { noChromium as skip, startChromium } from '../../support/chromium.ts';
import { type ConsoleWorld, OPERATORS, startConsoleWorld } from '../../support/console-world.ts';
import { workload } from '../../support/world.ts';

const SCREENS = ['approvals', 'decisions', 'workloads', 'tasks', 'revocations', 'health'] as const;
/** What a caller may write wherever a text of its choice is shown. */
const HOSTILE = '"><img src=x onerror="window.forged=1"><script>window.forged=1</script>\u034f\u202e';
/** What nobody sees, looks like a space, or is piled up. */
const UNSEEN = `a\u034fb\ufe0fc\u2800d\u00a0e\u3164f\u{e0041}g${'\u0301'.repeat(5)}`;

let world: ConsoleWorld;
let chromium: Chromium;
before(async () => {
  if (skip !== false) return;
  world = await startConsoleWorld({
    accounts: { anna: { groups: [OPERATORS], name: 'Anna' }, bea: { groups: [OPERATORS], name: 'Bea' } },
  });
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  await world?.stop();
});

interface Visit {
  readonly page: Page;
  /** What the browser complained of: scripts that failed, and what its policies kept from the page. */
  readonly complaints: readonly string[];
}

/** The console, as a person sees it once she has signed in. The private authorities of the test are not in the browser. */
async function signedIn(options: Parameters<Chromium['newContext']>[0] = {}, person = 'anna'): Promise<Visit> {
  const context: BrowserContext = await chromium.newContext({ ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && message.location().url.startsWith(world.url) && !message.text().includes('401'))
      complaints.push(`${message.text()} ${message.location().url}`);
  });
  await page.goto(world.url);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.waitForURL(/\/interaction\//);
  await page.goto(`${page.url()}?as=${person}`);
  await page.getByRole('navigation', { name: 'Screens' }).waitFor();
  return { page, complaints };
}

async function show(page: Page, screen: (typeof SCREENS)[number]): Promise<void> {
  await page.goto(`${world.url}/#/${screen}`);
  const name = `${screen[0]?.toUpperCase()}${screen.slice(1)}`;
  await page.getByRole('heading', { level: 1, name }).waitFor();
}

test('who signed in sees each screen, by light and dark, and at the width of a telephone; axe finds nothing serious', {
  skip,
}, async () => {
  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 1280],
    ['light', 320],
  ] as const) {
    const { page, complaints } = await signedIn({ colorScheme, viewport: { width, height: 800 } });
    const devtools = await page.context().newCDPSession(page);
    for (const screen of SCREENS) {
      await show(page, screen);
      await page.locator('table, .empty, .card').first().waitFor();
      assert.ok(
        ((await page.evaluate('document.documentElement.scrollWidth')) as number) <= width,
        `${screen} at ${width}`,
      );
      await devtools.send('Runtime.evaluate', { expression: axe.source });
      const { result } = await devtools.send('Runtime.evaluate', {
        expression: `axe.run({ resultTypes: ['violations'] }).then(({ violations }) =>
          violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id }) => id).join())`,
        awaitPromise: true,
      });
      assert.equal(result.value, '', `${screen}, ${colorScheme}, ${width}`);
    }
    assert.deepEqual(complaints, []);
    await page.context().close();
  }
});

test('a revocation is ordered and lifted by keyboard alone: preview, reason, confirmation, result', {
  skip,
}, async () => {
  const { page } = await signedIn();
  const press = (...keys: readonly string[]) =>
    keys.reduce((done, key) => done.then(() => page.keyboard.press(key)), Promise.resolve());
  const focused = () => page.evaluate('document.activeElement.textContent') as Promise<string>;
  const tabTo = async (text: string) => {
    for (let count = 0; count < 60; count++) {
      if ((await focused()) === text) return;
      await press('Tab');
    }
    assert.fail(`no way to ${text} by keyboard`);
  };
  await show(page, 'workloads');
  await page.locator('td button').first().waitFor();
  const id = await page.locator('td .mono').first().textContent();
  await tabTo('Revoke…');
  await press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  // Without a reason nothing is previewed, and the field is named.
  await tabTo('Preview the effect');
  await press('Enter');
  assert.match((await dialog.getByRole('alert').textContent()) ?? '', /Say why/);
  await page.keyboard.type('leaked in a ticket');
  await tabTo('Preview the effect');
  await press('Enter');
  await dialog.getByRole('heading', { name: 'What it does' }).waitFor();
  assert.equal(await focused(), 'Revoke it');
  assert.equal((await revocations(page)).length, 0);
  await press('Enter');
  await dialog.getByRole('heading', { name: 'Done' }).waitFor();
  const [revoked] = await revocations(page);
  assert.deepEqual([revoked?.workload ?? revoked?.under, revoked?.reason], [id, 'leaked in a ticket']);
  assert.equal(await focused(), 'Close');
  await press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await show(page, 'revocations');
  await page.getByText('leaked in a ticket').waitFor();
  await tabTo('Lift…');
  await press('Enter');
  await page.keyboard.type('found again');
  await tabTo('Preview the effect');
  await press('Enter');
  await dialog.getByRole('heading', { name: 'What it does' }).waitFor();
  await press('Enter');
  await dialog.getByRole('heading', { name: 'Done' }).waitFor();
  assert.equal((await revocations(page)).length, 0);
  await page.context().close();
});

async function revocations(page: Page): Promise<readonly Readonly<Record<string, string>>[]> {
  const { items } = (await page.evaluate(`fetch('/revocations').then((answer) => answer.json())`)) as {
    items: readonly Readonly<Record<string, string>>[];
  };
  return items;
}

test('a person allows one request, and refuses another; what was decided elsewhere is told', { skip }, async () => {
  const agent = workload('/ns/agents/sa/billing-agent');
  const order = (path: string) =>
    approvalOrder({
      caller: agent,
      chain: [agent],
      task: null,
      path,
      query: HOSTILE,
      contentType: HOSTILE,
      headers: [['x-amount', HOSTILE]],
      declared: { id: HOSTILE, purpose: 'finance' },
    });
  const [one, other, third] = ['/refunds/1', '/refunds/2', '/refunds/3'].map(order);
  const ids = [];
  for (const each of [one!, other!, third!]) ids.push(await askedFor(world.approvals!, each));
  const { page, complaints } = await signedIn();
  const card = (path: string) => page.getByRole('article').filter({ hasText: path });
  const decide = async (path: string, button: string, confirm: string) => {
    await card(path).getByRole('button', { name: button }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox').fill('as agreed');
    await dialog.getByRole('button', { name: 'Preview the effect' }).click();
    await dialog.getByRole('button', { name: confirm, exact: true }).click();
    await dialog.getByRole('heading', { name: 'Done' }).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
  };
  await card('/refunds/1').waitFor();
  assert.equal(await page.locator('nav .count').textContent(), '3');
  const sent = await card('/refunds/1').getByLabel('The request').textContent();
  assert.match(
    sent ?? '',
    /^content-type: .*window\.forged=1.*\\u\{202e\}\nx-amount: .*window\.forged=1.*\\u\{202e\}$/m,
  );
  assert.match((await card('/refunds/1').textContent()) ?? '', /Claims to be infinance/);
  await decide('/refunds/1', 'Allow this one request…', 'Allow this one request');
  await card('/refunds/1').getByText('granted', { exact: true }).waitFor();
  await decide('/refunds/2', 'Refuse…', 'Refuse it');
  await card('/refunds/2').getByText('refused').waitFor();
  assert.deepEqual([world.approvals!.grantsOf(one!.digest, Date.now()).length], [1]);
  assert.deepEqual([world.approvals!.grantsOf(other!.digest, Date.now()).length], [0]);
  // Two tabs: what the other refused meanwhile cannot be allowed here.
  await card('/refunds/3').getByRole('button', { name: 'Allow this one request…' }).click();
  await page.evaluate(async (id) => {
    await fetch(`/approvals/${id}/refuse`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'in another tab' }),
    });
  }, ids[2] as string);
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').fill('as agreed');
  await dialog.getByRole('button', { name: 'Preview the effect' }).click();
  await dialog.getByRole('button', { name: 'Allow this one request', exact: true }).click();
  await dialog.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
  assert.equal(world.approvals!.grantsOf(third!.digest, Date.now()).length, 0);
  assert.equal(await page.evaluate('window.forged'), undefined);
  assert.deepEqual(
    complaints.filter((text) => !text.includes('409')),
    [],
  );
  await page.context().close();
});

test('what waits is shown, however much was decided before it', { skip }, async () => {
  const agent = workload('/ns/agents/sa/billing-agent');
  const book = world.approvals!;
  const order = (path: string) => approvalOrder({ caller: agent, chain: [agent], task: null, path });
  const past = Date.now() - 600_000;
  for (let n = 0; n < 120; n++) {
    const id = await askedFor(book, order(`/decided/${n}`), past + n);
    await book.close({ id, kind: 'refused', by: 'x', reason: 'no' }, past + n);
  }
  await askedFor(book, order('/waits'));
  const { page } = await signedIn();
  const card = page.getByRole('article').filter({ hasText: '/waits' });
  await card.getByRole('button', { name: 'Allow this one request…' }).waitFor();
  await page.getByRole('article').filter({ hasText: '/decided/119' }).first().waitFor();
  await page.context().close();
});

test('a browser whose clock is ahead does not have the person sign in for ever, and who waited too long is led to it', {
  skip,
}, async () => {
  const { page } = await signedIn();
  await page.evaluate(async (until) => {
    await fetch('/revocations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key: 'B'.repeat(43), until, reason: 'a clock' }),
    });
  }, new Date(Date.now() + 3_600_000).toISOString());
  await page.clock.install({ time: Date.now() + 7_200_000 });
  await page.goto(`${world.url}/?#/revocations`);
  await page.getByRole('row').filter({ hasText: 'a clock' }).getByRole('button', { name: 'Lift…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').fill('was wrong');
  await dialog.getByRole('button', { name: 'Preview the effect' }).click();
  const tooOld = { status: 403, code: 'sign_in_too_old', title: 'The sign-in is too old for this' };
  await page.route('**/lift', (route) => route.fulfill({ status: 403, json: tooOld }));
  await dialog.getByRole('button', { name: 'Lift it' }).click();
  await dialog.getByRole('link', { name: 'Sign in again' }).click();
  await page.waitForURL(/\/interaction\//);
  await page.context().close();
});

test('a person breaks glass, and another one reviews it', { skip }, async () => {
  const agent = workload('/ns/agents/sa/billing-agent');
  const order = approvalOrder({ caller: agent, chain: [agent], task: null, path: '/emergency', query: HOSTILE });
  const id = await askedFor(world.approvals!, order);
  const reviews = await signedIn({}, 'bea');
  const sheet = reviews.page.getByText('Nobody can break glass');
  await sheet.waitFor();
  const act = async (page: Page, button: string, reason: string, confirm: string) => {
    const card = page.getByRole('article').filter({ hasText: '/emergency' });
    await (button.startsWith('Begin') ? page : card).getByRole('button', { name: button }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox').fill(reason);
    await dialog.getByRole('button', { name: 'Preview the effect' }).click();
    if (confirm === '') return dialog;
    await dialog.getByRole('button', { name: confirm, exact: true }).click();
    await dialog.getByRole('heading', { name: 'Done' }).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    return dialog;
  };
  await act(reviews.page, 'Begin it…', 'the audit has none', 'I have looked at it');
  await sheet.waitFor({ state: 'detached' });
  const { page, complaints } = await signedIn();
  await page.getByRole('article').filter({ hasText: '/emergency' }).waitFor();
  const short = await act(page, 'Break glass…', 'it is down', '');
  assert.match((await short.getByRole('alert').textContent()) ?? '', /at least 20 characters/);
  assert.deepEqual(world.approvals!.grantsOf(order.digest, Date.now()), []);
  await short.getByRole('button', { name: 'Cancel' }).click();
  await act(page, 'Break glass…', `the payments are down ${HOSTILE}`, 'Let it pass alone');
  assert.equal(world.approvals!.grantsOf(order.digest, Date.now()).length, 1);
  await page.getByRole('heading', { name: 'Break-glass to be reviewed' }).waitFor();
  // Nobody reviews its own.
  await page.getByRole('button', { name: 'Review…' }).click();
  const own = page.getByRole('dialog');
  await own.getByRole('textbox').fill('fine');
  await own.getByRole('button', { name: 'Preview the effect' }).click();
  await own.getByRole('button', { name: 'I have looked at it' }).click();
  await own
    .getByRole('alert')
    .filter({ hasText: /another person/ })
    .waitFor();
  assert.equal(world.approvals!.glass.find(id)?.review, null);
  await act(reviews.page, 'Review…', 'it was an emergency', 'I have looked at it');
  assert.match(String(world.approvals!.glass.find(id)?.review?.by), /bea/);
  await reviews.page.getByRole('heading', { name: 'Break-glass to be reviewed' }).waitFor({ state: 'detached' });
  assert.equal(await page.evaluate('window.forged'), undefined);
  assert.deepEqual(
    [...complaints, ...reviews.complaints].filter((text) => !text.includes('403')),
    [],
  );
  await page.context().close();
  await reviews.page.context().close();
});

test('texts that a caller chose are shown as text, with what nobody sees written out', { skip }, async () => {
  const { page, complaints } = await signedIn();
  await page.evaluate(
    async ([reason, until]) => {
      await fetch('/revocations', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ key: 'A'.repeat(43), until, reason }),
      });
    },
    [HOSTILE + UNSEEN, new Date(Date.now() + 3_600_000).toISOString()] as const,
  );
  await world
    .send({
      svid: world.svid('/ns/agents/sa/invoice-agent'),
      host: 'x',
      path: `/${encodeURIComponent(HOSTILE)}`,
    } as never)
    .catch(() => {});
  await show(page, 'revocations');
  await page.getByText('window.forged=1').first().waitFor();
  const shown = (await page.locator('tbody').textContent()) ?? '';
  const written = `\\u{202e}a\\u{34f}b\\u{fe0f}c\\u{2800}d\\u{a0}e\\u{3164}f\\u{e0041}g${'\u0301'.repeat(3)}\\u{301}\\u{301}`;
  assert.ok(shown.includes(written), shown);
  await show(page, 'decisions');
  await page.locator('table, .empty').first().waitFor();
  assert.equal(await page.evaluate('window.forged'), undefined);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('a list that cannot be asked for any more says so, and since when', { skip }, async () => {
  const { page } = await signedIn();
  await page.route('**/events?*', (route) => route.abort());
  await show(page, 'approvals');
  await page.goto(`${world.url}/?again#/approvals`);
  await page.locator('.card, .empty').first().waitFor();
  const note = page.getByText('Not up to date since');
  assert.equal(await note.count(), 0);
  await page.route('**/approvals?*', (route) => route.abort());
  await note.waitFor();
  await page.unroute('**/approvals?*');
  await note.waitFor({ state: 'detached' });
  await page.context().close();
});

test('who signs out sees nothing more, and the page says when the session is over', { skip }, async () => {
  const { page } = await signedIn();
  await page.route('**/sign-out', (route) => route.abort());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('alert').filter({ hasText: 'Still signed in' }).waitFor();
  assert.equal(await page.locator('.shell').count(), 1, 'the session goes on, and the page says so');
  await page.unroute('**/sign-out');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Signed out' }).waitFor();
  assert.equal(await page.locator('.shell').count(), 0);
  await page.goto(world.url);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.context().close();
});

/** What somebody whose script ran in the page would try; each has to throw or reject. */
const TRIES: Readonly<Record<string, string>> = {
  markup: `document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.forged=1">')`,
  'a frame with markup': `document.createElement('iframe').srcdoc = '<script>parent.forged=1</script>'`,
  'a script by its text': `document.createElement('script').textContent = 'window.forged=1'`,
  'a script by its address': `document.createElement('script').src = 'data:text/javascript,window.forged=1'`,
  'a listener as text': `document.body.setAttribute('onclick', 'window.forged=1')`,
  'a text as a script': `eval('window.forged=1')`,
  'a policy of its own': `trustedTypes.createPolicy('default', { createHTML: (text) => text })`,
  'another place': `await fetch(elsewhere, { mode: 'no-cors' })`,
};

test('a script that got into the page could make no markup of its own, and reach no other place', {
  skip,
}, async () => {
  const { page } = await signedIn();
  const other = await page.context().newPage();
  // Devtools exempt what they run themselves, and not what comes after it.
  const isHeld = (where: Page, script: string): Promise<boolean> =>
    where.evaluate(`(async () => {
      const elsewhere = ${JSON.stringify(`${world.provider.url}/.well-known/openid-configuration`)};
      await new Promise((done) => setTimeout(done));
      ${script};
    })().then(() => false, () => true)`);
  for (const [what, script] of Object.entries(TRIES)) {
    assert.equal(await isHeld(page, script), true, what);
    if (!what.includes('policy')) assert.equal(await isHeld(other, script), false, `${what}, on another page`);
  }
  assert.equal(await page.evaluate('window.forged'), undefined);
  // No other page can lay it under itself.
  await other.setContent(`<iframe src="${world.url}/"></iframe>`);
  const frame = other.frames().at(-1);
  await frame?.waitForLoadState();
  assert.equal(await frame?.locator('.brand').count(), 0);
  await page.context().close();
});

test('the page weighs little, names its files by their digest, and lets nothing else in', async () => {
  if (skip !== false) return;
  const browser = world.browser();
  const index = await browser.load(`${world.url}/`, {});
  assert.equal(index.headers['cache-control'], 'no-store');
  const policy = String(index.headers['content-security-policy']);
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ])
    assert.ok(policy.includes(part), policy);
  const [, folder = ''] = /(\/page\/[0-9a-f]{16}\/)main\.js/.exec(index.text) ?? [];
  const waiting = ['main.js', 'console.css', 'icon.svg'];
  const sizes = new Map<string, number>();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const file = await browser.load(`${world.url}${folder}${name}`, {});
    assert.equal(file.status, 200, name);
    assert.match(String(file.headers['cache-control']), /immutable/);
    sizes.set(name, Buffer.byteLength(file.text));
    for (const [, next = ''] of file.text.matchAll(/from '\.\/(\w+\.js)'/g)) if (!sizes.has(next)) waiting.push(next);
  }
  const sum = [...sizes.values()].reduce((total, size) => total + size, Buffer.byteLength(index.text));
  assert.ok(sum < 80_000, `${sum} bytes`);
  for (const [path, method, status] of [
    [`${folder}other.js`, 'GET', 404],
    ['/page/0000000000000000/main.js', 'GET', 404],
    [`${folder}..%2f..%2fpackage.json`, 'GET', 404],
    ['/', 'POST', 405],
  ] as const)
    assert.equal((await browser.load(`${world.url}${path}`, { method })).status, status, path);
});

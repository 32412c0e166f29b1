import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { BrowserContext, Browser as Chromium, Page } from 'playwright-core';
import { approvalOrder, askedFor } from '../../support/approvals.ts';
import { noChromium as skip, startChromium } from '../../support/chromium.ts';
import { type ConsoleWorld, startConsoleWorld } from '../../support/console-world.ts';
import { decodeResponse } from '../../support/golden-wire.ts';
import { until } from '../../support/until.ts';
import { encode, HOST, workload } from '../../support/world.ts';

let world: ConsoleWorld;
let chromium: Chromium;
before(async () => {
  if (skip !== false) return;
  world = await startConsoleWorld({
    edit: (config) => {
      // A hundredth is the share of one caller.
      config.state = { ...config.state, activity: { denials: 1_000_000 } };
    },
  });
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  await world?.stop();
});
afterEach(async () => {
  for (const context of chromium?.contexts() ?? []) await context.close();
});

interface Visit {
  readonly page: Page;
  /** What the page asked for: method and path. */
  readonly asked: readonly string[];
}

async function signedIn(screen: string, prepare: (context: BrowserContext) => Promise<void> = async () => {}) {
  const context = await chromium.newContext({ ignoreHTTPSErrors: true });
  await prepare(context);
  const page = await context.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await page.goto(`${world.url}/sign-in?return=/%23/${screen}`);
  await page.goto(`${page.url()}?as=anna`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  return { page, asked } satisfies Visit;
}

const streamIsOpen = ({ page, asked }: Visit) =>
  until('the stream', async () => {
    const streams = (JSON.parse(await world.status('/status')) as { control: { streams: number } }).control.streams;
    return streams > 0 && asked.includes('GET /events') && !page.isClosed() ? true : null;
  });

const denied = () => {
  const message = encode({ svid: world.svid('/ns/payments/sa/api'), host: HOST, path: '/nowhere' } as never);
  return async (): Promise<string> => String(decodeResponse(await world.call(message)).metadata?.decision);
};
const rows = (page: Page) => page.locator('tbody tr');
const asking = (path: string) => {
  const agent = workload('/ns/agents/sa/billing-agent');
  return askedFor(world.approvals!, approvalOrder({ caller: agent, chain: [agent], task: null, path }));
};

test('a decision comes to the page without being asked for, and what is read there stays', { skip }, async () => {
  const deny = denied();
  await deny();
  const visit = await signedIn('decisions');
  const { page, asked } = visit;
  await streamIsOpen(visit);
  await rows(page).first().waitFor();
  await pause(1000);
  const [count, before] = [await rows(page).count(), asked.length];
  const read = await rows(page).first().elementHandle();
  await deny();
  await until('another row', async () => ((await rows(page).count()) === count + 1 ? true : null));
  // As long as a page that asks would wait.
  await pause(2500);
  assert.deepEqual(asked.slice(before), [], 'nothing was asked for');
  const place = await read?.evaluate((row) => (row as unknown as { readonly rowIndex: number }).rowIndex);
  assert.equal(place, 2, 'the same row, below the new one');

  const button = page.getByRole('button', { name: 'Pause' });
  await button.click();
  await deny();
  await pause(2500);
  assert.equal(await rows(page).count(), count + 1, 'a list that stands still');
  await page.getByRole('button', { name: 'Go on' }).click();
  await until('what came meanwhile', async () => ((await rows(page).count()) === count + 2 ? true : null));
});

test('a request comes to the page, is told politely, and takes no focus', { skip }, async () => {
  await asking('/refunds/first');
  const visit = await signedIn('approvals');
  const { page, asked } = visit;
  await streamIsOpen(visit);
  const refuse = page
    .getByRole('article')
    .filter({ hasText: '/refunds/first' })
    .getByRole('button', { name: 'Refuse…' });
  await refuse.waitFor();
  await pause(1000);
  const before = asked.length;
  await refuse.focus();
  await asking('/refunds/second');
  await page.getByRole('article').filter({ hasText: '/refunds/second' }).waitFor();
  assert.deepEqual(asked.slice(before), [], 'nothing was asked for');
  const focused = (await page.evaluate(`document.activeElement.closest('article').textContent`)) as string;
  assert.match(focused, /refunds\/first/);
  assert.equal(await page.locator('nav .count').textContent(), '2');
  assert.match((await page.getByRole('status').last().textContent()) ?? '', /1 new approval/);
});

test('each request says how many like it came and were granted, and whether a policy could answer them', {
  skip,
}, async () => {
  const book = world.approvals!;
  for (const one of book.all()) await book.close({ id: one.id, kind: 'refused', by: 'ann', reason: 'no' }, Date.now());
  const agent = workload('/ns/agents/sa/reader');
  const order = (path: string) => approvalOrder({ caller: agent, chain: [agent], task: null, path });
  const grant = async (n: number) => {
    const of = order(`/alike/${n}`);
    const id = await askedFor(book, of);
    const { digest, approvals } = of;
    const terms = { quorum: 1, uses: 1, useForMs: 60_000 } as const;
    await book.grant({ id, digest, approvals, by: 'ann', reason: 'yes', ...terms }, Date.now());
  };
  await askedFor(book, order('/alike/read'));
  const visit = await signedIn('approvals');
  const { page } = visit;
  await streamIsOpen(visit);
  const card = page.getByRole('article').filter({ hasText: '/alike/read' });
  const told = async (text: RegExp) =>
    until(String(text), async () => (text.test((await card.locator('.alike').textContent()) ?? '') ? true : null));
  await told(/^the first since /);
  await card.getByRole('button', { name: 'Refuse…' }).focus();
  for (let n = 0; n < 9; n++) await grant(n);
  await page.getByRole('article').filter({ hasText: '/alike/8' }).waitFor();
  await told(/^10 since .*, 9 of them granted$/);
  await grant(9);
  await told(/^11 since .*, 10 of them granted: a policy could answer them$/);
  const focused = (await page.evaluate(`document.activeElement.closest('article').textContent`)) as string;
  assert.match(focused, /alike\/read/, 'and what is read there stays');
});

test('where there is no stream, the page asks', { skip }, async () => {
  for (const status of [429, 503]) {
    const { page } = await signedIn('decisions', async (context) => {
      await context.route('**/events?*', (route) => route.fulfill({ status, body: '{}' }));
    });
    await rows(page).first().waitFor();
    const newest = () => rows(page).first().locator('time').getAttribute('datetime');
    const before = await newest();
    await denied()();
    await until('the decision', async () => ((await newest()) === before ? null : true));
    await page.context().close();
  }
});

test('at 10,000 decisions a minute the page is used as ever, and is up to date', { skip }, async (t) => {
  const visit = await signedIn('decisions');
  const { page } = visit;
  await streamIsOpen(visit);
  await page.evaluate(`
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ type: 'longtask' });
  `);
  const deny = denied();
  let isOver = false;
  let sent = 0;
  const flood = (async () => {
    const began = performance.now();
    while (!isOver) {
      await deny();
      sent++;
      await pause(Math.max(0, began + sent * 6 - performance.now()));
    }
  })();
  // It is going on while all of this is done.
  await until('a page full of decisions', async () => ((await rows(page).count()) === 100 ? true : null));
  await page.getByLabel('Reason').fill('policy_nowhere');
  await page.getByLabel('Reason').press('Enter');
  await page.locator('.empty').waitFor();
  await page.getByLabel('Reason').fill('');
  await page.getByLabel('Reason').press('Enter');
  await until('the list again', async () => ((await rows(page).count()) === 100 ? true : null));
  await page.getByRole('link', { name: 'Health' }).click();
  await page.getByRole('heading', { level: 1, name: 'Health' }).waitFor();
  await page.getByRole('link', { name: 'Decisions' }).click();
  await until('a page full of decisions', async () => ((await rows(page).count()) === 100 ? true : null));
  await until('10 s of it', () => (sent > 1700 ? true : null), 60_000);
  isOver = true;
  await flood;
  const marker = await denied()();
  assert.notEqual(marker, '');
  const path = `${world.url}/decisions?limit=1`;
  const last = await page.evaluate(
    `fetch('${path}').then((answer) => answer.json()).then(({ items }) => items[0].time)`,
  );
  await until('the last decision', async () =>
    (await rows(page).first().locator('time').getAttribute('datetime')) === last ? true : null,
  );
  assert.equal(await rows(page).count(), 100);
  t.diagnostic(`${sent} decisions; the longest task of the page: ${await page.evaluate('window.longest')} ms`);
});

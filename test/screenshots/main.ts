import { join } from 'node:path';
import { approvalOrder, askedFor } from '../support/approvals.ts';
import { startChromium } from '../support/chromium.ts';
import { startConsoleWorld } from '../support/console-world.ts';
import { HOST, workload } from '../support/world.ts';
import { drawnDashboard, takeDashboard } from './dashboard.ts';

/** `npm run screenshots`: the pictures of docs/, of the real console in a real Chromium, and of what the queries of the dashboard answer, in light and in dark. */
const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'pictures');
const SIZE = { width: 1280, height: 800 };

const dashboard = await drawnDashboard();
const world = await startConsoleWorld();
const chromium = await startChromium();
try {
  const agent = workload('/ns/agents/sa/billing-agent');
  await askedFor(
    world.approvals!,
    approvalOrder({ caller: agent, chain: [workload('/ns/agents/sa/orchestrator'), agent] }),
  );
  for (const path of ['/api/invoices/42', '/api/refunds', '/nowhere'])
    for (const svid of [world.svid('/ns/apps/sa/ledger'), world.svid('/ns/agents/sa/billing-agent'), null])
      await world.send({ svid, host: HOST, path, method: path === '/api/refunds' ? 'POST' : 'GET' } as never);
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await chromium.newContext({ ignoreHTTPSErrors: true, colorScheme, viewport: SIZE });
    const page = await context.newPage();
    await page.goto(`${world.url}/sign-in?return=/`);
    await page.goto(`${page.url()}?as=anna`);
    for (const screen of ['approvals', 'decisions']) {
      await page.goto(`${world.url}/#/${screen}`);
      await page
        .locator(screen === 'approvals' ? 'article' : 'tbody tr')
        .first()
        .waitFor();
      await page.screenshot({ path: join(FOLDER, `console-${screen}-${colorScheme}.png`) });
    }
    await takeDashboard(context, dashboard, join(FOLDER, `dashboard-${colorScheme}.png`));
    await context.close();
  }
} finally {
  await chromium.close();
  await world.stop();
}

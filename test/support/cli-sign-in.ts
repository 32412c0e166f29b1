import type { Browser } from './browser.ts';
import { controlCli } from './control-cli.ts';
import type { Finished } from './run.ts';

/** Runs `sign-in` with these options, and has somebody do something at the page that it names. */
export async function cliSignIn(
  options: readonly string[],
  atPage: (page: string) => Promise<void>,
): Promise<Finished> {
  const shown = Promise.withResolvers<string>();
  const running = controlCli(['sign-in', '--no-open', ...options], (text) => {
    const [page] = /https:\S+/.exec(text) ?? [];
    if (page !== undefined) shown.resolve(page);
  });
  await atPage(await shown.promise);
  return running;
}

/** Signs in as this person at the page, up to where the console sends the browser back to the command line. */
export async function backFrom(page: string, browser: Browser, person: string): Promise<URL> {
  const asked = await browser.visit(page);
  const last = await browser.visit(`${asked.url}?as=${person}`, asked.url, (next) => next.protocol === 'http:');
  return new URL(last.headers.location ?? '');
}

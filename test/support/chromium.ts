import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const binary = '/usr/bin/chromium';

/** Why these tests cannot run here; false where they can. On the machines of CI a missing browser is an error. */
export const noChromium: string | false = (() => {
  if (existsSync(binary)) return false;
  const message = `${binary} is not installed (Debian: apt-get install chromium)`;
  if (process.env.CI === 'true') throw new Error(message);
  process.stderr.write(`SKIPPED: ${message}\n`);
  return message;
})();

const QUIET = ['gpu', 'quic', 'background-networking', 'component-update', 'sync', 'dev-shm-usage'].map(
  (name) => `--disable-${name}`,
);

/** A real Chromium without a window, which speaks to nobody but the page that it is sent to. */
export const startChromium = () =>
  chromium.launch({ executablePath: binary, args: ['--no-sandbox', '--no-first-run', ...QUIET] });

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { until } from './until.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/**
 * A process that answers no checks and takes orders over TLS on the loopback address. `config` is all of its configuration but
 * `listen` and `audit`, and `listen` what it says of `listen.control` but the address. Resolves when it is ready.
 */
export async function startControlProcess(dir: string, config: object, listen: object) {
  const [port, statusPort] = [await freePort(), await freePort()];
  const address = `127.0.0.1:${port}`;
  const configFile = join(dir, 'control.json');
  const whole = {
    ...config,
    listen: { check: 'off', status: `127.0.0.1:${statusPort}`, control: { ...listen, address } },
    audit: { sinks: [{ file: { path: './control-audit.jsonl' } }] },
  };
  writeFileSync(configFile, JSON.stringify(whole));
  const program = new Program('the control process', process.execPath, [main, 'serve', '--config', configFile]);
  await until('readiness of the control process', async () => {
    program.assertRunning();
    return (await fetch(`http://127.0.0.1:${statusPort}/readyz`)).status === 200 ? true : null;
  });
  return { url: `https://${address}`, stop: () => program.stop('SIGTERM') };
}

import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Shown } from './client.ts';
import { goTool } from './go-tool.ts';
import { finish } from './run.ts';
import { programAs, type Spire } from './spire.ts';
import { until } from './until.ts';

/**
 * A workload of a live SPIRE: a copy of `spire-agent` at a path of its own, by which the agent attests it, and which asks
 * the agent as any workload would.
 */
export const SpireWorkload = { at };
export type SpireWorkload = Awaited<ReturnType<typeof at>>;

async function at(spire: Spire, path: string) {
  const id = `spiffe://${spire.trustDomain}${path}`;
  const binary = programAs(await goTool('spire-agent'), join(spire.dir, 'bin', path));
  const fetched = (what: 'x509' | 'jwt', ...args: readonly string[]) =>
    finish(binary, ['api', 'fetch', what, ...args, '-socketPath', spire.agentSocket]);
  return {
    binary,
    /** The selector that this workload is attested by. */
    selector: `unix:path:${binary}`,
    /** Its X.509-SVID with the intermediates, as soon as the agent has heard of its entry. */
    svid: async (): Promise<Shown> => {
      const dir = mkdtempSync(join(spire.dir, 'svid-'));
      await until(`an SVID of ${id}`, async () => ((await fetched('x509', '-write', dir)).code === 0 ? true : null));
      const read = (file: string): string => readFileSync(join(dir, file), 'utf8');
      return { pem: read('svid.0.pem'), pkcs8Pem: read('svid.0.key') };
    },
    /** A JWT-SVID for this audience. */
    jwt: (audience: string): Promise<string> =>
      until(`a JWT-SVID of ${id}`, async () => {
        const { code, stdout } = await fetched('jwt', '-audience', audience);
        return code === 0 ? /ey[\w-]+\.[\w-]+\.[\w-]+/.exec(stdout)?.[0] : null;
      }),
  };
}

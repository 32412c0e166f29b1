import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CheckClient } from '../../support/check-client.ts';
import { removeFolder, temporaryFolder } from '../../support/folder.ts';
import { decodeResponse } from '../../support/golden-wire.ts';
import { Redis } from '../../support/redis.ts';
import { Sidecar } from '../../support/sidecar.ts';
import { encode } from '../../support/world.ts';
import { agentByDpop, askerOf } from '../../support/world-asks.ts';
import { makeWorldKeys, writeMesh } from '../../support/world-keys.ts';

/** Uses in flight at one sidecar. */
const AT_ONCE = 250;

/** What came of many uses of one proof. */
export interface Once {
  readonly line: string;
  readonly faults: readonly string[];
}

/** One proof, used again and again over real sidecars with one store: it must be allowed once. */
export async function onceOverSidecars(count: number, uses: number): Promise<Once> {
  const keys = makeWorldKeys();
  const redis = await Redis.start();
  await redis.age('default');
  const sidecars: Sidecar[] = [];
  const folders: string[] = [];
  try {
    for (let n = 0; n < count; n++) {
      const dir = temporaryFolder();
      folders.push(dir);
      writeMesh(dir, keys);
      const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
      const state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '10s' };
      const limits = { ...config.limits, concurrentChecks: 2 * AT_ONCE, deadline: '60s' };
      sidecars.push(await Sidecar.start({ dir, config: { ...config, state, limits } }));
    }
    const ask = agentByDpop()(askerOf(keys));
    const reasons = new Map<string, number>();
    let sent = 0;
    const worker = async (client: CheckClient): Promise<void> => {
      while (sent < uses) {
        const id = `use-${sent++}`;
        const { denied } = decodeResponse(await client.call(encode({ ...ask, id }), 60_000));
        const reason = denied === null ? 'permitted' : reasonOf(denied.body);
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    };
    const clients = sidecars.map(({ check }) => new CheckClient(check));
    await Promise.all(clients.flatMap((client) => Array.from({ length: AT_ONCE }, () => worker(client))));
    for (const client of clients) client.close();
    const allowed = reasons.get('permitted') ?? 0;
    const replayed = reasons.get('task_proof_replayed') ?? 0;
    const told = [...reasons].map(([reason, times]) => `${times} ${reason}`).join(', ');
    const wrong = allowed !== 1 || allowed + replayed !== sent;
    return {
      line: `${sent} uses of one proof over ${count} sidecars: ${told}`,
      faults: wrong ? [`one proof over ${count} sidecars: ${told}`] : [],
    };
  } finally {
    for (const sidecar of sidecars) await sidecar.stop();
    for (const folder of folders) removeFolder(folder);
    await redis.remove();
  }
}

const reasonOf = (body: string): string => (JSON.parse(body) as { reason: string }).reason;

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CheckClient } from '../../support/check-client.ts';
import { removeFolder, temporaryFolder } from '../../support/folder.ts';
import { decodeResponse } from '../../support/golden-wire.ts';
import { Redis } from '../../support/redis.ts';
import { Sidecar } from '../../support/sidecar.ts';
import { encode, type MeshConfig } from '../../support/world.ts';
import { type AskOf, askerOf } from '../../support/world-asks.ts';
import { makeWorldKeys, writeMesh } from '../../support/world-keys.ts';

/** Checks in flight at one sidecar. */
const AT_ONCE = 250;

interface Fleet {
  readonly count: number;
  readonly checks: number;
  readonly ask: AskOf;
  /** What is done to the store before the sidecars start. */
  readonly before?: (redis: Redis) => Promise<void>;
  /** What is done once all sidecars serve. `ask` gives the body of a denial. */
  readonly ready?: (redis: Redis, sidecars: readonly Sidecar[], ask: () => Promise<string>) => Promise<void>;
  /** Changes the configuration and the files of each sidecar. */
  readonly edit?: (config: MeshConfig, folder: string) => void;
}

/** What came of many checks. */
export interface Answers {
  readonly sent: number;
  readonly of: (reason: string) => number;
  readonly told: string;
}

/** Many checks of one request, at once over real sidecars with one store, each by an id of its own. */
export async function answersOfFleet({ count, checks, ask, before, ready, edit }: Fleet): Promise<Answers> {
  const keys = makeWorldKeys();
  const redis = await Redis.start();
  await redis.age('default');
  await before?.(redis);
  const sidecars: Sidecar[] = [];
  const folders: string[] = [];
  try {
    for (let n = 0; n < count; n++) {
      const dir = temporaryFolder();
      folders.push(dir);
      writeMesh(dir, keys);
      const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8')) as MeshConfig;
      config.state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '10s' };
      config.limits = { ...config.limits, concurrentChecks: 2 * AT_ONCE, deadline: '60s' };
      edit?.(config as MeshConfig, dir);
      sidecars.push(await Sidecar.start({ dir, config }));
    }
    const asked = ask(askerOf(keys));
    const reasons = new Map<string, number>();
    let sent = 0;
    const worker = async (client: CheckClient): Promise<void> => {
      while (sent < checks) {
        const id = `use-${sent++}`;
        const { denied } = decodeResponse(await client.call(encode({ ...asked, id }), 60_000));
        const reason = denied === null ? 'permitted' : reasonOf(denied.body);
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    };
    const clients = sidecars.map(({ check }) => new CheckClient(check));
    const once = async () =>
      decodeResponse(await clients[0]!.call(encode({ ...asked, id: 'first' }), 60_000)).denied?.body ?? '';
    await ready?.(redis, sidecars, once);
    await Promise.all(clients.flatMap((client) => Array.from({ length: AT_ONCE }, () => worker(client))));
    for (const client of clients) client.close();
    const told = [...reasons].map(([reason, times]) => `${times} ${reason}`).join(', ');
    return { sent, of: (reason) => reasons.get(reason) ?? 0, told };
  } finally {
    for (const sidecar of sidecars) await sidecar.stop();
    for (const folder of folders) removeFolder(folder);
    await redis.remove();
  }
}

const reasonOf = (body: string): string => (JSON.parse(body) as { reason: string }).reason;

import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { until } from './until.ts';
import { World, type WorldOptions } from './world.ts';

/** One revocation as a person writes it; what is left out gets a value. */
export type Entry = Readonly<Record<string, unknown>>;

export const HOUR_MS = 3_600_000;

const FILE = 'revocations.yaml';

export const at = (ms: number): string => new Date(ms).toISOString();

/** The file of these revocations. */
export function revocationFile(entries: readonly Entry[]): string {
  const revocations = entries.map((entry, index) => ({
    id: `r-${index + 1}`,
    until: at(Date.now() + HOUR_MS),
    reason: 'tested',
    by: 'security@example.com',
    ...entry,
  }));
  return stringify({ revocations });
}

/** A mesh whose file of revocations holds this at the start; null: there is none. */
export function revokingWorld(
  start: string | null,
  edit: WorldOptions['edit'] = () => {},
  prepare: WorldOptions['prepare'] = () => {},
): Promise<World> {
  return World.start({
    edit: (config) => {
      Object.assign(config, { revocations: { file: `./${FILE}` } });
      edit(config);
    },
    prepare: (folder, keys) => {
      prepare(folder, keys);
      if (start !== null) writeFileSync(join(folder, FILE), start);
    },
  });
}

/** Replaces the file as an editor does, and waits until the sidecar has read it `reads` times as `result` says. */
export async function rewrite(world: World, text: string, result: 'loaded' | 'refused' = 'loaded'): Promise<void> {
  const before = await readsOf(world, result);
  const file = join(world.folder, FILE);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
  await until(`the file of revocations is ${result}`, async () =>
    (await readsOf(world, result)) > before ? true : null,
  );
}

async function readsOf(world: World, result: string): Promise<number> {
  const page = await world.status('/metrics');
  const [, count] = new RegExp(`^authz_revocations_reads_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(page) ?? [];
  return Number(count);
}

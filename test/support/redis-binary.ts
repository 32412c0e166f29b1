import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cached } from './cache.ts';
import { finish, run } from './run.ts';

/** Debian's Redis, and the libraries of its own that a machine without it lacks. */
const PACKAGES = ['redis-server', 'redis-tools', 'libatomic1', 'libhiredis0.14', 'libjemalloc2', 'liblua5.1-0'];
const MORE = ['liblzf1', 'lua-bitop', 'lua-cjson'];

/**
 * Sees to it that `redis-server` and `redis-cli` are on PATH: those of the machine, else Debian's packages, fetched once into
 * the cache and unpacked there. What is missing where neither is to be had; null where they are there.
 */
export async function needRedis(): Promise<string | null> {
  if (await works()) return null;
  try {
    const dir = await cached('redis', 'debian', async (into) => {
      process.stderr.write("fetching Debian's Redis (2 MB, once; later runs take it from the cache)\n");
      await run('apt-get', ['download', '-q', ...PACKAGES, ...MORE], { cwd: into });
      for (const file of readdirSync(into).filter((name) => name.endsWith('.deb')))
        await run('dpkg-deb', ['-x', file, 'root'], { cwd: into });
    });
    usePackages(join(dir, 'root', 'usr'));
    if (await works()) return null;
  } catch {
    // Said below.
  }
  return 'a fleet shares a Redis, and there is none: install it (Debian: apt-get install redis-server), or run this on Debian, whose package it fetches';
}

const works = async (): Promise<boolean> => (await finish('redis-server', ['--version']).catch(() => null))?.code === 0;

function usePackages(usr: string): void {
  const triple = readdirSync(join(usr, 'lib')).find((name) => name.includes('-linux-')) ?? '';
  const before = (name: string, dir: string): string =>
    [dir, process.env[name]].filter((part) => part !== undefined && part !== '').join(delimiter);
  process.env.PATH = before('PATH', join(usr, 'bin'));
  process.env.LD_LIBRARY_PATH = before('LD_LIBRARY_PATH', join(usr, 'lib', triple));
}

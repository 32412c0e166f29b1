import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where downloads and built tools are kept: `$AUTHZ_CACHE`, else `cedar-ext-authz` in the user's cache directory. */
const cacheDir =
  process.env.AUTHZ_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cedar-ext-authz');

/** Where a folder of the cache is, or would be. */
export const inCache = (name: string, version: string): string => join(cacheDir, `${name}-${version}`);

/**
 * The folder `name-version` of the cache. When it is absent, `fill` writes into a temporary folder beside it, which is
 * then renamed: a folder that exists is whole, and of two processes that fill it at once the later one's work is dropped.
 */
export async function cached(name: string, version: string, fill: (dir: string) => Promise<void>): Promise<string> {
  const target = inCache(name, version);
  if (existsSync(target)) return target;
  mkdirSync(cacheDir, { recursive: true });
  const temporary = mkdtempSync(join(cacheDir, `.${name}-`));
  try {
    await fill(temporary);
    renameSync(temporary, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return target;
}

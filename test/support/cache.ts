import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { access, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where downloads and built tools are kept: `$AUTHZ_CACHE`, else `cedar-ext-authz` in the user's cache directory. */
export const cacheDir =
  process.env.AUTHZ_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cedar-ext-authz');

/**
 * The folder `name-version` of the cache. When it is absent, `fill` writes into a temporary folder beside it, which is
 * then renamed: a folder that exists is whole, and of two processes that fill it at once the later one's work is dropped.
 */
export async function cached(name: string, version: string, fill: (dir: string) => Promise<void>): Promise<string> {
  const target = join(cacheDir, `${name}-${version}`);
  if (await exists(target)) return target;
  mkdirSync(cacheDir, { recursive: true });
  const temporary = mkdtempSync(join(cacheDir, `.${name}-`));
  try {
    await fill(temporary);
    await rename(temporary, target);
  } catch (error) {
    if (!(await exists(target))) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return target;
}

/** Whether a file or folder can be seen. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

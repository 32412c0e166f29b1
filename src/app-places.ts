import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from './config/schema.ts';

/** Why the audit files and the check socket of a configuration cannot be made where it wants them, one line each. */
export async function unusablePlaces({ audit, listen }: Config): Promise<readonly string[]> {
  const wanted: { readonly key: string; readonly path: string }[] = [];
  for (const [at, sink] of audit.sinks.entries())
    if (sink.to === 'file') wanted.push({ key: `audit.sinks[${at}].file.path`, path: sink.path });
  if (listen.check.kind === 'unix') wanted.push({ key: 'listen.check', path: listen.check.path });
  const found = await Promise.all(
    wanted.map(async ({ key, path }) => {
      const fault = await folderFault(dirname(path));
      return fault === null ? [] : [`${key}: the folder ${dirname(path)} ${fault}`];
    }),
  );
  return found.flat();
}

async function folderFault(folder: string): Promise<string | null> {
  try {
    if (!(await stat(folder)).isDirectory()) return 'is no folder; choose another path';
    await access(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'is not there; make it, or choose another path';
    return `cannot be written to (${code}); give the sidecar the right to, or choose another path`;
  }
}

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../config/schema.ts';

/** Why the audit files and the sockets of a configuration cannot be made where it wants them, one line each. */
export async function unusablePlaces({ audit, listen }: Config): Promise<readonly string[]> {
  const wanted: Wanted[] = [];
  for (const [at, sink] of audit.sinks.entries())
    if (sink.to === 'file') wanted.push({ key: `audit.sinks[${at}].file.path`, path: sink.path, kind: 'file' });
  const ports = { 'listen.check': listen.check, 'listen.control.address': listen.control?.address };
  for (const [key, address] of Object.entries(ports))
    if (address?.kind === 'unix') wanted.push({ key, path: address.path, kind: 'socket' });
  const found = await Promise.all(
    wanted.map(async ({ key, path, kind }) => {
      const fault = (await folderFault(dirname(path))) ?? (await takenBy(path, kind));
      return fault === null ? [] : [`${key}: ${fault}`];
    }),
  );
  return found.flat();
}

interface Wanted {
  readonly key: string;
  readonly path: string;
  readonly kind: 'file' | 'socket';
}

/** What has the path already, where it is of another kind. */
async function takenBy(path: string, kind: Wanted['kind']): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) return null;
  if (found.isDirectory()) return `${path} is a folder; choose another path`;
  if (kind === 'socket' && !found.isSocket())
    return `${path} is there and is no socket; remove it, or choose another path`;
  return kind === 'file' && found.isSocket() ? `${path} is a socket; choose another path` : null;
}

async function folderFault(folder: string): Promise<string | null> {
  try {
    if (!(await stat(folder)).isDirectory()) return `${folder} is no folder; choose another path`;
    await access(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return `the folder ${folder} is not there; make it, or choose another path`;
    return `the folder ${folder} cannot be written to (${code}); give the sidecar the right to, or choose another path`;
  }
}

import { mkdir, stat, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { Fault, messageOf } from '../../base/fault.ts';
import { jsonOf } from '../../base/json.ts';
import { readBounded } from '../../source/bounded.ts';
import { replaceFile } from '../../source/replace-file.ts';
import type { Io } from '../io.ts';

const MAX_BYTES = 16 * 1024;
/** Whoever else may read it could act as the person. */
const OTHERS = 0o077;

const session = z.strictObject({
  /** The console that it is for, and no other one is shown it. */
  url: z.string(),
  token: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  expires: z.iso.datetime(),
});

/** The session of a person at one console. */
export type KeptSignIn = z.output<typeof session>;

/** Where the session is kept: in the file that is named, else below the folder that the person's configuration is in. */
export function sessionFile(named: string | undefined, { XDG_CONFIG_HOME, HOME }: Io['env']): string {
  if (named !== undefined) return named;
  const folder = XDG_CONFIG_HOME?.startsWith('/') ? XDG_CONFIG_HOME : join(HOME ?? homedir(), '.config');
  return join(folder, 'cedar-ext-authz', 'session.json');
}

/**
 * The session in a file; null where there is none. A file that others may read is a Fault, unless it is read `toEnd` the
 * session, which is what helps then. Never rejects.
 */
export async function readSession(file: string, toEnd = false): Promise<KeptSignIn | null | Fault> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) return found.code === 'ENOENT' ? null : new Fault(`${file}: ${messageOf(found)}`);
  if ((found.mode & OTHERS) !== 0 && !toEnd)
    return new Fault(`${file}: others may read or write it; sign out, and sign in again`);
  const bytes = await readBounded(file, MAX_BYTES, AbortSignal.timeout(5000));
  if (bytes instanceof Fault) return new Fault(`${file}: ${bytes.detail}`);
  // What it holds instead is not shown: it may be a secret.
  return (
    session.safeParse(jsonOf(Buffer.from(bytes).toString())).data ??
    new Fault(`${file}: holds no session; sign in again`)
  );
}

/** Keeps a session where nobody else may read it, in place of another one. Never rejects. */
export async function writeSession(file: string, kept: KeptSignIn): Promise<Fault | null> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await replaceFile(file, (handle) => handle.writeFile(`${JSON.stringify(kept)}\n`));
    return null;
  } catch (error) {
    return new Fault(`${file}: ${messageOf(error)}`);
  }
}

/** Removes the session; whether there was one is all the same. */
export const removeSession = (file: string): Promise<void> => unlink(file).catch(() => {});

import { type FileHandle, open, rename, rm } from 'node:fs/promises';

/**
 * Writes a file that nobody else may read, whole or not at all: beside its place first, and then into it. Rejects where it cannot,
 * and leaves what was there.
 */
export async function replaceFile(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const beside = `${file}.new`;
  await rm(beside, { force: true });
  const handle = await open(beside, 'wx', 0o600);
  try {
    await write(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new temporary folder, short enough in its path for Unix sockets (108 bytes). */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'authz-'));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

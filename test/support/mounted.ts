import { lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Replaces all files of a folder at once, as the kubelet does with a mounted Secret or ConfigMap: a new folder, and the link
 * `..data` that is moved to it. `version` is the folder's name, a new one each time.
 */
export function swapMounted(folder: string, version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, version), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, version, name), text, { mode: 0o600 });
  symlinkSync(version, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  for (const name of Object.keys(files)) {
    if (lstatSync(join(folder, name), { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    symlinkSync(join('..data', name), join(folder, `${name}.new`));
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
}
